"""The controls of the panel that segments, in the order of use."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import create_widget
from qtpy.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
)

from napari_npa.plugin.qt.field_of_view_box import FieldOfViewBox
from napari_npa.plugin.qt.model_choice import DeviceBox, ModeBox, ModelBox
from napari_npa.plugin.qt.panel import Panel
from napari_npa.plugin.qt.scrolling import fill_scrolling
from napari_npa.plugin.qt.slider import Slider
from napari_npa.plugin.qt.status_label import StatusLabel

THRESHOLDS = (0.05, 0.95)
THRESHOLD_STEP = 0.01


class SegmentControls(Panel):
    """Names, explains and lays out the controls; the panel decides what they do."""

    def __init__(self) -> None:
        super().__init__()
        self._build()
        self._lay_out()

    def _build(self) -> None:
        self.images: Any = create_widget(annotation="napari.layers.Image")
        self.images.tooltip = "Image layer to segment: one gray fluorescein angiogram."
        self.open = QPushButton("Open…")
        self.open.setToolTip(
            "Open an angiogram by its content: TIFF, PNG or JPEG, whatever its name ends in."
        )
        self.models = ModelBox()
        self.modes = ModeBox(self.models)
        self.fields = FieldOfViewBox()
        self.devices = DeviceBox()
        self.run = QPushButton("Run")
        self.run.setToolTip("Find the gradable retina and the non-perfused areas in it.")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop the run at its next step; nothing is changed.")
        self.progress = QProgressBar()
        self.progress.setToolTip("Steps of the run.")
        self.threshold = Slider()
        self.threshold.setRange(*THRESHOLDS)
        self.threshold.setSingleStep(THRESHOLD_STEP)  # type: ignore[arg-type]  # stub of int slider
        self.threshold.setDecimals(2)
        self.threshold.setToolTip(
            "Probability from which a pixel counts as non-perfused; lower finds more.\n"
            "Only pixels between the old and the new threshold change: strokes elsewhere stay."
        )
        self.correct = QPushButton("Correct…")
        self.correct.setToolTip("Go on to the tab that corrects the areas with the mouse.")
        self.load_masks = QPushButton("Load masks…")
        self.load_masks.setToolTip(
            "Put a saved mask, or both masks of a saved result, into the layers; Ctrl+Z takes\n"
            "them back."
        )
        for button in (self.correct, self.load_masks):
            button.hide()
        self.status = StatusLabel()

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.run, 2)
        buttons.addWidget(self.cancel, 1)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        choice = QHBoxLayout()
        choice.addWidget(self.images.native, 3)
        choice.addWidget(self.open, 1)
        form.addRow("Angiogram", choice)
        form.addRow("Model", self.models)
        form.addRow("", self.modes)
        form.addRow("Field of view", self.fields)
        form.addRow("Device", self.devices)
        form.addRow(buttons)
        form.addRow(self.progress)
        form.addRow("Threshold", self.threshold)
        # A long name must not widen the dock.
        for box in (self.images.native, self.models):
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        layout = QVBoxLayout()
        layout.addLayout(form)
        layout.addWidget(self.status)
        next_steps = QHBoxLayout()
        next_steps.addWidget(self.correct)
        next_steps.addWidget(self.load_masks)
        layout.addLayout(next_steps)
        layout.addStretch()
        fill_scrolling(self, layout)
