"""What the panels read from disk, and write to it, in workers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_npa.plugin.layers.shown_image import ShownImage

if TYPE_CHECKING:  # torch is imported in the worker only: it takes seconds
    from napari_npa.annotation.file import Annotation, Summary
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


def kept_annotation(
    shown: ShownImage, store: AnnotationStore, progress: Progress
) -> Annotation | None:
    """Annotation with edits that was kept of a layer's image; runs in a worker.

    Raises
    ------
    AngiogramError
        The layer does not show an angiogram.
    AnnotationError
        There is one, but it cannot be used.
    """
    angiogram = shown.angiogram()
    shape = (angiogram.pixels.shape[0], angiogram.pixels.shape[1])
    annotation = store.load(angiogram.sha256, shape)
    return annotation if annotation is not None and annotation.session.number else None


def unsaved_file(store: AnnotationStore, progress: Progress) -> Summary | None:
    """Newest unsaved annotation whose image is still in its place; runs in a worker."""
    return next((kept for kept in store.unsaved() if kept.source and kept.source.exists()), None)
