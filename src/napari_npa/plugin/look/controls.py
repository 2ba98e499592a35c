"""Controls of how the non-perfused areas look."""

from __future__ import annotations

from napari.layers import Labels
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSlider, QWidget
from superqt.utils import signals_blocked

from napari_npa.plugin.layers.result_layers import ImageResult
from napari_npa.plugin.look.look import Look
from napari_npa.plugin.qt.panel import Connections


class LookControls(QWidget):
    """A button for fill or outline, and a slider for the opacity.

    They show the look of the layer, which napari's own controls may change as well.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layer: Labels | None = None
        self._connections = Connections(self)
        self.outlined = QPushButton("Outline")
        self.outlined.setCheckable(True)
        self.outlined.setToolTip(
            "Show the outlines of the non-perfused areas only, or fill them.\n"
            "Shift+H hides them altogether."
        )
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setToolTip("How opaque the non-perfused areas are drawn; left: see-through.")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel("Opacity"))
        layout.addWidget(self.opacity, 1)
        layout.addWidget(self.outlined)
        self.outlined.clicked.connect(self._choose)
        self.opacity.valueChanged.connect(self._choose)
        self.opacity.sliderReleased.connect(self._choose)
        self.follow(None)

    def follow(self, result: ImageResult | None) -> None:
        """Turn to the layer of another result; None: of none."""
        layer = None if result is None else result.npa
        if layer is not self.layer:
            self._watch(False)
            self.layer = layer
            self._watch(True)
        self._show()

    def _watch(self, on: bool) -> None:
        if self.layer is not None:
            turn = self._connections.connect if on else self._connections.disconnect
            for event in (self.layer.events.contour, self.layer.events.opacity):
                turn(event, self._show)

    def _choose(self) -> None:
        if self.layer is not None:
            look = Look(self.outlined.isChecked(), self.opacity.value() / 100)
            look.give(self.layer)
            if not self.opacity.isSliderDown():
                look.remember()

    def _show(self) -> None:
        look = Look.last() if self.layer is None else Look.of(self.layer)
        with signals_blocked(self.opacity):
            self.outlined.setChecked(look.outlined)
            self.opacity.setValue(round(100 * look.opacity))
        for control in (self.outlined, self.opacity):
            control.setEnabled(self.layer is not None)
