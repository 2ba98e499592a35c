"""An angiogram at the scale of the tile network: what the tools of correction look at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from napari_npa.imaging.contrast import input_channels, normalise_contrast
from napari_npa.imaging.field_of_view import FieldOfView
from napari_npa.imaging.letterbox import Letterbox
from napari_npa.imaging.raster import linear_weights
from napari_npa.io.angiogram import Angiogram
from napari_npa.segmentation.retina import Retina, find_retina
from napari_npa.types import Gray, Mask, Window

CANVASES: dict[str, int] = {"55": 512, "uwfa": 2048}
"""Side of the canvas by field of view, pixels, for tools without a network: that of the embedded
tile network, so that the same close-up serves both."""


@dataclass(frozen=True, eq=False)
class CloseUp:
    """An angiogram scaled by its field, so that lengths mean the same in every image.

    Attributes
    ----------
    stretched : (canvas, canvas) float32
        Contrast-normalised gray levels in [0, 1].
    gradable : (canvas, canvas) bool
        Gradable retina, as it was found automatically.
    box
        Where the image lies on the canvas.
    view
        Kind of field of view.
    """

    stretched: Gray
    gradable: Mask
    box: Letterbox
    view: FieldOfView

    @classmethod
    def of(
        cls, angiogram: Angiogram, canvases: dict[str, int], retina: Retina | None = None
    ) -> Self:
        """Scale an angiogram to the canvas of a network.

        Parameters
        ----------
        angiogram
            What is corrected.
        canvases
            Side of the canvas by field of view, pixels.
        retina
            What was found of its retina; it is searched for if None.

        Raises
        ------
        RetinaError
            No gradable retina in it.
        """
        pixels = angiogram.pixels
        if retina is None:
            retina = find_retina(pixels, name=angiogram.name)
        box = Letterbox(
            (pixels.shape[0], pixels.shape[1]), canvases[retina.view.name], retina.window
        )
        gradable = box.apply_mask(retina.gradable)
        return cls(
            normalise_contrast(box.apply(retina.cleaned(pixels)), gradable),
            gradable,
            box,
            retina.view,
        )

    @cached_property
    def channels(self) -> Gray:
        """What a network sees, (3, canvas, canvas) float32; made once, which takes a while."""
        return input_channels(self.stretched)

    def with_channels(self) -> Self:
        """The same, with its channels made already: a click need not wait for them."""
        _ = self.channels
        return self

    @property
    def pixel_mm(self) -> float:
        """Millimetres of retina that a canvas pixel spans at the centre of the image."""
        return self.view.canvas_mm / self.box.canvas

    def place(self, row: float, column: float) -> tuple[float, float]:
        """Row and column on the canvas of a place in the image."""
        (down, rows), (right, columns) = self._axes()
        return float(rows + down * row), float(columns + right * column)

    def canvas_window(self, window: Window, margin: int = 0) -> Window:
        """Part of the canvas that shows a window of the image, and `margin` pixels around it."""
        first = self.place(window[0].start, window[1].start)
        last = self.place(window[0].stop - 1, window[1].stop - 1)
        rows, columns = (
            slice(
                min(max(int(np.floor(low)) - margin, 0), self.box.canvas - 1),
                min(max(int(np.ceil(high)) + margin + 1, 1), self.box.canvas),
            )
            for low, high in zip(first, last, strict=True)
        )
        return rows, columns

    def canvas_mask(self, mask: Mask, window: Window, canvas_window: Window) -> Mask:
        """Mask of a window of the image, on a part of the canvas; false beyond the window."""
        (down, top), (right, left) = self._axes()
        rows = _nearest((_centres(canvas_window[0]) - top) / down, window[0])
        columns = _nearest((_centres(canvas_window[1]) - left) / right, window[1])
        shown = np.zeros((len(rows), len(columns)), np.bool_)
        held = np.ix_(rows >= 0, columns >= 0)
        shown[held] = mask[np.ix_(rows[rows >= 0], columns[columns >= 0])]
        return shown

    def image_values(self, values: Gray, canvas_window: Window, window: Window) -> Gray:
        """Values on a part of the canvas, on the grid of a window of the image.

        Parameters
        ----------
        values : (rows, columns) float32
            On `canvas_window`.

        Returns
        -------
        values : (rows of the window, columns of the window) float32
            Linear between canvas pixels, and as at its border beyond `canvas_window`.
        """
        (down, top), (right, left) = self._axes()
        rows = top + down * _centres(window[0]) - canvas_window[0].start
        columns = left + right * _centres(window[1]) - canvas_window[1].start
        wide = linear_weights(rows, values.shape[0]) @ values
        return np.ascontiguousarray((linear_weights(columns, values.shape[1]) @ wide.T).T)

    def _axes(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Scale and shift, of rows and of columns, from the image to the canvas."""
        down, right = (
            (
                inner / (span.stop - span.start),
                offset - span.start * inner / (span.stop - span.start),
            )
            for inner, offset, span in zip(
                self.box.inner, self.box.offset, self.box.taken, strict=True
            )
        )
        # Pixel centres are at whole numbers on both grids.
        return (down[0], down[1] + (down[0] - 1) / 2), (right[0], right[1] + (right[0] - 1) / 2)


def _centres(span: slice) -> NDArray[np.float64]:
    return np.arange(span.start, span.stop, dtype=np.float64)


def _nearest(places: NDArray[np.float64], span: slice) -> NDArray[np.intp]:
    """Index in a span of the pixel nearest to each place; -1 where it is not in the span."""
    at = np.round(places).astype(np.intp)
    return np.where((at >= span.start) & (at < span.stop), at - span.start, -1)
