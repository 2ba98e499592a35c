"""Tile-scale training: canvases cut into tiles, as for the network that refines a region."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from napari_npa.training.examples import Example

LEAST_NPA = 0.1
"""Tiles with less non-perfusion are dropped: over 90 % background (Li et al.)."""


def cut(examples: Iterable[Example], side: int) -> list[Example]:
    """Tiles of training images.

    Parameters
    ----------
    examples
        On their canvases.
    side
        Rows and columns of a tile, pixels. A canvas of that size is one tile; what is left of
        one that is no multiple of it is left out.

    Returns
    -------
    tiles
        Of images with non-perfusion those that hold enough of it; of perfused eyes all that
        are not black.
    """
    return [tile for example in examples for tile in _tiles(example, side) if _is_kept(tile)]


def _tiles(example: Example, side: int) -> Iterator[Example]:
    canvas = len(example.npa)
    for top in range(0, canvas - side + 1, side):
        for left in range(0, canvas - side + 1, side):
            yield example.part((slice(top, top + side), slice(left, left + side)))


def _is_kept(tile: Example) -> bool:
    if tile.source == "perfused":
        return bool(tile.stretched.any())
    return float(np.mean(tile.npa)) >= LEAST_NPA
