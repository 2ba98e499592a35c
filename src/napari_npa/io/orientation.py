"""Turn a stored image upright, as its TIFF or EXIF tag says."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

ORIENTATION_TAG = 274

TURNED = "turned upright as the file says"
"""Note of an image that was turned."""

Sample = TypeVar("Sample", bound=np.generic)

# By the value of the tag: swap rows with columns, then reverse the rows, then the columns.
_TURNS = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def is_turned(orientation: int) -> bool:
    """Whether an image with this value of the tag has to be turned; unknown values say nothing."""
    return orientation in _TURNS


def upright(image: NDArray[Sample], orientation: int) -> NDArray[Sample]:
    """Turn an image, (rows, columns), by the value of its tag."""
    if not is_turned(orientation):
        return image
    swap, reverse_rows, reverse_columns = _TURNS[orientation]
    turned = image.T if swap else image
    return np.ascontiguousarray(
        turned[:: -1 if reverse_rows else 1, :: -1 if reverse_columns else 1]
    )
