"""Saves results in a worker, and asks before a person's work or another file is replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QMessageBox, QWidget

from napari_npa.errors import ReplaceError
from napari_npa.plugin.qt.jobs import Job, Jobs
from napari_npa.plugin.recording.work import save

if TYPE_CHECKING:  # imports torch
    from pathlib import Path

    from napari_npa.plugin.layers.result_layers import ImageResult
    from napari_npa.plugin.recording.recorder import Annotations
    from napari_npa.results.saved import SavedResult
    from napari_npa.types import Progress

    Write = Callable[[bool, Progress], SavedResult]


def start_saving(
    jobs: Jobs,
    write: Write,
    then: Callable[[SavedResult], None],
    failed: Callable[[Exception], object],
    panel: QWidget,
) -> None:
    """Save in a worker; where something is in the way, ask and save again.

    Parameters
    ----------
    jobs
        Those of the panel.
    write
        Takes whether to replace what is in the way, and a progress callback.
    then
        Called with what was saved.
    failed
        Called with the error; with a :class:`ReplaceError` if the user keeps what is there.
    panel
        Asks.
    """

    def refused(error: Exception) -> None:
        if isinstance(error, ReplaceError) and may_replace(panel, error):
            jobs.start(Job(partial(write, True)), then, failed)
        else:
            failed(error)

    jobs.start(Job(partial(write, False)), then, refused)


def save_shown(
    jobs: Jobs,
    result: ImageResult,
    folder: Path,
    annotations: Annotations,
    then: Callable[[SavedResult], None],
    failed: Callable[[Exception], object],
    panel: QWidget,
) -> None:
    """Save a result as its layers show it now, and note that it is saved.

    Parameters
    ----------
    jobs, then, failed, panel
        As for :func:`start_saving`.
    result, folder
        What, and where.
    annotations
        Those of the viewer, with the log of edits.
    """

    def saved(written: SavedResult) -> None:
        result.basis = written.written_identity
        annotations.saved(result, written.base.parent)
        then(written)

    session = annotations.as_record(result)
    snapshot = replace(result.snapshot(), session=session)
    start_saving(jobs, partial(save, folder, snapshot), saved, failed, panel)


def may_replace(panel: QWidget, error: ReplaceError) -> bool:
    """Ask whether what an error names may be replaced."""
    yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
    answer = QMessageBox.question(panel, "Replace?", f"{error}\n\nReplace it?", yes | no, no)
    return bool(answer == yes)
