"""Read the headers of a PNG file: what is declared, and which parts a decoder needs."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"

_DATA, _TRANSPARENCY = b"IDAT", b"tRNS"
_NEEDED = (b"IHDR", b"PLTE", _TRANSPARENCY, _DATA, b"IEND")
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a pixel, by the type of its colours
_TABLE = 3

_MAX_CHUNKS = 1_000_000

_DEFLATE = 1032
"""How many bytes can come of one at most."""

_SLACK = 2**16


@dataclass(frozen=True)
class PngHeader:
    """What a PNG file declares, and where the parts lie that a decoder needs."""

    rows: int
    columns: int
    bits: int
    colours: int
    parts: tuple[tuple[bytes, int, int], ...]

    @property
    def has_table(self) -> bool:
        """Whether the samples are indices of a colour table."""
        return self.colours == _TABLE

    @property
    def decoded_bytes(self) -> int:
        """Memory that its samples take; those of a colour table are looked up."""
        channels = 3 if self.has_table else _SAMPLES[self.colours]
        channels += any(kind == _TRANSPARENCY for kind, _, _ in self.parts)
        return self.rows * self.columns * channels * (2 if self.bits == 16 else 1)

    def check(self) -> None:
        """Check the size against the length of the compressed data.

        Raises
        ------
        ValueError
            They cannot hold so many pixels.
        """
        data = sum(end - start for kind, start, end in self.parts if kind == _DATA)
        if self.rows * self.columns * _SAMPLES[self.colours] * self.bits / 8 > (
            _DEFLATE * data + _SLACK
        ):
            raise ValueError("more pixels are declared than the data can hold")

    def without_extras(self, content: bytearray) -> bytes:
        """The file without texts, profiles, animations and what else no decoder of ours needs."""
        view = memoryview(content)
        return PNG_MAGIC + b"".join(view[start:end] for _, start, end in self.parts)


def png_header(content: bytearray | mmap) -> PngHeader:
    """Read the header of a PNG file.

    Raises
    ------
    ValueError, struct.error
        It is damaged.
    """
    columns, rows, bits, colours = struct.unpack_from(">IIBB", content, 16)
    if colours not in _SAMPLES:
        raise ValueError(f"colours of type {colours}")
    return PngHeader(rows, columns, bits, colours, tuple(_parts(content)))


def _parts(content: bytearray | mmap) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and end of each part that a decoder needs."""
    at = len(PNG_MAGIC)
    for _ in range(_MAX_CHUNKS):
        if at + 8 > len(content):
            return
        length, kind = struct.unpack_from(">I4s", content, at)
        start, at = at, at + 12 + length
        if kind in _NEEDED:
            yield kind, start, min(at, len(content))
    raise ValueError("too many parts")
