"""Controls of the panel that goes through a folder, in the order of use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from qtpy.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from qtpy.QtGui import QFont
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListView,
    QPushButton,
    QVBoxLayout,
)

from napari_npa.plugin.qt.folder_label import FolderLabel
from napari_npa.plugin.qt.keys import REVIEW_KEYS, in_words
from napari_npa.plugin.qt.model_choice import ModeBox, ModelBox
from napari_npa.plugin.qt.panel import Panel
from napari_npa.plugin.qt.scrolling import fill_scrolling
from napari_npa.plugin.qt.status_label import StatusLabel

if TYPE_CHECKING:  # imports torch
    from napari_npa.review.queue import ReviewQueue, State

MARKS: dict[State | Literal["ungradable"], str] = {
    "to do": "○",
    "edited": "✎",
    "approved": "✓",
    "ungradable": "⊘",
    "unreadable": "✗",
}
"""Mark in front of an image's name, by its state."""

CHOOSE_IMAGES = "Choose a folder of angiograms."

FROM_NOW_ON = "Holds for images that are not segmented yet."


class ImageList(QAbstractListModel):
    """The images of a queue with their marks; reads the states of visible rows only."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._queue: ReviewQueue | None = None

    def list_images_of(self, queue: ReviewQueue) -> None:
        """List another queue."""
        self.beginResetModel()
        self._queue = queue
        self.endResetModel()

    def rowCount(self, parent: Any = None) -> int:  # noqa: ANN401, N802, D102 - Qt's
        return len(self._queue) if self._queue is not None else 0

    def data(  # noqa: D102 - Qt's
        self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:  # noqa: ANN401
        if self._queue is None or not index.isValid():
            return None
        at = index.row()
        name, is_present = self._queue.names[at], at == self._queue.position
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{MARKS[self._grade(at)]}  {name}"
        if role == Qt.ItemDataRole.ToolTipRole:
            line = f"{name}: {self._grade(at)}{', present image' * is_present}"
            return "\n".join(filter(None, [line, self._queue.reason(at)]))
        if role == Qt.ItemDataRole.FontRole and is_present:
            font = QFont()
            font.setBold(True)
            return font
        return None

    def _grade(self, at: int) -> State | Literal["ungradable"]:
        assert self._queue is not None
        state = self._queue.state(at)
        # The record is read for the images on screen only.
        is_graded = state == "approved" and self._queue.is_ungradable(at)
        return "ungradable" if is_graded else state


class ReviewControls(Panel):
    """The controls, named, explained and laid out; what they do is the panel's."""

    def __init__(self) -> None:
        super().__init__()
        self._build()
        self._lay_out()

    def show_place(
        self, queue: ReviewQueue | None, busy: bool, is_shown: bool, has_result: bool
    ) -> None:
        """Show the state of a queue, and enable the controls that work.

        Parameters
        ----------
        queue
            None: no folder is open.
        busy
            Nothing can be opened now.
        is_shown
            The present image is in the viewer.
        has_result
            It has masks that can be approved.
        """
        ready = queue is not None and not busy
        self.previous.setEnabled(ready and queue is not None and queue.previous is not None)
        self.next.setEnabled(ready and queue is not None and queue.next is not None)
        self.next_to_do.setEnabled(ready)
        self.approve_button.setEnabled(ready and has_result)
        self.ungradable_button.setEnabled(ready and is_shown)
        self.choose_images.setEnabled(not busy)
        self.choose_output.setEnabled(ready)
        self.recursive.setEnabled(not busy)
        if queue is not None and not busy:
            self.recursive.setChecked(queue.recursive)
        if queue is not None:
            unreadable = f", {queue.unreadable} unreadable" if queue.unreadable else ""
            self.count.setText(
                f"{queue.position + 1} of {len(queue)}, {queue.approved} approved{unreadable}"
            )
            self.list.viewport().update()  # reads the states of visible rows again
            self.list.setCurrentIndex(self.list_model.index(queue.position))

    def _build(self) -> None:
        self.choose_images = QPushButton("Images…")
        self.choose_images.setToolTip("Choose the folder of angiograms to go through.")
        self.choose_output = QPushButton("Results…")
        self.choose_output.setToolTip(
            "Choose the folder that masks are saved in, and where approvals are kept.\n"
            "Until then it is the folder npa_results in that of the images."
        )
        self.images_folder = FolderLabel("Folder of angiograms.")
        self.output_folder = FolderLabel("Folder of results.")
        self.recursive = QCheckBox("subfolders too")
        self.recursive.setToolTip(
            "Go through the folders in this one as well; the results get the same subfolders."
        )
        self.models = ModelBox()
        self.modes = ModeBox(self.models)
        for control in (self.models, self.modes):
            control.setToolTip(f"{control.toolTip()}\n{FROM_NOW_ON}")
        self.count = QLabel()
        self.count.setToolTip(
            "Place of the present image, and how many are approved, ungradable ones included."
        )
        self.list_model = ImageList(self)
        self.list = QListView()
        self.list.setModel(self.list_model)
        self.list.setUniformItemSizes(True)
        self.list.setToolTip("Click an image to open it.")
        self.legend = QLabel("   ".join(f"{mark} {state}" for state, mark in MARKS.items()))
        self.legend.setToolTip("Marks of the list.")
        self.legend.setWordWrap(True)
        self.previous = QPushButton("Previous")
        self.previous.setToolTip("Save corrections, and open the image before this one (Shift+B).")
        self.next = QPushButton("Next")
        self.next.setToolTip("Save corrections, and open the image after this one (Shift+N).")
        self.next_to_do = QPushButton("Next to do")
        self.next_to_do.setToolTip(
            "Save corrections, and open the next image that is to do; when none is left, the\n"
            "next that is edited but not approved."
        )
        self.approve_button = QPushButton("Approve")
        self.approve_button.setToolTip(
            "Save the masks as they are, mark the image as approved, and go to the next to do\n"
            "(Shift+Y). Correcting an approved image withdraws the approval."
        )
        self.ungradable_button = QPushButton("Ungradable")
        self.ungradable_button.setToolTip(
            "No part of the image can be judged: write that into its record, without masks and\n"
            "index, mark it as done, and go to the next to do. Approve takes it back."
        )
        self.keys = QLabel(in_words(REVIEW_KEYS))
        self.keys.setToolTip("Keys that work while the image has the focus.")
        self.status = StatusLabel(CHOOSE_IMAGES)

    def _lay_out(self) -> None:
        folders = QFormLayout()
        folders.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        folders.addRow(self.choose_images, self.images_folder)
        folders.addRow(self.choose_output, self.output_folder)
        folders.addRow("", self.recursive)
        folders.addRow("Model", self.models)
        folders.addRow("", self.modes)
        moves = QHBoxLayout()
        for button in (self.previous, self.next, self.next_to_do):
            moves.addWidget(button)
        layout = QVBoxLayout()
        layout.addLayout(folders)
        layout.addWidget(self.count)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.legend)
        layout.addLayout(moves)
        decisions = QHBoxLayout()
        decisions.addWidget(self.approve_button, 2)
        decisions.addWidget(self.ungradable_button, 1)
        layout.addLayout(decisions)
        layout.addWidget(self.status)
        layout.addWidget(self.keys)
        fill_scrolling(self, layout)
