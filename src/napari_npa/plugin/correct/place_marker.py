"""A frame around a place of an image, such as a doubtful one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Shapes

from napari_npa.plugin.layers.mask_layers import placement

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_npa.plugin.layers.result_layers import ImageResult
    from napari_npa.types import Window

NAME = "Doubtful place"

COLOUR = "white"

MARGIN = 0.01
"""Between the place and its frame, share of the image's side."""

LINE = 0.0015
"""Width of the line, share of the image's side."""


class PlaceMarker:
    """A layer with one rectangle.

    Parameters
    ----------
    viewer
        Viewer to which the layer is added.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self.layer: Shapes | None = None

    def put(self, result: ImageResult, window: Window) -> None:
        """Frame a window of the masks of a result."""
        self.remove()
        side = max(result.npa.data.shape)
        margin = MARGIN * side
        (top, bottom), (left, right) = (
            (span.start - 0.5 - margin, span.stop - 0.5 + margin) for span in window
        )
        corners = np.array([(top, left), (top, right), (bottom, right), (bottom, left)])
        active = self.viewer.layers.selection.active
        self.layer = Shapes(
            [corners],
            shape_type="rectangle",
            name=NAME,
            edge_color=COLOUR,
            face_color="transparent",
            edge_width=max(1.0, LINE * side),
            **placement(result.shown.image),
        )
        self.viewer.add_layer(self.layer)
        self.layer.editable = False  # it shows a place, and corrects nothing
        self.viewer.layers.selection.active = active

    def remove(self) -> None:
        """Remove the frame, if there is one."""
        if self.layer is not None and self.layer in self.viewer.layers:
            self.viewer.layers.remove(self.layer)
        self.layer = None
