"""What the panels read from disk, and write to it, in workers."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_npa.annotation.file import Summary
from napari_npa.errors import AngiogramError
from napari_npa.plugin.layers.shown_image import ShownImage

if TYPE_CHECKING:  # torch is imported in the worker only: it takes seconds
    from napari_npa.annotation.file import Annotation
    from napari_npa.annotation.store import AnnotationStore
    from napari_npa.io.angiogram import Angiogram
    from napari_npa.results.result import Result
    from napari_npa.results.saved import SavedResult
    from napari_npa.types import Progress


def save(folder: Path, result: Result, replace: bool, progress: Progress) -> SavedResult:
    """Write a result as it was when the user pressed Save, and its row in the table of a batch.

    Runs in a worker.

    Parameters
    ----------
    replace
        Whether the user was asked and wants to replace what is there.

    Raises
    ------
    ReplaceError
        What is there is not replaced without asking.
    SaveError
        The system did not allow it.
    """
    from napari_npa.results.folder import ResultFolder

    return ResultFolder(folder).save(result, replace=replace)


def save_ungradable(
    folder: Path, angiogram: Angiogram, basis: str, replace: bool, progress: Progress
) -> SavedResult:
    """Write that no part of an angiogram can be judged; runs in a worker.

    Raises
    ------
    ReplaceError
        What is there is not replaced without asking.
    SaveError
        The system did not allow it.
    """
    from napari_npa.results.folder import ResultFolder

    return ResultFolder(folder).save_ungradable(angiogram, basis=basis, replace=replace)


@dataclass(frozen=True)
class Kept:
    """What is kept on this computer.

    Attributes
    ----------
    image_sha256
        Hash of the open image; empty: none is open, or it is not an angiogram.
    summaries
        Annotations of that image, unsaved ones first; then the unsaved ones of others, the newest
        first.
    """

    image_sha256: str
    summaries: tuple[Summary, ...]


def kept_work(image: str | ShownImage, store: AnnotationStore, progress: Progress) -> Kept:
    """List what is kept, that of the open image first; runs in a worker.

    Parameters
    ----------
    image
        The open image, or its hash if that is known; empty: none is open. That it is not an
        angiogram is reported when it is segmented.
    """
    sha256 = image if isinstance(image, str) else ""
    if isinstance(image, ShownImage):
        with suppress(AngiogramError):
            sha256 = image.angiogram().sha256
    of_image = store.kept_of(sha256) if sha256 else []
    others = [summary for summary in store.unsaved() if summary.image_sha256 != sha256]
    return Kept(sha256, (*of_image, *others))


def load_kept(
    summary: Summary, shape: tuple[int, int], store: AnnotationStore, progress: Progress
) -> Annotation | None:
    """Annotation that was offered; runs in a worker.

    Parameters
    ----------
    summary
        The offer.
    shape
        Rows and columns of its image.

    Returns
    -------
    annotation
        None if it is gone.

    Raises
    ------
    AnnotationError
        It cannot be used.
    """
    return store.load(summary.image_sha256, shape, summary.session_id)
