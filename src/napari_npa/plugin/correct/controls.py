"""Controls of the panel that corrects, in the order of use."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_npa.models.names import TILE
from napari_npa.plugin.qt.keys import CORRECT_KEYS, in_words
from napari_npa.plugin.qt.model_choice import ModelBox
from napari_npa.plugin.qt.panel import Panel
from napari_npa.plugin.qt.scrolling import fill_scrolling
from napari_npa.plugin.qt.slider import Slider
from napari_npa.plugin.qt.status_label import StatusLabel
from napari_npa.refine import NEUTRAL, TOOLS, Action
from napari_npa.types import Target

# Titles on the screen, and explanations, by the ids that everything else uses.

TARGETS: dict[Target, str] = {"npa": "Non-perfusion", "retina": "Gradable retina"}

ACTIONS: dict[Action, tuple[str, str]] = {
    "add": ("Add", "Add what the tool finds inside the shape."),
    "replace": ("Replace", "Inside the shape, put what the tool finds in place of the mask."),
    "remove": ("Remove", "Clear the mask inside the shape; no tool is needed."),
    "certain": ("Trim", "Inside the shape, take away what the tool does not find; add nothing."),
}

SHAPES = {
    "rectangle": ("Rectangle", "Draw a rectangle with the mouse over a doubtful place."),
    "ellipse": ("Ellipse", "Draw an ellipse with the mouse over a doubtful place."),
    "polygon": (
        "Polygon",
        "Click the corners of a shape around a doubtful place; a double click ends it,\n"
        "Escape drops it.",
    ),
    "lasso": ("Lasso", "Draw freely around a doubtful place."),
}


class CorrectControls(Panel):
    """The controls with their names, tooltips and layout; the panel decides what they do."""

    def __init__(self) -> None:
        super().__init__()
        self._build_choices()
        self._build_mouse()
        self._build_rest()
        self._lay_out()

    def _build_choices(self) -> None:
        self.targets = QComboBox()
        for target, name in TARGETS.items():
            self.targets.addItem(name, target)
        self.targets.setToolTip(
            "Which of the two masks is corrected. napari's brush, eraser and fill correct\n"
            "whichever layer is selected."
        )
        self.tools = QComboBox()
        self.tools.setToolTip("How it is found inside a shape; each entry explains itself.")
        for tool in TOOLS.values():
            if tool.takes == "shape":
                self.tools.addItem(tool.title, tool.id)
                at = self.tools.count() - 1
                self.tools.setItemData(at, tool.explanation, Qt.ItemDataRole.ToolTipRole)
        self.action_group = QButtonGroup(self)
        self.action_buttons: dict[Action, QPushButton] = {}
        for action, (name, explained) in ACTIONS.items():
            button = _switch(name, explained)
            self.action_group.addButton(button)
            self.action_buttons[action] = button
        self.action_buttons["replace"].setChecked(True)

    def _build_mouse(self) -> None:
        self.drawing = {shape: _switch(*texts) for shape, texts in SHAPES.items()}
        self.grow = _switch(
            TOOLS["grow"].title,
            f"{TOOLS['grow'].explanation}\n"
            "Click on a dark place to add the region; Shift-click takes it away.",
        )
        self.instant = QCheckBox("when it is drawn")
        self.instant.setChecked(True)
        self.instant.setToolTip(
            "Correct as soon as a shape is finished, and remove the shape.\n"
            "Otherwise draw several shapes, then press Apply."
        )
        self.apply = QPushButton("Apply")
        self.apply.setToolTip("Correct inside all shapes drawn; one step to undo.")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop the correction that is being computed; nothing is changed.")

    def _build_rest(self) -> None:
        self.sensitivity = Slider()
        self.sensitivity.setRange(0.01, 0.99)
        self.sensitivity.setSingleStep(0.01)  # type: ignore[arg-type]  # stub of int slider
        self.sensitivity.setDecimals(2)
        self.sensitivity.setValue(NEUTRAL)
        self.sensitivity.setToolTip(
            "How much the last correction finds; drag to see it change. 0.5 is the tool's own\n"
            "decision. Off once something else was changed there."
        )
        self.uncertainty = QCheckBox("show uncertainty")
        self.uncertainty.setToolTip("A layer that is bright where the network was unsure.")
        self.previous_doubtful = QPushButton("Previous")
        self.previous_doubtful.setToolTip(
            "Show the place before this one where the network was unsure (Shift+J)."
        )
        self.next_doubtful = QPushButton("Next")
        self.next_doubtful.setToolTip(
            "Show the next place where the network was unsure, in a white frame; that with the\n"
            "largest expected effect on the ischemic index first (Shift+U)."
        )
        self.back = QPushButton("Back")
        self.back.setToolTip("Show what was in view before the doubtful places; no frame.")
        self.models = ModelBox([TILE])
        self.models.setToolTip(
            f"Weights of the tool '{TOOLS['network'].title}': those of the package, or a file\n"
            "of your own."
        )
        self.log = QLabel()
        self.log.setWordWrap(True)
        self.log.setToolTip(
            "Your corrections of this image, and the time you worked on it: pauses of more than a\n"
            "minute do not count. After each one, the masks are kept in a recovery file."
        )
        self.keys = QLabel(in_words(CORRECT_KEYS) + "\nCtrl+Z: undo; Ctrl+Shift+Z: redo")
        self.keys.setToolTip("Keys that work while the image has the focus.")
        self.status = StatusLabel()

    def _lay_out(self) -> None:
        actions = QGridLayout()
        for at, button in enumerate(self.action_buttons.values()):
            actions.addWidget(button, at // 2, at % 2)
        drawing = QGridLayout()
        for at, button in enumerate(self.drawing.values()):
            drawing.addWidget(button, at // 2, at % 2)
        when = QHBoxLayout()
        for widget in (self.apply, self.cancel):
            when.addWidget(widget)
        doubt = QHBoxLayout()
        for button in (self.previous_doubtful, self.next_doubtful, self.back):
            doubt.addWidget(button)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Correct", self.targets)
        form.addRow("Find with", self.tools)
        form.addRow("Then", actions)
        form.addRow("Inside a", drawing)
        form.addRow("Apply", self.instant)
        form.addRow("", when)
        form.addRow("Or", self.grow)
        form.addRow("Sensitivity", self.sensitivity)
        form.addRow("Doubt", self.uncertainty)
        form.addRow("", doubt)
        advanced = QCollapsible("Advanced")
        choice = QFormLayout()
        choice.addRow("Network", self.models)
        content = QWidget()
        content.setLayout(choice)
        advanced.setContent(content)
        layout = QVBoxLayout()
        layout.addLayout(form)
        for shown in (self.status, self.log, self.keys):
            layout.addWidget(shown)
        layout.addWidget(advanced)
        layout.addStretch()
        fill_scrolling(self, layout)


def _switch(name: str, explained: str) -> QPushButton:
    button = QPushButton(name)
    button.setCheckable(True)
    button.setToolTip(explained)
    return button
