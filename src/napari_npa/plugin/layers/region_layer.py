"""The layer in which the user draws regions to correct."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Shapes
from napari.layers.base import ActionType
from numpy.typing import NDArray
from psygnal import Signal

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
        viewer.add_layer(self.layer)
        self.layer.events.data.connect(self._data_changed)
        viewer.layers.selection.events.active.connect(self._show_if_used)

    def draw(self, mode: str) -> None:
        """Let the mouse draw shapes; `mode` is one of the values of :data:`DRAWING_MODES`."""
        self.viewer.layers.selection.active = self.layer
        self.layer.mode = mode

    def rest(self) -> None:
        """Let the mouse move and zoom again."""
        self.layer.mode = "pan_zoom"

    @property
    def count(self) -> int:
        """Number of shapes that are not taken yet."""
        return int(self.layer.nshapes) - self._taken

    def take_regions(self, target: Labels) -> list[Region]:
        """Take the regions inside the shapes, each once, on the grid of a layer.

        Regions outside the layer are left out. The shapes stay until :meth:`clear_taken`:
        redrawing the layer would delay the network, which runs meanwhile, by as much time as it
        needs itself.
        """
        shape = (target.data.shape[0], target.data.shape[1])
        found = [polygon_region(corners, shape) for corners in self._corners(target)]
        self._taken = self.layer.nshapes
        return [region for region in found if region is not None]

    def clear_taken(self) -> None:
        """Remove the shapes whose regions have been taken."""
        taken, self._taken = self._taken, 0
        if taken:
            self.layer.selected_data = set(range(taken))
            self.layer.remove_selected()

    def _show_if_used(self) -> None:
        """Hide the layer while it is empty and another is active.

        Drawing even an empty Shapes layer takes a tenth of the time of a frame while the user
        paints.
        """
        is_active = self.viewer.layers.selection.active is self.layer
        is_used = is_active or self.layer.nshapes > 0
        # Not if it is so already: napari would end a shape that is being drawn.
        if self.layer.visible != is_used:
            self.layer.visible = is_used

    def _data_changed(self, event: Any) -> None:  # noqa: ANN401 - napari's events are untyped
        self._taken = min(self._taken, self.layer.nshapes)  # the user may remove them, too
        self._show_if_used()
        if event.action == ActionType.ADDED and self.count:
            self.drawn.emit()

    def _corners(self, target: Labels) -> list[NDArray[np.float64]]:
        """Corners of the shapes that were drawn, not just clicked, in a layer's pixels."""
        least = LEAST_SCREEN_PIXELS / self._screen_pixels(self.layer)
        matrix, shift = _between(self.layer, target)
        corners = []
        shapes = list(zip(self.layer.data, self.layer.shape_type, strict=True))
        for drawn, kind in shapes[self._taken :]:
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
