"""Ischemic index of an angiogram."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_npa.errors import RetinaError

BLOCK_ROWS = 128
"""Rows counted at a time: the product of two masks of this size stays in the cache."""


class PixelCounts(NamedTuple):
    """Non-perfused and gradable pixels of an image."""

    npa: int
    retina: int


def count_pixels(npa: NDArray[np.generic], retina: NDArray[np.generic]) -> PixelCounts:
    """Count the non-perfused pixels of the gradable retina, and its pixels.

    Parameters
    ----------
    npa, retina : (rows, columns) bool or integers
        Pixels other than 0 are inside.
    """
    return PixelCounts(count_common(npa, retina), int(np.count_nonzero(retina)))


def count_common(first: NDArray[np.generic], second: NDArray[np.generic]) -> int:
    """Count pixels that are not 0 in both of two masks (rows, columns)."""
    return sum(
        int(np.count_nonzero(np.logical_and(first[rows], second[rows])))
        for rows in (slice(at, at + BLOCK_ROWS) for at in range(0, len(first), BLOCK_ROWS))
    )


def ischemic_index(
    npa: NDArray[np.generic], retina: NDArray[np.generic], *, name: str = "image"
) -> float:
    """Compute the ischemic index (ISI): the non-perfused fraction of the gradable retina.

    Pixels are counted, as published for unprojected images; the optic disc stays in the
    denominator.

    Parameters
    ----------
    npa, retina : (rows, columns) bool or integers
        Non-perfusion and gradable retina, where not 0. Non-perfusion outside the gradable
        retina does not count.
    name
        Name of the image in an error.

    Returns
    -------
    isi
        In [0, 1].

    Raises
    ------
    RetinaError
        No pixel is gradable: there is no index, not an index of 0.
    """
    return index_of_counts(count_pixels(npa, retina), name=name)


def index_of_counts(counts: PixelCounts, *, name: str = "image") -> float:
    """Compute the :func:`ischemic_index` of pixels that are counted already."""
    if counts.retina == 0:
        raise RetinaError(
            name,
            "has no gradable retina, so it has no ischemic index",
            "Outline the gradable retina, or choose another image.",
        )
    return counts.npa / counts.retina
