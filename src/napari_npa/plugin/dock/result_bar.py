"""The bar below the tabs: the ischemic index, who corrects, and the button that saves."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari.viewer import Viewer
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout

from napari_npa.errors import ReplaceError
from napari_npa.plugin.layers.live_index import LiveIndex
from napari_npa.plugin.layers.result_layers import ImageResult, results_of
from napari_npa.plugin.look.controls import LookControls
from napari_npa.plugin.qt.jobs import Jobs
from napari_npa.plugin.qt.messages import tell
from napari_npa.plugin.qt.panel import Panel
from napari_npa.plugin.qt.remembered import remember, remembered
from napari_npa.plugin.qt.status_label import StatusLabel
from napari_npa.plugin.recording.recorder import annotations_of
from napari_npa.plugin.recording.saving import save_shown

if TYPE_CHECKING:
    from napari_npa.results.saved import SavedResult

SAVE = "Write the masks, as corrected, and the measures to a folder."

NOTHING_TO_SAVE = "There is no result on screen: press Run in the tab Segment first."


ANNOTATOR = "annotator"
"""Key under which the annotator is remembered."""


class ResultBar(Panel):
    """Shows the index of the result that the user works on, and saves it.

    Parameters
    ----------
    viewer
        Viewer of the result.

    Attributes
    ----------
    result
        The result that the user works on; None: none.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.results = results_of(viewer)
        self.annotations = annotations_of(viewer)
        self.jobs = Jobs()
        self.result: ImageResult | None = None
        self._is_said_saved = False
        self._build()
        self._lay_out()
        self.save.clicked.connect(self.ask_and_save)
        self.who.textChanged.connect(self._name_annotator)
        self.who.editingFinished.connect(self._remember_annotator)
        self.connections.connect(self.results.chosen, self._follow)
        self.connections.connect(self.annotations.changed, self._show_unsaved)
        self.destroyed.connect(self.jobs.abandon)
        self.who.setText(remembered(ANNOTATOR))
        self._follow()

    def _build(self) -> None:
        self.look = LookControls()
        self.index = LiveIndex()
        self.who = QLineEdit()
        self.who.setPlaceholderText("optional")
        self.who.setToolTip(
            "Who corrects, for the record that is saved; never the patient. It is remembered."
        )
        self.save = QPushButton("Save…")
        self.status = StatusLabel(explained="What was saved last, and where.")

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(QLabel("Annotator"))
        row.addWidget(self.who, 1)
        row.addWidget(self.save)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(9, 4, 9, 4)
        layout.addWidget(self.look)
        layout.addWidget(self.index)
        layout.addLayout(row)
        layout.addWidget(self.status)
        self.say("")

    def _follow(self) -> None:
        """Turn to the result that is worked on now."""
        result = self.results.current
        if result is not self.result:
            self.say("")
        self.result = result
        self.index.follow(result)
        self.look.follow(result)
        self.save.setEnabled(result is not None)
        self.save.setToolTip(SAVE if result is not None else NOTHING_TO_SAVE)
        self._show_unsaved()

    def _name_annotator(self, name: str) -> None:
        self.annotations.who = name.strip()

    def _remember_annotator(self) -> None:
        remember(ANNOTATOR, self.annotations.who)

    def ask_and_save(self) -> None:
        """Ask for a folder and write the result there, in a worker."""
        if self.result is None:
            return
        folder = QFileDialog.getExistingDirectory(self, "Folder for the result")
        if folder:
            self.say("Saving…")
            result = self.result
            then = partial(self._show_saved, result)
            save_shown(
                self.jobs, result, Path(folder), self.annotations, then, self._fail_to_save, self
            )

    def _show_saved(self, result: ImageResult, saved: SavedResult) -> None:
        names = ", ".join(file.name for file in saved.files)
        self.say(f"Saved in {saved.base.parent}: {names}")
        self._is_said_saved = True
        self._show_unsaved()

    def _show_unsaved(self) -> None:
        """Show whether the result has changes that no saved file holds."""
        result = self.result
        is_unsaved = result is not None and self.annotations.is_unsaved(result)
        self.save.setText("Save… (unsaved)" if is_unsaved else "Save…")
        if is_unsaved and self._is_said_saved:
            assert result is not None
            self.say(f"Changed since it was saved in {result.folder}.")

    def _fail_to_save(self, error: Exception) -> None:
        kept = isinstance(error, ReplaceError)
        self.say(f"Not saved. {error}" if kept else tell(error))

    def say(self, line: str) -> None:
        """Show a line of status; empty: none."""
        self._is_said_saved = False
        self.status.setText(line)
        self.status.setVisible(bool(line))
