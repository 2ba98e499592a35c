"""Where a segmentation is in doubt, and which doubts affect the ischemic index most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_npa.imaging.raster import EIGHT_NEIGHBOURS, reduced
from napari_npa.types import Gray, Mask, Window

UNCERTAIN = 0.5
"""Retina is in doubt from this uncertainty on: its label is right with odds of at most 3 to 1."""

SEARCH_SIDE = 800
"""Longest side of the reduction that is searched, pixels: one is 5 pixels of an image of 4000."""

BLOCK_PIXELS = 2**18
"""Pixels computed at a time: a megabyte, which stays in the processor's cache."""


@dataclass(frozen=True)
class DoubtfulRegion:
    """Connected gradable retina whose label is in doubt.

    Attributes
    ----------
    window
        Rows and columns of the image that hold it.
    centre
        Row and column, pixels: its centre of mass, by expected errors.
    expected_isi_error
        Expected number of its pixels that are labelled wrongly, divided by the gradable pixels
        of the image: how far the ischemic index would move if all were wrong in the same way.
    """

    window: Window
    centre: tuple[float, float]
    expected_isi_error: float


def uncertainty(probability: Gray, threshold: float) -> Gray:
    """Compute how uncertain the label of each pixel is.

    Parameters
    ----------
    probability : (rows, columns) float32
        Of non-perfusion, in [0, 1].
    threshold
        Probability from which a pixel is non-perfused, in (0, 1].

    Returns
    -------
    uncertainty : (rows, columns) float32
        1 at the threshold, 0 where the probability is 0 or 1.

    Raises
    ------
    ValueError
        The threshold is not in (0, 1].

    Notes
    -----
    ``1 - |2q - 1|``, with ``logit q = logit p - logit t``: q is the probability p, calibrated so
    that the threshold t becomes one half. Written out, ``2q - 1 = (p - t) / (p (1 - 2t) + t)``.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"a threshold lies above 0 and not above 1; {threshold} does not")
    at = np.float32(threshold)
    found = np.empty(probability.shape, np.float32)
    rows = max(1, BLOCK_PIXELS // max(1, probability.shape[1]))
    for start in range(0, len(found), rows):
        block, out = probability[start : start + rows], found[start : start + rows]
        scale = block * (1 - 2 * at)
        scale += at
        # A threshold of 1 leaves 0 / 0 at the threshold itself.
        np.maximum(scale, np.finfo(np.float32).tiny, out=scale)
        np.subtract(block, at, out=out)
        np.abs(out, out=out)
        out /= scale
        np.subtract(1, out, out=out)
        np.maximum(out, 0, out=out)
    return found


def doubtful_regions(
    probability: Gray,
    retina: Mask,
    threshold: float,
    count: int = 20,
) -> list[DoubtfulRegion]:
    """Find regions of the gradable retina that are in doubt; those that matter most come first.

    The search is on a reduction to :data:`SEARCH_SIDE` pixels. The expected errors are averaged
    on it, so that their sums are those of the image.

    Parameters
    ----------
    probability : (rows, columns) float32
        Of non-perfusion, in [0, 1].
    retina : (rows, columns) bool
        Gradable retina.
    threshold
        Probability from which a pixel is non-perfused, in (0, 1].
    count
        Number of regions at most.

    Returns
    -------
    regions
        Largest expected effect on the ischemic index first; empty if nothing is in doubt, or
        nothing is gradable.

    Raises
    ------
    ValueError
        The threshold is not in (0, 1].
    """
    doubt = uncertainty(probability, threshold)
    doubt *= retina
    small = reduced(doubt, SEARCH_SIDE)
    parts, found = ndi.label(small >= UNCERTAIN, structure=EIGHT_NEIGHBOURS)
    if found == 0:
        return []
    scale = np.array(doubt.shape) / small.shape
    numbers = np.arange(1, found + 1)
    # Half the uncertainty is min(q, 1 - q), the probability that the label is wrong.
    wrong_pixels = ndi.sum_labels(small, parts, numbers) * (scale.prod() / 2)
    gradable = np.count_nonzero(retina)
    boxes = ndi.find_objects(parts)
    largest = np.argsort(-wrong_pixels, kind="stable")[:count]
    centres = ndi.center_of_mass(small, parts, numbers[largest])
    return [
        DoubtfulRegion(
            window=_in_image(boxes[at], scale, doubt.shape),
            centre=_place_in_image(centre, scale),
            expected_isi_error=float(wrong_pixels[at] / gradable),
        )
        for at, centre in zip(largest, centres, strict=True)
    ]


def _in_image(box: Window, scale: NDArray[np.float64], shape: tuple[int, ...]) -> Window:
    """Return the smallest rectangle of image pixels that holds a rectangle of the reduction."""
    rows, columns = (
        slice(int(side.start * pixels), min(int(np.ceil(side.stop * pixels)), size))
        for side, pixels, size in zip(box, scale, shape, strict=True)
    )
    return rows, columns


def _place_in_image(place: tuple[float, float], scale: NDArray[np.float64]) -> tuple[float, float]:
    """Convert a place in the reduction to the image; pixel centres are whole numbers in both."""
    row, column = (np.array(place) + 0.5) * scale - 0.5
    return float(row), float(column)
