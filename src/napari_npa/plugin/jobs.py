"""Work off the GUI thread that reports progress and can be cancelled."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtCore import QObject, QThreadPool, Signal  # type: ignore[attr-defined]
from superqt.utils import FunctionWorker, create_worker

from napari_npa.errors import Cancelled
from napari_npa.plugin.opening import layer_of
from napari_npa.plugin.shown_image import ShownImage, file_stem

if TYPE_CHECKING:  # torch is imported in the worker only: it takes seconds
    from napari.types import LayerData

    from napari_npa.angiogram import Angiogram
    from napari_npa.annotation import Annotation, Summary
    from napari_npa.inference import Progress
    from napari_npa.plugin.result_layers import Snapshot
    from napari_npa.recovery import AnnotationStore
    from napari_npa.segmentation import Mode, Segmentation, Segmenter

_log = logging.getLogger(__name__)


class _Worker(FunctionWorker[Any]):
    """A worker that may outlive Qt: Python, when it ends, deletes signals before threads."""

    _error: Exception | None = None

    def start(self) -> None:
        """Start at once; superqt waits for the event loop, so for the canvas to be redrawn."""
        self._worker_set.add(self)  # as superqt does: kept alive, and waited for at the end
        self._finished.connect(self._set_discard)
        QThreadPool.globalInstance().start(self)

    def run(self) -> None:
        """Work; once the signals are gone nobody can be told, and an error goes to the log."""
        try:
            super().run()
        except RuntimeError:
            if isalive(self.signals):  # type: ignore[no-untyped-call]
                raise
            if self._error is not None and not isinstance(self._error, Cancelled):
                _log.error("work went on after closing, and failed", exc_info=self._error)

    def work(self) -> Any:  # noqa: ANN401 - whatever the work returns
        """Do the work, and keep its error."""
        try:
            return super().work()
        except Exception as error:
            self._error = error
            raise


class Job(QObject):
    """A function run in a worker; the signals arrive in the GUI thread.

    Parameters
    ----------
    work
        Takes a progress callback, called with (done, total), that raises
        :class:`Cancelled` once the user has cancelled.
    """

    progressed = Signal(int, int)
    returned = Signal(object)
    failed = Signal(object)
    cancelled = Signal()
    ended = Signal()

    def __init__(self, work: Callable[[Progress], Any]) -> None:
        super().__init__()
        self._work = work
        self._cancel = threading.Event()

    def start(self) -> None:
        """Hand the work to napari's thread pool."""
        # Not a generator: superqt swallows every RuntimeError of those, torch's included.
        ends: dict[str, Any] = {"returned": self._finish, "errored": self._fail}
        create_worker(self._run, _connect=ends, _worker_class=_Worker)

    def cancel(self) -> None:
        """Ask the work to stop at its next step."""
        self._cancel.set()

    def abandon(self) -> None:
        """Cancel, and tell nobody: whoever wanted the result is gone."""
        self.cancel()
        with suppress(RuntimeError):  # Qt, closing down, has deleted the signals already
            self.blockSignals(True)

    def _run(self) -> Any:  # noqa: ANN401 - whatever the work returns
        result = self._work(self._report)
        self._stop_if_cancelled()
        return result

    def _report(self, done: int, total: int) -> None:
        self._stop_if_cancelled()
        try:
            self.progressed.emit(done, total)
        except RuntimeError:
            if isalive(self):  # type: ignore[no-untyped-call]
                raise
            raise Cancelled from None  # napari is gone: whoever wanted the result, too

    def _stop_if_cancelled(self) -> None:
        if self._cancel.is_set():
            raise Cancelled

    def _finish(self, result: object) -> None:
        self.returned.emit(result)
        self._end()

    def _fail(self, error: Exception) -> None:
        if isinstance(error, Cancelled):
            self.cancelled.emit()
        else:
            self.failed.emit(error)
        self._end()

    def _end(self) -> None:
        self.ended.emit()
        # What is connected may refer to this job, and to a panel: Python alone frees neither. Not
        # before the work is done, abandoned or not: it still asks whether it shall go on.
        self.deleteLater()


