"""An image on the network's square canvas, and back to its own grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate, pad


@dataclass(frozen=True)
class Letterbox:
    """Scale an image's longer side to the canvas, centre it, fill the rest with black.

    Attributes
    ----------
    shape
        Rows and columns of the image.
    canvas
        Side of the square canvas, pixels.
    """

    shape: tuple[int, int]
    canvas: int

    @property
    def inner(self) -> tuple[int, int]:
        """Rows and columns of the scaled image, at least one pixel each."""
        scale = self.canvas / max(self.shape)
        rows, columns = (max(1, round(side * scale)) for side in self.shape)
        return rows, columns

    @property
    def offset(self) -> tuple[int, int]:
        """First row and column of the scaled image on the canvas."""
        rows, columns = self.inner
        return (self.canvas - rows) // 2, (self.canvas - columns) // 2

    def apply(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """(rows, columns) float32 to (canvas, canvas) float32; smoothed when made smaller."""
        scaled = _resize(torch.from_numpy(np.ascontiguousarray(image)), self.inner)
        top, left = self.offset
        rows, columns = self.inner
        margins = (left, self.canvas - columns - left, top, self.canvas - rows - top)
        return pad(scaled, margins).numpy()

    def apply_mask(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(rows, columns) bool to (canvas, canvas) bool: true where at least half is."""
        return self.apply(mask.astype(np.float32)) >= 0.5

    def invert(self, canvas: Tensor) -> Tensor:
        """(canvas, canvas) float to the image's own (rows, columns)."""
        top, left = self.offset
        rows, columns = self.inner
        return _resize(canvas[top : top + rows, left : left + columns], self.shape)


def _resize(values: Tensor, shape: tuple[int, int]) -> Tensor:
    if tuple(values.shape) == tuple(shape):
        return values
    enlarged = interpolate(
        values[None, None], size=shape, mode="bilinear", align_corners=False, antialias=True
    )
    return enlarged[0, 0]
