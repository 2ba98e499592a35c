"""Masks at one bit per pixel, for storing and comparing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from napari_npa.types import Mask


@dataclass(frozen=True, eq=False)
class PackedMask:
    """A mask at one bit per pixel. It never changes, so that threads can share it.

    Attributes
    ----------
    bits : (ceil(rows * columns / 8),) uint8
        Row after row, the highest bit first; bits after the last pixel are 0.
    shape
        Rows and columns.

    Raises
    ------
    ValueError
        The number of bits does not fit the shape.
    """

    bits: NDArray[np.uint8]
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        rows, columns = self.shape
        if min(self.shape) < 0 or self.bits.shape != (-(-rows * columns // 8),):
            raise ValueError(f"{self.bits.size} bytes are not a mask of {rows} x {columns}")

    @classmethod
    def of(cls, mask: Mask) -> Self:
        """Pack a (rows, columns) bool mask.

        Raises
        ------
        ValueError
            The mask is not boolean, or not of two dimensions.
        """
        if mask.dtype != np.bool_ or mask.ndim != 2:
            raise ValueError(f"a mask is bool (rows, columns), not {mask.dtype} {mask.shape}")
        return cls(np.packbits(mask), (mask.shape[0], mask.shape[1]))

    def unpack(self) -> Mask:
        """Return the mask as a new (rows, columns) bool array."""
        rows, columns = self.shape
        bits = np.unpackbits(self.bits, count=rows * columns)
        return bits.reshape(self.shape).view(np.bool_)

    def __eq__(self, other: object) -> bool:
        """Tell whether the shape and every pixel are equal."""
        if not isinstance(other, PackedMask):
            return NotImplemented
        return self.shape == other.shape and np.array_equal(self.bits, other.bits)

    __hash__ = None  # type: ignore[assignment]  # compared by content

    def pixels(self) -> int:
        """Count the pixels inside."""
        return _ones(self.bits)

    def pixels_within(self, other: PackedMask) -> int:
        """Count the pixels that are also inside `other`, a mask of the same shape."""
        return _ones(self.bits & other.bits)


def _ones(bits: NDArray[np.uint8]) -> int:
    # Eight bytes at a time: several times faster than single bytes.
    whole = bits.size // 8 * 8
    words = np.bitwise_count(bits[:whole].view(np.uint64)).sum(dtype=np.int64)
    return int(words + np.bitwise_count(bits[whole:]).sum(dtype=np.int64))
