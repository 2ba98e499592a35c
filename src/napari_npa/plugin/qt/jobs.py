"""Jobs that run off the GUI thread, report progress and can be cancelled."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QThreadPool

from napari_npa.errors import Cancelled
from napari_npa.plugin.qt.gui_thread import GuiGoneError, call_in_gui

if TYPE_CHECKING:  # torch is imported in the worker only: it takes seconds
    from napari_npa.types import Progress

_log = logging.getLogger(__name__)


class Job:
    """A function that runs in a thread of Qt's pool; its callbacks run in the GUI thread.

    A job is not a Qt object: two threads hold it, and Qt objects must be deleted in the thread
    that made them.

    Parameters
    ----------
    work
        Takes a progress callback. The work calls it with (done, total), and it raises
        :class:`Cancelled` once the user has cancelled.

    Attributes
    ----------
    on_progress
        Called with (done, total).
    on_return
        Called with what the work returned.
    on_failure
        Called with the error of the work.
    on_cancel
        Called if the work was cancelled.
    on_end
        Called last, whatever the outcome.
    """

    def __init__(self, work: Callable[[Progress], Any]) -> None:
        self._work: Callable[[Progress], Any] | None = work
        self._cancel = threading.Event()
        self.on_progress: list[Callable[[int, int], object]] = []
        self.on_return: list[Callable[[Any], object]] = []
        self.on_failure: list[Callable[[Exception], object]] = []
        self.on_cancel: list[Callable[[], object]] = []
        self.on_end: list[Callable[[], object]] = []

    @property
    def is_done(self) -> bool:
        """Whether the work has ended, whatever the outcome."""
        return self._work is None

    def start(self) -> None:
        """Start in the thread pool that napari waits for when it closes."""
        QThreadPool.globalInstance().start(self._run)

    def cancel(self) -> None:
        """Ask the work to stop at its next step."""
        self._cancel.set()

    def abandon(self) -> None:
        """Cancel, and call nobody back: whoever wanted the result is gone."""
        self.cancel()
        self._let_go()

    def _run(self) -> None:
        assert self._work is not None
        try:
            result = self._work(self._report)
            self._stop_if_cancelled()
        except Exception as error:
            self._end_in_gui(self._fail, error)
        else:
            self._end_in_gui(self._finish, result)

    def _end_in_gui(self, end: Callable[[Any], None], outcome: Any) -> None:  # noqa: ANN401
        try:
            call_in_gui(partial(end, outcome))
        except GuiGoneError:
            if isinstance(outcome, Exception) and not isinstance(outcome, Cancelled):
                _log.error("a job went on after napari was closed, and failed", exc_info=outcome)

    def _report(self, done: int, total: int) -> None:
        self._stop_if_cancelled()
        if not self.on_progress:
            return
        try:
            call_in_gui(partial(_call, self.on_progress, done, total))
        except GuiGoneError:
            raise Cancelled from None  # whoever wanted the result is gone as well

    def _stop_if_cancelled(self) -> None:
        if self._cancel.is_set():
            raise Cancelled

    def _finish(self, result: object) -> None:
        self._end(self.on_return, result)

    def _fail(self, error: Exception) -> None:
        if isinstance(error, Cancelled):
            self._end(self.on_cancel)
        else:
            self._end(self.on_failure, error)

    def _end(self, functions: Iterable[Callable[..., object]], *outcome: object) -> None:
        self._work = None
        try:
            _call(functions, *outcome)
        finally:
            _call(self.on_end)
            self._let_go()

    def _let_go(self) -> None:
        # Else the worker's thread could hold the last reference to a panel, and delete it.
        for functions in (
            self.on_progress,
            self.on_return,
            self.on_failure,
            self.on_cancel,
            self.on_end,
        ):
            functions.clear()


def _call(functions: Iterable[Callable[..., object]], *arguments: object) -> None:
    for function in tuple(functions):
        function(*arguments)


class Jobs:
    """The unfinished jobs of a panel.

    Attributes
    ----------
    running
        The jobs themselves.
    """

    def __init__(self) -> None:
        self.running: set[Job] = set()

    def __len__(self) -> int:
        return len(self.running)

    def start(
        self,
        job: Job,
        then: Callable[[Any], None] | None = None,
        failed: Callable[[Exception], object] | None = None,
    ) -> None:
        """Start a job; pass what it returns to `then`, or its error to `failed`."""
        self.running.add(job)
        job.on_end.append(partial(self.running.discard, job))
        if then is not None:
            job.on_return.append(then)
        if failed is not None:
            job.on_failure.append(failed)
        job.start()

    def abandon(self) -> None:
        """Abandon the jobs that still run: whoever wanted the results is gone."""
        for job in self.running:
            job.abandon()
        self.running.clear()
