"""Asks before napari's window closes over corrections that are not saved."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import ref

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QFileDialog, QMainWindow, QMessageBox

from napari_npa.plugin.qt.jobs import Jobs
from napari_npa.plugin.qt.messages import tell
from napari_npa.plugin.recording.recorder import CLOSING_SECONDS, annotations_of
from napari_npa.plugin.recording.saving import save_shown

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_npa.plugin.layers.result_layers import ImageResult
    from napari_npa.results.saved import SavedResult

UNSAVED = (
    "Corrections of {} are not saved.\n\n"
    "Save: write them, then close.\n"
    "Discard: close without saving. They stay on this computer and are offered the next time."
)


def guard_closing(viewer: Viewer) -> None:
    """Have a viewer's window ask before it closes; once is enough.

    A program that closes its viewer is not asked: napari removes the layers first.
    """
    window = viewer.window._qt_window
    if window.findChild(CloseGuard) is None:
        CloseGuard(viewer, window)


class CloseGuard(QObject):
    """Watches the window of a viewer.

    Parameters
    ----------
    viewer
        The viewer; it is not kept alive.
    window
        Its window, with which Qt deletes this object.
    """

    def __init__(self, viewer: Viewer, window: QMainWindow) -> None:
        super().__init__(window)
        self._viewer = ref(viewer)
        self._window = ref(window)
        self.jobs = Jobs()
        self._unsaved: list[ImageResult] = []
        self._folder: Path | None = None
        self.destroyed.connect(self.jobs.abandon)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Stop the closing if the user wants to stay, or to save first."""
        if event.type() != QEvent.Type.Close or self._may_close():
            return False
        event.ignore()
        return True

    def _may_close(self) -> bool:
        viewer, window = self._viewer(), self._window()
        if viewer is None or window is None or self._unsaved:  # it is saving already
            return not self._unsaved
        annotations = annotations_of(viewer)
        unsaved = annotations.unsaved(viewer)
        if not unsaved:
            return True
        names = ", ".join(f"'{result.shown.image.name}'" for result in unsaved)
        button = QMessageBox.StandardButton
        answer = QMessageBox.question(
            window,
            "Close napari?",
            UNSAVED.format(names),
            button.Save | button.Discard | button.Cancel,
            button.Save,
        )
        if answer == button.Discard:
            annotations.flush(CLOSING_SECONDS)
            return True
        if answer == button.Save:
            self._unsaved, self._folder = unsaved, None
            self._save_next()
        return False

    def _save_next(self) -> None:
        """Save what is left, one after the other, and then close the window."""
        viewer, window = self._viewer(), self._window()
        if viewer is None or window is None:
            return
        if not self._unsaved:
            any_window: Any = window
            any_window.close(quit_app=getattr(window, "_quit_app", False))  # as it was asked to
            return
        result = self._unsaved[0]
        folder = result.folder or self._folder or self._asked_folder(window)
        if folder is None:
            self._unsaved = []
            return
        done = partial(self._saved, result)
        save_shown(self.jobs, result, folder, annotations_of(viewer), done, self._fail, window)

    def _asked_folder(self, window: QMainWindow) -> Path | None:
        folder = QFileDialog.getExistingDirectory(window, "Folder for the results")
        self._folder = Path(folder) if folder else None
        return self._folder

    def _saved(self, result: ImageResult, saved: SavedResult) -> None:
        self._unsaved.remove(result)
        self._save_next()

    def _fail(self, error: Exception) -> None:
        self._unsaved = []
        tell(error)
