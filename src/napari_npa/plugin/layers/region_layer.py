"""The layer in which the user draws regions to correct."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Shapes
from napari.layers.base import ActionType
from numpy.typing import NDArray
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_npa.plugin.layers.mask_layers import placement
from napari_npa.refine import Region, ellipse_corners, polygon_region

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

NAME = "Regions"

COLOUR = "white"
"""Neither that of non-perfusion nor that of the retina, for all eyes."""

LINE_SCREEN_PIXELS = 2.0

LEAST_SCREEN_PIXELS = 5.0
"""A smaller shape on screen is a click without a movement: napari draws a rectangle of 2.5 pixels
even for that."""

DRAWING_MODES = {
    "rectangle": "add_rectangle",
    "ellipse": "add_ellipse",
    "polygon": "add_polygon",
    "lasso": "add_polygon_lasso",
}
"""napari's modes of drawing, by the shape they draw."""


class RegionLayer:
    """A Shapes layer on top of an image.

    napari loses its place in a shape that is being drawn when another shape is removed: nothing
    is removed before the drawing has ended.

    Parameters
    ----------
    image
        Image on which the user draws.
    viewer
        Viewer to which the layer is added, above all others.
    """

    drawn = Signal()
    """A shape was finished."""

    def __init__(self, image: Image, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self.layer = Shapes(
            ndim=2,
            name=NAME,
            edge_color=COLOUR,
            face_color="transparent",
            edge_width=LINE_SCREEN_PIXELS / self._screen_pixels(image),
            **placement(image),
        )
        self._taken = 0
        self._is_clearing = False
        # The mode in which a shape was begun, and the number of shapes below it.
        self._begun: str | None = None
        self._finished = 0
        self._is_held = self._is_dropped = False
        self._next_mode: str | None = None
        viewer.add_layer(self.layer)
        self.layer.events.data.connect(self._data_changed)
        self.layer.mouse_drag_callbacks.append(self._watch_mouse)
        self.layer.bind_key("Escape", self._escape)
        viewer.layers.selection.events.active.connect(self._active_changed)

    def draw(self, mode: str) -> None:
        """Let the mouse draw shapes; `mode` is one of the values of :data:`DRAWING_MODES`."""
        self.viewer.layers.selection.active = self.layer
        self._turn_to(mode)

    def rest(self) -> None:
        """Let the mouse move and zoom again; a shape that is begun is dropped."""
        self._turn_to("pan_zoom")

    def drop(self) -> None:
        """Drop the shape that is being drawn, if there is one."""
        if self._begun is None:
            return
        self._is_dropped = True
        if not self._is_held:  # else the shape ends when the mouse is released
            self.layer._finish_drawing()

    @property
    def count(self) -> int:
        """Number of shapes that are finished and not taken yet."""
        return self._number_finished - self._taken

    def take_regions(self, target: Labels) -> list[Region]:
        """Take the regions inside the shapes, each once, on the grid of a layer.

        Regions outside the layer are left out. The shapes stay until :meth:`clear_taken`:
        redrawing the layer would delay the network, which runs meanwhile, by as much time as it
        needs itself.
        """
        shape = (target.data.shape[0], target.data.shape[1])
        found = [polygon_region(corners, shape) for corners in self._corners(target)]
        self._taken = self._number_finished
        return [region for region in found if region is not None]

    def clear_taken(self) -> None:
        """Remove the shapes whose regions have been taken, once no other is being drawn."""
        self._is_clearing = self._is_busy
        if self._taken and not self._is_busy:
            self.layer.remove(list(range(self._taken)))

    @property
    def _is_busy(self) -> bool:
        """Whether a shape is being drawn, or waits to be removed."""
        return self._begun is not None or self._is_dropped

    @property
    def _number_finished(self) -> int:
        return self._finished if self._is_busy else int(self.layer.nshapes)

    def _turn_to(self, mode: str) -> None:
        if self._is_held:
            self._next_mode = mode
            self.drop()
        else:
            self.layer.mode = mode  # napari ends the shape; its mode tells that nobody finished it

    def _escape(self, layer: Shapes) -> None:
        self.drop()

    def _watch_mouse(self, layer: Shapes, event: Any) -> Generator[None, None, None]:  # noqa: ANN401
        """Know whether a button is held: napari cannot end a shape then."""
        self._is_held = True
        yield
        while event.type == "mouse_move":
            yield
        self._is_held = False
        if self._next_mode is not None:
            QTimer.singleShot(0, self._turn_to_next)  # after napari has ended the shape

    def _turn_to_next(self) -> None:
        mode, self._next_mode = self._next_mode, None
        if mode is not None:
            self._turn_to(mode)

    def _active_changed(self) -> None:
        if not self._is_active:
            self.drop()
        self._show_if_used()

    def _show_if_used(self) -> None:
        """Hide the layer while it is empty and another is active.

        Drawing even an empty Shapes layer takes a tenth of the time of a frame while the user
        paints.
        """
        is_used = self._is_active or self.layer.nshapes > 0
        # Not if it is so already: napari would end a shape that is being drawn.
        if self.layer.visible != is_used:
            self.layer.visible = is_used

    def _data_changed(self, event: Any) -> None:  # noqa: ANN401 - napari's events are untyped
        if event.action == ActionType.ADDING:
            self._begun, self._finished = str(self.layer.mode), int(self.layer.nshapes)
        elif event.action == ActionType.REMOVED:  # the user may remove them, too
            self._taken -= sum(at < self._taken for at in event.data_indices)
        elif event.action == ActionType.ADDED and self._begun is not None:
            self._end_shape()
        self._show_if_used()

    def _end_shape(self) -> None:
        """Announce a shape that was finished; remove one that was not, or is to be dropped."""
        is_there = self.layer.nshapes > self._finished  # napari removes a line of two points
        is_meant = self.layer.mode == self._begun and self._is_active
        self._is_dropped = is_there and (self._is_dropped or not is_meant)
        self._begun = None
        if self._is_dropped or self._is_clearing:
            QTimer.singleShot(0, self._clear_up)  # napari is still ending the shape
        if is_there and not self._is_dropped:
            self.drawn.emit()

    def _clear_up(self) -> None:
        if self._is_dropped:
            self._is_dropped = False
            self.layer.remove(list(range(self._finished, self.layer.nshapes)))
        if self._is_clearing:
            self.clear_taken()

    @property
    def _is_active(self) -> bool:
        return self.viewer.layers.selection.active is self.layer

    def _corners(self, target: Labels) -> list[NDArray[np.float64]]:
        """Corners of the shapes that were drawn, not just clicked, in a layer's pixels."""
        least = LEAST_SCREEN_PIXELS / self._screen_pixels(self.layer)
        matrix, shift = _between(self.layer, target)
        corners = []
        shapes = list(zip(self.layer.data, self.layer.shape_type, strict=True))
        for drawn, kind in shapes[self._taken : self._number_finished]:
            points = np.asarray(drawn, np.float64)[:, -2:]
            if np.ptp(points, axis=0).max() < least:
                continue
            if kind == "ellipse":
                points = ellipse_corners(points)
            corners.append(points @ matrix.T + shift)
        return corners

    def _screen_pixels(self, layer: Image | Shapes) -> float:
        """Screen pixels per pixel of a layer."""
        return float(self.viewer.scene.camera.zoom * np.abs(layer.scale[-2:]).mean())


def _between(drawn: Shapes, target: Labels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrix and shift from one layer's coordinates to another's, by way of the world's."""
    # One point at a time: given several, data_to_world silently returns wrong ones.
    origin, down, right = (
        np.asarray(target.world_to_data(drawn.data_to_world(point)))[-2:]
        for point in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    )
    return np.column_stack([down - origin, right - origin]), origin
