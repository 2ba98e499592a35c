"""The picture of a result: its areas on the angiogram."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_npa.imaging.contrast import normalise_contrast
from napari_npa.results.colours import NPA_COLOUR, RETINA_COLOUR
from napari_npa.types import Gray, Mask

OVERLAY_SIDE = 2000
"""Longest side of an overlay picture, pixels; it is for looking, the masks are for measuring."""

NPA_OPACITY = 0.4
NPA_COLOURS = np.round(
    (1 - NPA_OPACITY) * np.arange(256)[:, None] + NPA_OPACITY * np.array(NPA_COLOUR)
).astype(np.uint8)
"""Colour of non-perfusion by the gray level below it, (256, 3)."""


def overlay(pixels: Gray, npa: Mask, retina: Mask) -> NDArray[np.uint8]:
    """Draw the areas on the contrast-normalised angiogram, at most 2000 pixels a side.

    Returns
    -------
    picture : (rows, columns, 3) uint8
        Non-perfusion filled orange, gradable retina outlined blue.
    """
    step = -(-max(pixels.shape) // OVERLAY_SIDE)
    thinned = (slice(None, None, step), slice(None, None, step))
    pixels, npa, retina = pixels[thinned], npa[thinned], retina[thinned]
    gray = (255 * normalise_contrast(pixels, retina) + np.float32(0.5)).astype(np.uint8)
    picture = np.repeat(gray[..., None], 3, axis=2)
    picture[npa] = NPA_COLOURS[gray[npa]]
    picture[_rim(retina)] = RETINA_COLOUR
    return picture


def _rim(mask: Mask) -> Mask:
    """Outermost two pixels of a mask."""
    inner = np.zeros_like(mask)
    inner[2:-2, 2:-2] = mask[4:, 2:-2] & mask[:-4, 2:-2] & mask[2:-2, 4:] & mask[2:-2, :-4]
    return mask & ~inner
