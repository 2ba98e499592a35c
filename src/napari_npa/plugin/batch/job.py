"""Runs a batch in a worker."""

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
    from napari_npa.types import FieldChoice, Mode, Progress


@dataclass(frozen=True)
class BatchChoices:
    """The user's choices for a batch.

    Attributes
    ----------
    images, output
        Folders.
    model, mode, probability, field_of_view
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
    field_of_view: FieldChoice = "auto"


class BatchJob(Job):
    """A run of a batch; when cancelled, it finishes the current images and reports.

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
        """Stop the batch after the images that are being segmented."""
        self._stop.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether the batch was asked to stop."""
        return self._stop.is_set()

    def take(self) -> list[Finished]:
        """Images that were finished since the last call."""
        return [self._finished.popleft() for _ in range(len(self._finished))]


def _run(
    choices: BatchChoices, finished: deque[Finished], stop: threading.Event, progress: Progress
) -> BatchReport:
    from napari_npa.batch import BatchOptions, run_batch

    pool = QThreadPool.globalInstance()
    # A batch waits for its own threads, for hours; other jobs must not lose a thread by that.
    pool.releaseThread()
    try:
        return run_batch(
            choices.images,
            choices.output,
            BatchOptions(
                choices.model,
                choices.mode,
                probability=choices.probability,
                field_of_view=choices.field_of_view,
            ),
            device=choices.device,
            recursive=choices.recursive,
            pattern=choices.pattern,
            resume=choices.resume,
            on_finished=finished.append,
            stop=stop,
        )
    finally:
        pool.reserveThread()
