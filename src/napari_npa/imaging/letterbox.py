"""Put an image on the network's square canvas, and bring results back to the image's grid.

A network has learned retina of one scale. Therefore the instrument's field is put on the canvas,
because its kind tells its true size, and not the file with its margins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from napari_npa.imaging.resampling import resized
from napari_npa.types import Gray, Mask, Window


@dataclass(frozen=True)
class Letterbox:
    """Scales a window's longer side to the canvas and centres it; the rest is black.

    Attributes
    ----------
    shape
        Rows and columns of the image.
    canvas
        Side of the square canvas, pixels.
    window
        Rows and columns of the image that are put on the canvas; None: all.
    """

    shape: tuple[int, int]
    canvas: int
    window: Window | None = None

    @property
    def taken(self) -> Window:
        """Rows and columns of the image that are put on the canvas."""
        return self.window or (slice(0, self.shape[0]), slice(0, self.shape[1]))

    @property
    def inner(self) -> tuple[int, int]:
        """Rows and columns of the scaled window, at least one pixel each."""
        sides = [span.stop - span.start for span in self.taken]
        scale = self.canvas / max(sides)
        rows, columns = (max(1, round(side * scale)) for side in sides)
        return rows, columns

    @property
    def offset(self) -> tuple[int, int]:
        """First row and column of the scaled window on the canvas."""
        rows, columns = self.inner
        return (self.canvas - rows) // 2, (self.canvas - columns) // 2

    def apply(self, image: Gray) -> Gray:
        """Put an image (rows, columns) on the canvas; it is smoothed if it is made smaller."""
        scaled = resized(torch.from_numpy(np.ascontiguousarray(image[self.taken])), self.inner)
        top, left = self.offset
        rows, columns = self.inner
        margins = (left, self.canvas - columns - left, top, self.canvas - rows - top)
        return pad(scaled, margins).numpy()

    def apply_mask(self, mask: Mask) -> Mask:
        """Put a mask (rows, columns) on the canvas: true where at least half of a pixel is."""
        return self.apply(mask.astype(np.float32)) >= 0.5

    def invert(self, canvas: Tensor) -> Tensor:
        """Bring a canvas to the image's own (rows, columns); 0 outside the window."""
        top, left = self.offset
        rows, columns = self.inner
        down, right = self.taken
        sides = (down.stop - down.start, right.stop - right.start)
        found = resized(canvas[top : top + rows, left : left + columns], sides)
        if sides == self.shape:
            return found
        image = torch.zeros(self.shape, dtype=canvas.dtype)
        image[self.taken] = found
        return image