class Jobs:
    """The jobs of a panel that are not done yet."""

    def __init__(self) -> None:
        self._running: set[Job] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(
        self,
        job: Job,
        then: Callable[[Any], None] | None = None,
        failed: Callable[[Exception], object] | None = None,
    ) -> None:
        """Start a job; what it returns goes to `then`, an error to `failed`."""
        self._running.add(job)
        job.ended.connect(partial(self._running.discard, job))
        if then is not None:
            job.returned.connect(then)
        if failed is not None:
            job.failed.connect(failed)
        job.start()

    def abandon(self) -> None:
        """Stop what still runs: whoever wanted the results is gone."""
        for job in self._running:
            job.abandon()
        self._running.clear()


class KeptSegmenter:
    """The segmenter of the last run: made again only when something else is wanted."""

    def __init__(self) -> None:
        self._made_for: tuple[str, str | Path, Mode] | None = None
        self._segmenter: Segmenter | None = None

    def get(self, device: str, model: str | Path, mode: Mode = "whole") -> Segmenter:
        """Segmenter for a device, a model and a mode; loads the weights if need be."""
        from napari_npa.segmentation import Segmenter

        if self._segmenter is None or self._made_for != (device, model, mode):
            self._segmenter = Segmenter(device, model, mode=mode)
            self._made_for = (device, model, mode)
        return self._segmenter


def segment_shown(
    shown: ShownImage,
    segmenter_of: Callable[[], Segmenter],
    previous: Segmentation | None,
    progress: Progress,
) -> tuple[Segmentation, float]:
    """Segment what an image layer shows; runs in a worker.

    Parameters
    ----------
    shown
        The image.
    segmenter_of
        Called here, because loading weights takes time.
    previous
        Result shown so far: its threshold is kept if the model is the same.
    progress
        Called with (done, total).

    Returns
    -------
    segmentation, seconds
        The result, and how long reading and segmenting took.
    """
    segmenter = segmenter_of()
    started = perf_counter()
    # In two-scale mode the tile network's hash follows; the threshold is the first one's.
    is_same_model = (
        previous is not None and previous.model_sha256.split("+")[0] == segmenter.model.sha256
    )
    segmentation = segmenter.segment(
        shown.angiogram(),
        threshold=previous.threshold if previous is not None and is_same_model else None,
        progress=progress,
    )
    return segmentation, perf_counter() - started


def save(
    folder: Path, snapshot: Snapshot, session: dict[str, Any] | None, progress: Progress
) -> tuple[Path, ...]:
    """Write a result as it was when the user pressed Save, and its row in the table of a batch.

    Runs in a worker.

    Parameters
    ----------
    session
        Record of the annotation, see :meth:`napari_npa.session.Session.as_record`.

    Raises
    ------
    SaveError
        The system refused.
    """
    from napari_npa.batch.corrected import put_back
    from napari_npa.results import write_result

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
        The system refused.
    """
    from napari_npa.batch.corrected import put_back
    from napari_npa.results import write_ungradable

    written = write_ungradable(folder, file_stem(angiogram), angiogram)
    put_back(folder, written.row)
    return written.files


def kept_annotation(
    shown: ShownImage, store: AnnotationStore, progress: Progress
) -> Annotation | None:
    """Annotation kept of the image that a layer shows; runs in a worker.

    Raises
    ------
    AngiogramError
        What is shown is not an angiogram.
    AnnotationError
        There is one, but it cannot be used.
    """
    angiogram = shown.angiogram()
    shape = (angiogram.pixels.shape[0], angiogram.pixels.shape[1])
    annotation = store.load(angiogram.sha256, shape)
    return annotation if annotation is not None and annotation.session.number else None


def unsaved_file(store: AnnotationStore, progress: Progress) -> Summary | None:
    """Newest annotation that was not saved and whose image is still where it was."""
    return next((kept for kept in store.unsaved() if kept.source and kept.source.exists()), None)


def open_file(path: Path, progress: Progress) -> LayerData:
    """Read an angiogram for the viewer; runs in a worker.

    Raises
    ------
    AngiogramError
        Not an angiogram.
    """
    return layer_of(path, path.stem)


def models_and_devices(progress: Progress) -> tuple[list[str], list[str]]:
    """Names of the embedded models, and of the devices of this machine; imports torch."""
    from napari_npa.devices import present_devices
    from napari_npa.weights import embedded_models

    return embedded_models(), ["auto", *present_devices()]
