"""Work of a review off the GUI thread: reading and segmenting images, and the queue's files."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_npa.errors import AngiogramError, NpaError, SaveError
from napari_npa.io.angiogram import Angiogram, read_angiogram
from napari_npa.plugin.layers.open import layer_of
from napari_npa.plugin.qt.jobs import Job, Jobs

if TYPE_CHECKING:  # torch is imported in the worker only: it takes seconds
    from pathlib import Path

    from napari.types import LayerData

    from napari_npa.results.result import Result
    from napari_npa.review.queue import ReviewQueue
    from napari_npa.segmentation.segmenter import Segmentation, Segmenter
    from napari_npa.types import Progress


@dataclass(frozen=True, eq=False)
class Opened:
    """An angiogram that was read, and its image layer; both have the same pixels."""

    angiogram: Angiogram
    layer: LayerData


@dataclass(frozen=True, eq=False)
class Found:
    """Result of an angiogram.

    Attributes
    ----------
    segmentation, seconds
        Automatic result, and how long it took.
    saved
        As it was saved earlier, if it was.
    basis
        Identity of what is saved, see :class:`napari_npa.results.result.Result`; it is replaced
        without a question. Empty if nothing is saved, or masks that cannot be shown.
    warning
        Why the saved masks cannot be shown.
    """

    segmentation: Segmentation
    seconds: float
    saved: Result | None = None
    basis: str = ""
    warning: NpaError | None = None


class Prepared:
    """An image of a queue, as far as it is ready."""

    def __init__(self, queue: ReviewQueue, at: int) -> None:
        self.queue = queue
        self.at = at
        self.opened: Opened | None = None
        self.found: Found | None = None
        self.error: Exception | None = None
        self.job: Job | None = None

    @property
    def is_unreadable(self) -> bool:
        """Whether the file cannot be read as an angiogram."""
        return self.opened is None and isinstance(self.error, AngiogramError)

    def as_read(self) -> Prepared:
        """Return the same image, not segmented yet."""
        again = Prepared(self.queue, self.at)
        again.opened = self.opened
        return again

    def take(self, part: Opened | Found | Exception) -> None:
        """Keep the outcome of a job."""
        if isinstance(part, Opened):
            self.opened = part
        elif isinstance(part, Found):
            self.found = part
        else:
            self.error = part


class Preparer(QObject):
    """Reads and segments requested images, in their order.

    Reading starts at once; a network runs for one image at a time. What is not wanted any
    more is cancelled and forgotten, so no more is in memory than was last asked for.

    Parameters
    ----------
    segmenter_of
        Called in a worker, because loading weights takes time.
    parent
        Qt deletes this object with it.
    """

    advanced = Signal(object)
    """A :class:`Prepared` that is wanted has been read or segmented, or has failed."""

    def __init__(self, segmenter_of: Callable[[], Segmenter], parent: QObject) -> None:
        super().__init__(parent)
        self.jobs = Jobs()
        self._segmenter_of = segmenter_of
        self._wanted: list[Prepared] = []
        self._segmenting: Job | None = None

    def want(self, queue: ReviewQueue, *places: int) -> Prepared:
        """Prepare these images of a queue, and only these; those that failed again.

        Returns
        -------
        first
            The first of them, as far as it is there.
        """
        there = {(p.queue, p.at): p for p in self._wanted if p.error is None}
        self._wanted = [there.get((queue, at)) or Prepared(queue, at) for at in places]
        for prepared in there.values():
            if prepared not in self._wanted and prepared.job is not None:
                prepared.job.cancel()
        self._go_on()
        return self._wanted[0]

    def segment_again(self) -> None:
        """Discard results and failures of images not shown yet, since the segmenter has changed.

        The result that the first image has already stays.
        """
        for place, prepared in enumerate(self._wanted):
            shown = place == 0 and prepared.found is not None
            if prepared.opened is None or shown:
                continue  # a file that cannot be read stays so
            if prepared.job is not None:
                prepared.job.cancel()
            self._wanted[place] = prepared.as_read()
        self._go_on()

    def abandon(self) -> None:
        """Stop, since the panel is gone."""
        self._wanted = []
        self.jobs.abandon()

    def _go_on(self) -> None:
        """Start the next step of the first image that is not ready, unless it runs."""
        for prepared in self._wanted:
            if prepared.found is not None or prepared.error is not None:
                continue
            if prepared.job is None and prepared.opened is None:
                self._start(prepared, Job(partial(_read, prepared.queue.images[prepared.at])))
            elif prepared.job is None and self._segmenting is None:
                self._segmenting = Job(partial(_segment, prepared, self._segmenter_of))
                self._start(prepared, self._segmenting)
            return

    def _start(self, prepared: Prepared, job: Job) -> None:
        prepared.job = job
        job.on_end.append(partial(self._end, prepared, job))
        self.jobs.start(job, prepared.take, prepared.take)

    def _end(self, prepared: Prepared, job: Job) -> None:
        prepared.job = None
        if job is self._segmenting:
            self._segmenting = None
        if prepared in self._wanted:
            self.advanced.emit(prepared)
        self._go_on()


def _read(path: Path, progress: Progress) -> Opened:
    """Read an angiogram.

    Raises
    ------
    AngiogramError
        Not an angiogram.
    """
    angiogram = read_angiogram(path)
    return Opened(angiogram, layer_of(angiogram, path.stem))


def _segment(
    prepared: Prepared, segmenter_of: Callable[[], Segmenter], progress: Progress
) -> Found:
    """Segment an angiogram, and read the masks that were saved of it."""
    assert prepared.opened is not None
    angiogram = prepared.opened.angiogram
    segmenter = segmenter_of()
    started = perf_counter()
    segmentation = segmenter.segment(angiogram, progress=progress)
    seconds = perf_counter() - started
    saved = prepared.queue.saved_result(prepared.at, angiogram.sha256)
    if saved is None:
        return Found(segmentation, seconds)
    if saved.ungradable:
        return Found(segmentation, seconds, basis=saved.identity)
    made = saved.record.provenance
    if made.model_sha256 == segmentation.model_sha256 and made.threshold is not None:
        segmentation = segmentation.at_threshold(made.threshold)
    try:
        shown = prepared.queue.load(prepared.at, angiogram)
        return Found(segmentation, seconds, shown, shown.basis)
    except AngiogramError as error:
        return Found(segmentation, seconds, warning=error)


def read_queue(
    folder: Path,
    output: Path,
    recursive: bool,
    at: str,
    before: ReviewQueue | None,
    progress: Progress,
) -> ReviewQueue:
    """List a folder and read the state of its review; imports torch.

    Parameters
    ----------
    folder, output, recursive
        As for :class:`napari_npa.review.queue.ReviewQueue`.
    at
        Name of the image to begin at; unknown or empty: where the last review stopped.
    before
        Queue that has been open, maybe of the same results: it is stored first.

    Raises
    ------
    NpaError
        As :class:`napari_npa.review.queue.ReviewQueue`.
    """
    from napari_npa.review.queue import ReviewQueue

    if before is not None:
        with suppress(SaveError):  # reported at the last move already
            before.store()
    queue = ReviewQueue(folder, output, recursive)
    if at in queue.names:
        queue.go_to(queue.names.index(at))
    return queue


def read_records(queue: ReviewQueue, progress: Progress) -> None:
    """Read the records of all images, so that their states are known at once."""
    queue.read_records()


def store(queue: ReviewQueue, progress: Progress) -> None:
    """Write approvals and position.

    Raises
    ------
    SaveError
        The system refused.
    """
    queue.store()
