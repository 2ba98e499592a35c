"""A batch that runs in a worker."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QThreadPool

from napari_npa.plugin.qt.jobs import Job

if TYPE_CHECKING:  # torch is imported in the worker only: it takes seconds
    from napari_npa.batch import BatchReport, Finished
    from napari_npa.types import Mode, Progress


@dataclass(frozen=True)
class BatchChoices:
    """What the user chose for a batch.

    Attributes
    ----------
    images, output
        Folders.
    model, mode, probability
        As for :class:`napari_npa.batch.BatchOptions`.
    device, recursive, pattern, resume
        As for :func:`napari_npa.batch.run_batch`.
    """

    images: Path
    output: Path
    model: str
    mode: Mode
    probability: bool
    device: str
    recursive: bool
    pattern: str | None
    resume: bool


class BatchJob(Job):
    """A run of a batch; cancelled, it ends after the images in hand, with a report of these.

    Parameters
    ----------
    choices
        What to segment, and how.
    """

    def __init__(self, choices: BatchChoices) -> None:
        self._stop = threading.Event()
        self._finished: deque[Finished] = deque()
        super().__init__(partial(_run, choices, self._finished, self._stop))

    def cancel(self) -> None:
        """Ask the batch to stop after the images in hand."""
        self._stop.set()

    def take(self) -> list[Finished]:
        """Images that were done since the last call."""
        return [self._finished.popleft() for _ in range(len(self._finished))]


def _run(
    choices: BatchChoices, finished: deque[Finished], stop: threading.Event, progress: Progress
) -> BatchReport:
    from napari_npa.batch import BatchOptions, run_batch

    pool = QThreadPool.globalInstance()
    # A batch waits for its own threads, for hours: the other jobs shall not have one less.
    pool.releaseThread()
    try:
        return run_batch(
            choices.images,
            choices.output,
            BatchOptions(choices.model, choices.mode, probability=choices.probability),
            device=choices.device,
            recursive=choices.recursive,
            pattern=choices.pattern,
            resume=choices.resume,
            on_finished=finished.append,
            stop=stop,
        )
    finally:
        pool.reserveThread()
