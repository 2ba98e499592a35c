"""What the mouse does on the image: draw shapes, grow by click, or work with napari's tools."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels, Shapes
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QPushButton

from napari_npa.plugin.layers.region_layer import DRAWING_MODES, RegionLayer
from napari_npa.plugin.qt.panel import Connections
from napari_npa.refine import Region

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_npa.plugin.layers.result_layers import ImageResult


class MouseTools(QObject):
    """Buttons that decide what the mouse does; at most one is down.

    Choosing one of napari's own tools releases it.

    Parameters
    ----------
    viewer
        Where the mouse is.
    drawing
        A button for each of :data:`DRAWING_MODES`.
    grow
        The button that lets a click grow a region.
    panel
        Qt deletes this object with it.
    """

    drawn = Signal()
    """A shape was finished."""

    clicked = Signal(int, int, bool)
    """A pixel was clicked to grow a region: row, column, and whether to take it away."""

    def __init__(
        self,
        viewer: ViewerModel,
        drawing: dict[str, QPushButton],
        grow: QPushButton,
        panel: QObject,
    ) -> None:
        super().__init__(panel)
        self.viewer = viewer
        self.drawing = drawing
        self.grow = grow
        self.result: ImageResult | None = None
        self.layer: Labels | None = None
        self.shapes: RegionLayer | None = None
        self._last_drawing = next(iter(drawing))
        for name, button in drawing.items():
            button.clicked.connect(partial(self.draw, name))
        grow.clicked.connect(self._grow_pressed)
        self._connections = Connections(self)
        self._connections.connect(viewer.layers.selection.events.active, self._show)
        self._connections.connect(viewer.layers.events.removed, self._layer_removed)

    def follow(self, result: ImageResult | None, layer: Labels | None) -> None:
        """Work on a layer of a result from now on."""
        self._watch(False)
        if result is not self.result:
            self._remove_shapes()
        self.result, self.layer = result, layer
        self._watch(True)
        self._show()

    @property
    def count(self) -> int:
        """Number of shapes drawn and not taken yet."""
        return self.shapes.count if self.shapes is not None else 0

    def take_regions(self) -> list[Region]:
        """Regions inside the shapes, each taken once."""
        if self.shapes is None or self.layer is None:
            return []
        return self.shapes.take_regions(self.layer)

    def clear_taken(self) -> None:
        """Remove the shapes whose regions were taken."""
        if self.shapes is not None:
            self.shapes.clear_taken()

    def draw(self, name: str) -> None:
        """Draw shapes of a kind, or stop drawing if its button is not pressed."""
        if self.result is None:
            return
        if not self.drawing[name].isChecked():
            self._rest()
            return
        self._last_drawing = name
        if self.shapes is None:
            self.shapes = RegionLayer(self.result.shown.image, self.viewer)
            self.shapes.drawn.connect(self._announce)
            self.shapes.layer.events.mode.connect(self._show)
            # While shapes are drawn, theirs is the active layer: it has no undo of its own.
            self.shapes.layer.bind_key("Control-Z", self._undo)
            self.shapes.layer.bind_key("Control-Shift-Z", self._redo)
        self.shapes.draw(DRAWING_MODES[name])
        self._show()

    def _undo(self, shapes: Shapes) -> None:
        if self.layer is not None:
            self.layer.undo()

    def _redo(self, shapes: Shapes) -> None:
        if self.layer is not None:
            self.layer.redo()

    def _announce(self) -> None:
        # Not at once: napari is still finishing the shape.
        QTimer.singleShot(0, self.drawn.emit)

    def toggle_drawing(self) -> None:
        """Draw the last kind of shape, or stop."""
        button = self.drawing[self._last_drawing]
        button.setChecked(not button.isChecked())
        self.draw(self._last_drawing)

    def toggle_growing(self) -> None:
        """Grow by click, or stop."""
        self.grow.setChecked(not self.grow.isChecked())
        self._grow_pressed()

    def _grow_pressed(self) -> None:
        if self.grow.isChecked() and self.layer is not None:
            self._rest()
            self.layer.mode = "pan_zoom"
            self.grow.setChecked(True)
        else:
            self.grow.setChecked(False)

    def _rest(self) -> None:
        """Let the mouse move and zoom again, and the brush correct its layer."""
        if self.shapes is not None:
            self.shapes.rest()
        if self.layer is not None and self.layer in self.viewer.layers:
            self.viewer.layers.selection.active = self.layer

    def _show(self) -> None:
        """Show as pressed the button that the mouse obeys, and release the others."""
        active = self.viewer.layers.selection.active
        drawn_in = self.shapes.layer if self.shapes is not None else None
        mode = str(active.mode) if active is not None else ""
        for name, button in self.drawing.items():
            button.setChecked(active is drawn_in and mode == DRAWING_MODES[name])
        if active is not self.layer or mode != "pan_zoom":
            self.grow.setChecked(False)

    def _click(self, layer: Labels, event: Any) -> Generator[None, None, None]:  # noqa: ANN401
        """Grow where the mouse is pressed and released without moving."""
        if not self.grow.isChecked():
            return
        row, column = np.round(layer.world_to_data(event.position)[-2:]).astype(int)
        takes_away = "Shift" in event.modifiers
        yield
        if event.type != "mouse_move":
            self.clicked.emit(int(row), int(column), takes_away)

    def _watch(self, on: bool) -> None:
        if self.layer is None:
            return
        if on:
            self.layer.mouse_drag_callbacks.append(self._click)
            self._connections.connect(self.layer.events.mode, self._show)
        else:
            self.layer.mouse_drag_callbacks.remove(self._click)
            self._connections.disconnect(self.layer.events.mode, self._show)

    def _remove_shapes(self) -> None:
        shapes, self.shapes = self.shapes, None
        if shapes is not None and shapes.layer in self.viewer.layers:
            self.viewer.layers.remove(shapes.layer)

    def _layer_removed(self, event: Any) -> None:  # noqa: ANN401 - napari's events are untyped
        if self.shapes is not None and event.value is self.shapes.layer:
            self.shapes = None
        self._show()
