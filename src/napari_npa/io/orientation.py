"""Turn a stored image upright, as its TIFF or EXIF tag says."""

from __future__ import annotations

import struct
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_TAG = 274
_SHORT, _LONG = 3, 4

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


def orientation_of_exif(exif: bytes) -> int:
    """Value of the orientation tag in EXIF data; 1, upright, where they do not say."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, directory)
        for at in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(order + "HH", exif, at)
            if tag == _TAG and kind in (_SHORT, _LONG):
                format = "H" if kind == _SHORT else "I"
                return int(struct.unpack_from(order + format, exif, at + 8)[0])
    except struct.error:
        pass  # cut off
    return 1
