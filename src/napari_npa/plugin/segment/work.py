"""The part of segmenting that runs in a worker."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING

from napari_npa.plugin.layers.shown_image import ShownImage

if TYPE_CHECKING:  # torch is imported in the worker only: it takes seconds
    from napari_npa.segmentation.segmenter import Segmentation, Segmenter
    from napari_npa.types import FieldChoice, Progress


def segment_shown(
    shown: ShownImage,
    segmenter_of: Callable[[], Segmenter],
    previous: Segmentation | None,
    field_of_view: FieldChoice,
    progress: Progress,
) -> tuple[Segmentation, float]:
    """Segment the angiogram that an image layer shows; runs in a worker.

    Parameters
    ----------
    shown
        What the layer shows.
    segmenter_of
        Makes the segmenter; called in the worker, because loading weights takes time.
    previous
        Result so far. Its threshold is kept if the model is the same.
    field_of_view
        See :meth:`napari_npa.Segmenter.segment`.
    progress
        Called with (done, total).

    Returns
    -------
    segmentation, seconds
        The new result, and how long reading and segmenting took.
    """
    segmenter = segmenter_of()
    started = perf_counter()
    segmentation = segmenter.segment(
        shown.angiogram(), field_of_view=field_of_view, progress=progress
    )
    if previous is not None and previous.model_sha256 == segmentation.model_sha256:
        segmentation = segmentation.at_threshold(previous.threshold)
    return segmentation, perf_counter() - started
