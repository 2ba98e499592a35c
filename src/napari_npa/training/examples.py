"""Training examples: angiograms on the network's canvas, with their masks, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_npa.imaging.contrast import logarithmic, normalise_contrast
from napari_npa.imaging.field import field_of_view, instrument_field, scale_window
from napari_npa.imaging.letterbox import Letterbox
from napari_npa.imaging.raster import reduced
from napari_npa.io.angiogram import read_angiogram
from napari_npa.io.masks import read_mask
from napari_npa.segmentation.retina import find_retina
from napari_npa.training.config import Source
from napari_npa.training.dataset import LabelledFile
from napari_npa.types import Gray, Mask, Target, Window

LEAST_TILE_NPA = 0.1
"""Tiles with a smaller share of non-perfusion are dropped: over 90 % background (Li et al.)."""


@dataclass(frozen=True)
class Example:
    """One training image.

    Attributes
    ----------
    path, patient, source
        Where it comes from; training sets are split by `patient`.
    stretched : (canvas, canvas) uint8
        Gray levels as the network receives them, 0 to 255.
    npa : (canvas, canvas) bool
        Non-perfusion.
    retina : (canvas, canvas) bool, or None
        Gradable retina where it was outlined; unknown otherwise.
    """

    path: Path
    patient: str
    source: Source
    stretched: NDArray[np.uint8]
    npa: Mask
    retina: Mask | None = None

    @property
    def image(self) -> Gray:
        """Gray levels in [0, 1], (canvas, canvas) float32."""
        return np.divide(self.stretched, 255, dtype=np.float32)

    def part(self, window: Window) -> Example:
        """Cut the example down to some rows and columns."""
        return replace(
            self,
            stretched=self.stretched[window],
            npa=self.npa[window],
            retina=None if self.retina is None else self.retina[window],
        )

    def halved(self) -> Example:
        """Return the example as it looks on a canvas half as wide."""
        side = len(self.npa) // 2
        return replace(
            self,
            stretched=np.round(reduced(self.stretched.astype(np.float32), side)).astype(np.uint8),
            npa=_reduced_mask(self.npa, side),
            retina=None if self.retina is None else _reduced_mask(self.retina, side),
        )


def load_example(file: LabelledFile, canvases: dict[str, int], target: Target = "npa") -> Example:
    """Read an angiogram and its masks and put them on the canvas for its field of view.

    Parameters
    ----------
    file
        What to read.
    canvases
        Side of the canvas by field of view, pixels.
    target
        What is learned from the example. For non-perfusion, gray levels are stretched by those
        of the retina; for the retina, which is then unknown, they are logarithmic.

    Raises
    ------
    AngiogramError
        The angiogram or a mask cannot be read, or the mask has another size.
    """
    pixels = read_angiogram(file.image).pixels
    npa = _mask(file.mask, pixels.shape)
    outlined = _mask(file.retina, pixels.shape)
    if outlined is None:
        found = find_retina(pixels, name=file.image.name)
        view, gradable, window = found.view, found.gradable, found.window
        pixels = found.cleaned(pixels)
    else:
        field = instrument_field(pixels, name=file.image.name)
        view, gradable = field_of_view(field), outlined
        window = scale_window(field, view, pixels.shape)
    box = Letterbox(pixels.shape, canvases[view.name], window)
    retina = box.apply_mask(gradable)
    scaled = box.apply(pixels)
    stretched = normalise_contrast(scaled, retina) if target == "npa" else logarithmic(scaled)
    return Example(
        file.image,
        file.patient,
        file.source,
        np.round(255 * stretched).astype(np.uint8),
        np.zeros_like(retina) if npa is None else box.apply_mask(npa),
        None if outlined is None else retina,
    )


def tiles(examples: Iterable[Example], side: int) -> list[Example]:
    """Cut training images into tiles, to train a network that refines a region.

    Parameters
    ----------
    examples
        On their canvases.
    side
        Rows and columns of a tile, pixels. A canvas of that size is one tile. What remains
        of a canvas whose side is not a multiple of `side` is left out.

    Returns
    -------
    tiles
        Of images with non-perfusion those that hold enough of it; of perfused eyes all that
        are not black.
    """
    return [tile for example in examples for tile in _grid(example, side) if _is_kept(tile)]


def _grid(example: Example, side: int) -> Iterator[Example]:
    canvas = len(example.npa)
    for top in range(0, canvas - side + 1, side):
        for left in range(0, canvas - side + 1, side):
            yield example.part((slice(top, top + side), slice(left, left + side)))


def _is_kept(tile: Example) -> bool:
    if tile.source == "perfused":
        return bool(tile.stretched.any())
    return float(np.mean(tile.npa)) >= LEAST_TILE_NPA


def _reduced_mask(mask: Mask, side: int) -> Mask:
    return np.asarray(reduced(mask.astype(np.float32), side) >= 0.5)


def _mask(path: Path | None, shape: tuple[int, int]) -> Mask | None:
    return None if path is None else read_mask(path, shape)
