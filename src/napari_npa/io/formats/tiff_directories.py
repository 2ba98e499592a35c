"""The directories of a TIFF file: where its images are, and how they are stored.

Read strictly, before any pixel is decoded: the decoder allocates what a header declares. What two
readers could understand in two ways is refused, and every number is checked against the length of
the file.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from mmap import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC

MAX_DIRECTORIES = 10_000
"""Most images of a file: a series of angiograms has some tens."""

_MAX_TAGS = 4096  # of a directory

_MAX_BYTES = 2**26  # of all directories: a thousand pages of 4000 strips have 32 MB

_SHORT, _LONG, _IFD, _LONG8, _IFD8 = 3, 4, 13, 16, 18
_TYPES = {_SHORT: "u2", _LONG: "u4", _IFD: "u4", _LONG8: "u8", _IFD8: "u8"}

_NEW_SUBFILE_TYPE, _OLD_SUBFILE_TYPE = 254, 255
_WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _ORIENTATION, _SAMPLES, _ROWS_PER_STRIP, _STRIP_COUNTS = 273, 274, 277, 278, 279
_PLANAR, _COLOUR_TABLE, _TILE_WIDTH, _TILE_LENGTH = 284, 320, 322, 323
_TILE_OFFSETS, _TILE_COUNTS, _SUB_DIRECTORIES, _EXTRA, _FORMAT = 324, 325, 330, 338, 339
_DEPTH = 32997

_LISTS = (
    _BITS, _STRIP_OFFSETS, _STRIP_COUNTS, _COLOUR_TABLE, _TILE_OFFSETS, _TILE_COUNTS,
    _SUB_DIRECTORIES, _EXTRA, _FORMAT,
)  # fmt: skip
_NUMBERS = (
    _NEW_SUBFILE_TYPE, _OLD_SUBFILE_TYPE, _WIDTH, _LENGTH, _COMPRESSION, _PHOTOMETRIC,
    _ORIENTATION, _SAMPLES, _ROWS_PER_STRIP, _PLANAR, _TILE_WIDTH, _TILE_LENGTH, _DEPTH,
)  # fmt: skip

EXPANSION = {
    COMPRESSION.NONE: 1,
    COMPRESSION.CCITTRLE: 2**16,
    COMPRESSION.CCITT_T4: 2**16,
    COMPRESSION.CCITT_T6: 2**16,
    COMPRESSION.LZW: 2**12,
    COMPRESSION.JPEG: 2**10,
    COMPRESSION.ADOBE_DEFLATE: 1032,
    COMPRESSION.DEFLATE: 1032,
    COMPRESSION.PACKBITS: 64,
    COMPRESSION.ZSTD: 2**16,
}
"""Compressions that are read, and how many bytes can come of one at most. Left out are those that
take minutes or gigabytes to decode what is damaged, as WebP and LZMA."""

_SLACK = 2**16
"""Bytes by which a small image may exceed that: headers, tables."""


class DamagedError(ValueError):
    """The directories contradict themselves or the file."""


@dataclass(frozen=True)
class Directory:
    """One image of a TIFF file.

    Attributes
    ----------
    offset
        Where the directory begins in the file.
    tags
        Values of the known tags by number.
    page
        Number of its page, from 0.
    inside
        It is a sub-directory of its page.
    """

    offset: int
    tags: dict[int, NDArray[Any]]
    page: int = 0
    inside: bool = False

    def _number(self, tag: int, default: int) -> int:
        return int(self.tags[tag][0]) if tag in self.tags else default

    def _numbers(self, tag: int) -> list[int]:
        return list(map(int, self.tags[tag])) if tag in self.tags else []

    @property
    def columns(self) -> int:
        """Width, pixels."""
        return self._number(_WIDTH, 0)

    @property
    def rows(self) -> int:
        """Height, pixels."""
        return self._number(_LENGTH, 0)

    @property
    def pixels(self) -> int:
        """Rows times columns."""
        return self.rows * self.columns

    @property
    def planes(self) -> int:
        """Planes of a volume."""
        return self._number(_DEPTH, 1)

    @property
    def samples(self) -> int:
        """Samples of a pixel."""
        return self._number(_SAMPLES, 1)

    @property
    def bits(self) -> int:
        """Bits of a sample."""
        return self._number(_BITS, 1)

    @property
    def compression(self) -> int:
        """Number of the compression."""
        return self._number(_COMPRESSION, COMPRESSION.NONE)

    @property
    def photometric(self) -> int | None:
        """How samples are to be understood; None where that is not said."""
        return self._number(_PHOTOMETRIC, 0) if _PHOTOMETRIC in self.tags else None

    @property
    def orientation(self) -> int:
        """How the image is to be turned."""
        return self._number(_ORIENTATION, 1)

    @property
    def meaningless(self) -> int:
        """Number of samples of a pixel, at its end, that are neither a colour nor transparency."""
        extra = self._numbers(_EXTRA)
        return len(extra) if EXTRASAMPLE.UNSPECIFIED in extra else 0

    @property
    def is_mask(self) -> bool:
        """Whether it says which part of another image is seen."""
        return bool(self._number(_NEW_SUBFILE_TYPE, 0) & 4)

    @property
    def is_reduced(self) -> bool:
        """Whether it says of itself that it is a smaller version of another image."""
        return (
            bool(self._number(_NEW_SUBFILE_TYPE, 0) & 1) or self._number(_OLD_SUBFILE_TYPE, 1) == 2
        )

    @property
    def sub_directories(self) -> list[int]:
        """Where the directories inside it begin."""
        return self._numbers(_SUB_DIRECTORIES)

    @property
    def colour_table(self) -> NDArray[np.uint16] | None:
        """Red, green and blue of each index, (indices, 3) uint16; None: there is no table."""
        if self.photometric != PHOTOMETRIC.PALETTE:
            return None
        values = self.tags.get(_COLOUR_TABLE, np.empty(0))
        if self.bits > 16 or len(values) != 3 * 2**self.bits:
            raise DamagedError("the colour table does not fit the bits of the samples")
        return np.ascontiguousarray(values.astype(np.uint16).reshape(3, -1).T)

    @cached_property
    def segments(self) -> list[tuple[int, int]]:
        """Where each strip or tile begins, and how many bytes it has."""
        offsets, counts = (
            self._numbers(tiles if self._is_tiled else strips)
            for tiles, strips in ((_TILE_OFFSETS, _STRIP_OFFSETS), (_TILE_COUNTS, _STRIP_COUNTS))
        )
        if not counts and len(offsets) == 1 and self.compression == COMPRESSION.NONE:
            counts = [self._stored_bytes]  # some scanners do not say
        return list(zip(offsets, counts, strict=True))

    @property
    def _is_tiled(self) -> bool:
        return _TILE_WIDTH in self.tags

    @property
    def decoded_bytes(self) -> int:
        """Memory that its samples take when they are decoded, and the strip or tile in hand."""
        rows, columns, _, _ = self._grid()
        size = next(size for size in (1, 2, 4, 8) if 8 * size >= self.bits)
        segment = rows * columns if self._is_tiled else 0
        return (self.pixels + segment) * self.samples * size

    @property
    def _stored_bytes(self) -> int:
        """Bytes of its samples without compression."""
        return self.rows * math.ceil(self.columns * self.samples * self.bits / 8)

    def _grid(self) -> tuple[int, int, int, int]:
        """Rows and columns of a strip or tile, and how many there are across and down."""
        if self._is_tiled:
            rows, columns = self._number(_TILE_LENGTH, 0), self._number(_TILE_WIDTH, 0)
        else:
            rows, columns = min(self._number(_ROWS_PER_STRIP, self.rows), self.rows), self.columns
        if min(rows, columns) < 1:
            raise DamagedError("a strip or tile has no pixels")
        return rows, columns, math.ceil(self.columns / columns), math.ceil(self.rows / rows)

    def check(self, length: int) -> None:
        """Check what is declared against the number of bytes in the file.

        Raises
        ------
        DamagedError
            It contradicts itself, or more is declared than the file can hold.
        """
        for tag in (_BITS, _FORMAT):
            values = self._numbers(tag)
            if len(set(values)) > 1 or len(values) not in (0, 1, self.samples):
                raise DamagedError("the samples of a pixel are of different kinds")
        if not 1 <= self.samples <= 2**16 or not 1 <= self.bits <= 64:
            raise DamagedError(f"{self.samples} samples of {self.bits} bits")
        planar = self._number(_PLANAR, 1)
        if planar not in (1, 2):
            raise DamagedError(f"planar configuration {planar}")
        _, _, across, down = self._grid()
        if len(self.segments) != across * down * (self.samples if planar == 2 else 1):
            raise DamagedError("the number of strips or tiles does not fit the size")
        stored = sum(count for _, count in self.segments)
        if stored > length:
            raise DamagedError("strips or tiles lie over each other")
        least = self._stored_bytes
        if least > EXPANSION[COMPRESSION(self.compression)] * stored + _SLACK * (
            self.compression != 1
        ):
            raise DamagedError("more pixels are declared than the data can hold")

    def is_cut_off(self, length: int) -> bool:
        """Whether a strip or tile is empty or reaches beyond the end of the file."""
        return any(count == 0 or offset + count > length for offset, count in self.segments)


class Directories:
    """Reads the directories of a TIFF file of either byte order, classic or BigTIFF."""

    def __init__(self, content: bytearray | mmap) -> None:
        self._content = content
        self._order = "<" if content[:2] == b"II" else ">"
        self._is_big = content[2:4] in (b"+\0", b"\0+")
        self._offset_format, self._count_format = ("Q", "Q") if self._is_big else ("I", "H")
        self._first_at = 8 if self._is_big else 4
        self._bytes_left = _MAX_BYTES

    def pages(self) -> list[list[Directory]]:
        """All pages, each with the directories inside it, the page itself first.

        Raises
        ------
        DamagedError
            A directory is not where it should be, or has a value that cannot be one.
        """
        seen: set[int] = set()
        pages: list[list[Directory]] = []
        offset = self._offset(self._first_at)
        while offset:
            page, following = self._directory(offset, seen, len(pages))
            inner = (
                self._directory(at, seen, len(pages), inside=True)[0] for at in page.sub_directories
            )
            pages.append([page, *inner])
            offset = following
        return pages

    def point_to(self, directory: Directory) -> None:
        """Make a directory the first one of the file in memory, so that a decoder takes it."""
        struct.pack_into(
            self._order + self._offset_format, self._content, self._first_at, directory.offset
        )

    def _offset(self, at: int) -> int:
        return int(self._unpack(self._offset_format, at))

    def _unpack(self, format: str, at: int) -> int:
        try:
            return int(struct.unpack_from(self._order + format, self._content, at)[0])
        except struct.error as error:
            raise DamagedError("a directory lies beyond the end of the file") from error

    def _directory(
        self, offset: int, seen: set[int], page: int, *, inside: bool = False
    ) -> tuple[Directory, int]:
        """Read the directory at an offset, and where the next one is."""
        if offset in seen or len(seen) == MAX_DIRECTORIES:
            raise DamagedError("the directories form a loop, or are too many")
        seen.add(offset)
        number = self._unpack(self._count_format, offset)
        if number > _MAX_TAGS:
            raise DamagedError(f"a directory of {number} tags")
        first = offset + struct.calcsize(self._count_format)
        entry = 20 if self._is_big else 12
        tags: dict[int, NDArray[Any]] = {}
        for tag, values in self._tags(first, number, entry):
            if tag in tags:
                raise DamagedError(f"tag {tag} is there twice")
            tags[tag] = values
        return Directory(offset, tags, page, inside), self._offset(first + number * entry)

    def _tags(self, first: int, number: int, entry: int) -> Iterator[tuple[int, NDArray[Any]]]:
        for at in range(first, first + number * entry, entry):
            tag = self._unpack("H", at)
            if tag in _LISTS or tag in _NUMBERS:
                yield tag, self._values(tag, at)

    def _values(self, tag: int, at: int) -> NDArray[Any]:
        """Values of the tag whose entry is at an offset."""
        type_number = self._unpack("H", at + 2)
        count = self._unpack(self._offset_format, at + 4)
        if type_number not in _TYPES or count < 1 or (tag in _NUMBERS and count > 1):
            raise DamagedError(f"tag {tag} has {count} values of type {type_number}")
        dtype = np.dtype(self._order + _TYPES[type_number])
        size = count * dtype.itemsize
        value_at = at + 4 + struct.calcsize(self._offset_format)
        if size > struct.calcsize(self._offset_format):
            value_at = self._offset(value_at)
        if value_at + size > len(self._content):
            raise DamagedError(f"the values of tag {tag} lie beyond the end of the file")
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise DamagedError("the directories are too large")
        return np.frombuffer(self._content, dtype, count, value_at).copy()
