"""Masks and gray images: reduce, enlarge, grow, shrink, fill, choose parts."""

from __future__ import annotations

from math import isqrt, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from scipy.sparse import coo_array, csr_array

from napari_npa.types import Gray, Mask, Window

EIGHT_NEIGHBOURS = np.ones((3, 3), np.bool_)

BLOCK_ROWS = 768
"""Rows that are enlarged at a time, which bounds the memory."""


def dilated(mask: Mask, radius: float) -> Mask:
    """Grow a mask by a radius in pixels; what lies outside the image is not in the mask.

    Gives the same as ``scipy.ndimage.distance_transform_edt(~mask) <= radius``, in a third of the
    time if the radius is short compared with the image.
    """
    columns = np.arange(mask.shape[1], dtype=np.float32)
    left = np.maximum.accumulate(np.where(mask, columns, -np.inf), axis=1)
    right = np.minimum.accumulate(np.where(mask, columns, np.inf)[:, ::-1], axis=1)[:, ::-1]
    along_row = np.minimum(columns - left, right - columns)
    # In whole numbers, because a radius just below 3 would be 3 as float32.
    largest_square = int(radius**2) + 1
    while sqrt(largest_square) > radius:
        largest_square -= 1
    grown = along_row <= isqrt(largest_square)
    for rows in range(1, min(int(radius), len(mask) - 1) + 1):
        reached = along_row <= isqrt(largest_square - rows**2)
        grown[rows:] |= reached[:-rows]
        grown[:-rows] |= reached[rows:]
    return grown


def eroded(mask: Mask, radius: float) -> Mask:
    """Shrink a mask by a radius in pixels, but not where it meets the sides of the image."""
    return ~dilated(~mask, radius)


def opened(mask: Mask, radius: float) -> Mask:
    """Remove the parts of a mask that are thinner than twice a radius in pixels."""
    return dilated(eroded(mask, radius), radius)


def bounding_box(mask: Mask) -> Window:
    """Return the smallest rectangle that holds a mask; the mask must not be empty."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def filled(mask: Mask) -> Mask:
    """Fill the holes of a mask: all that cannot be reached from the sides of the image.

    Gives the same as ``scipy.ndimage.binary_fill_holes`` in less time: 3 to 4 ms for 768 x 768
    pixels, where that takes 9 to 14, and ``skimage.morphology.flood`` from outside 3 to 6.
    """
    parts, count = ndi.label(~mask)
    outside = np.zeros(count + 1, np.bool_)
    for side in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
        outside[side] = True
    outside[0] = False  # the mask itself
    return np.asarray(~outside[parts])


def largest_part(mask: Mask) -> Mask:
    """Keep the largest part of a mask."""
    parts, _ = ndi.label(mask)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray((parts == sizes.argmax()) & mask)


def median_of_nine(image: Gray) -> Gray:
    """Replace each pixel by the median of the 3 x 3 pixels around it.

    Gives the same as ``scipy.ndimage.median_filter(image, size=3)`` in a sixth of the time (6 ms
    for 768 x 768 pixels). Each column of three is sorted; the median of all nine is then the
    median of three values: the highest of the lows, the middle one of the middles, and the lowest
    of the highs.
    """
    padded = np.pad(image, 1, mode="symmetric")
    lowest, middle, highest = _sorted(padded[:-2], padded[1:-1], padded[2:])

    def beside(rows: Gray) -> tuple[Gray, Gray, Gray]:
        return rows[:, :-2], rows[:, 1:-1], rows[:, 2:]

    low = np.maximum.reduce(beside(lowest))
    _, mid, _ = _sorted(*beside(middle))
    high = np.minimum.reduce(beside(highest))
    return _sorted(low, mid, high)[1]


def _sorted(a: Gray, b: Gray, c: Gray) -> tuple[Gray, Gray, Gray]:
    """Sort three values at each pixel: lowest, middle, highest."""
    low, high = np.minimum(a, b), np.maximum(a, b)
    return np.minimum(low, c), np.maximum(low, np.minimum(high, c)), np.maximum(high, c)


def reduced(pixels: Gray, side: int) -> Gray:
    """Average areas, so that the longest side is `side`; a smaller image is returned as it is."""
    longest = max(pixels.shape)
    if longest <= side:
        return pixels
    rows, columns = (max(1, round(n * side / longest)) for n in pixels.shape)
    across = _averaging(columns, pixels.shape[1])
    down = _averaging(rows, pixels.shape[0])
    return np.ascontiguousarray((across @ (down @ pixels).T).T)


def _averaging(small: int, large: int) -> csr_array:
    """Make the matrix that averages ``large`` samples into ``small`` by overlap."""
    edges = np.arange(small + 1) * (large / small)
    edges[-1] = large  # a rounding error would make it more
    cuts = np.union1d(edges, np.arange(large + 1))
    middles = (cuts[:-1] + cuts[1:]) / 2
    widths = np.diff(cuts).astype(np.float32) * np.float32(small / large)
    to = np.minimum((middles * small / large).astype(np.intp), small - 1)
    return coo_array((widths, (to, middles.astype(np.intp))), shape=(small, large)).tocsr()


def enlarged(mask: Mask, shape: tuple[int, int]) -> Mask:
    """Bring the mask of a reduction to the grid of the whole image, linear between pixel centres.

    Equals :func:`napari_npa.imaging.resampling.resized` above 0.5, except that single pixels of
    exactly one half are rounded otherwise, and takes a bounded amount of memory.
    """
    if mask.shape == shape:
        return mask
    enlarged = np.empty(shape, np.bool_)
    rows, columns = (
        linear_weights((np.arange(large) + 0.5) * (small / large) - 0.5, small)
        for small, large in zip(mask.shape, shape, strict=True)
    )
    wide = (columns @ mask.T.astype(np.float32)).T
    for start in range(0, shape[0], BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        enlarged[part] = rows[part] @ wide > 0.5
    return enlarged


def linear_weights(places: NDArray[np.float64], length: int) -> csr_array:
    """Make the matrix that interpolates linearly between rows.

    Parameters
    ----------
    places : (n,) float64
        Row numbers, which may be fractional; the outermost rows are continued outwards.
    length
        Number of rows to interpolate between.

    Returns
    -------
    weights : (n, length) float32
        ``weights @ values`` are the rows of `values` at these places.
    """
    places = np.clip(places, 0, length - 1)
    below = np.minimum(places.astype(np.intp), max(length - 2, 0))
    above = np.minimum(below + 1, length - 1)
    share = (places - below).astype(np.float32)
    to = np.arange(len(places))
    return coo_array(
        (
            np.concatenate([1 - share, share]),
            (np.concatenate([to, to]), np.concatenate([below, above])),
        ),
        shape=(len(places), length),
    ).tocsr()
