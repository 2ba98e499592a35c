"""What the panels read from disk, and write to it, in workers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_npa.plugin.layers.shown_image import ShownImage, file_stem

if TYPE_CHECKING:  # torch is imported in the worker only: it takes seconds
    from napari_npa.annotation.file import Annotation, Summary
    from napari_npa.annotation.store import AnnotationStore
    from napari_npa.io.angiogram import Angiogram
    from napari_npa.plugin.layers.result_layers import Snapshot
    from napari_npa.types import Progress


def save(
    folder: Path, snapshot: Snapshot, session: dict[str, Any] | None, progress: Progress
) -> tuple[Path, ...]:
    """Write a result as it was when the user pressed Save, and its row in a batch's table.

    Runs in a worker.

    Parameters
    ----------
    session
        Record of the annotation, see :meth:`napari_npa.annotation.session.Session.as_record`.

    Raises
    ------
    SaveError
        The system did not allow it.
    """
    from napari_npa.results.corrected import put_back
    from napari_npa.results.record import write_result

    segmentation = snapshot.segmentation
    masks = (snapshot.npa, snapshot.retina) if snapshot.is_edited() else (None, None)
    written = write_result(
        folder,
        file_stem(segmentation.angiogram),
        segmentation,
        npa=masks[0],
        retina=masks[1],
        seconds=snapshot.seconds,
        session=session,
    )
    put_back(folder, written.row)
    return written.files


def save_ungradable(folder: Path, angiogram: Angiogram, progress: Progress) -> tuple[Path, ...]:
    """Write that no part of an angiogram can be judged; runs in a worker.

    Raises
    ------
    SaveError
        The system did not allow it.
    """
    from napari_npa.results.corrected import put_back
    from napari_npa.results.record import write_ungradable

    written = write_ungradable(folder, file_stem(angiogram), angiogram)
    put_back(folder, written.row)
    return written.files


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
