"""Saves results in a worker, and asks before a person's work or another file is replaced."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QMessageBox, QWidget

from napari_npa.errors import ReplaceError
from napari_npa.plugin.qt.jobs import Job, Jobs

if TYPE_CHECKING:  # imports torch
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


def may_replace(panel: QWidget, error: ReplaceError) -> bool:
    """Ask whether what an error names may be replaced."""
    yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
    answer = QMessageBox.question(panel, "Replace?", f"{error}\n\nReplace it?", yes | no, no)
    return bool(answer == yes)
