"""Check the headers of JPEG data: how large the image is, and how often it is gone through."""

from __future__ import annotations

import re
from dataclasses import dataclass
from mmap import mmap

MAX_SCANS = 100
"""Most scans: a progressive file has some ten. Each is a pass over the whole image, even if it
holds nothing."""

MAX_PIXELS_SCANNED = 4 * 10**9
"""Most pixels that all scans go through together: ten scans of the largest image."""

_BASELINE, _PROGRESSIVE = (0xC0, 0xC1), 0xC2
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN, _END = 0xDA, 0xD9
_ALONE = frozenset([0x01, *range(0xD0, 0xD9)])  # markers without a length
# All that programs add but JFIF and Adobe, which say how colours are stored; and comments.
_EXTRAS = frozenset([*range(0xE1, 0xEE), 0xEF, 0xFE])
_EXIF = b"Exif\0\0"
_MAX_MARKERS = 10_000

# In coded data, 255 is followed by 0, or by the number of a restart.
_NEXT_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")

_LEAST_BITS = 1  # of a block of 8 x 8 pixels
_SLACK = 2**16


@dataclass(frozen=True)
class JpegHeader:
    """What the headers of JPEG data say.

    Attributes
    ----------
    rows, columns, components
        Size of the image, and number of its colours.
    scans
        How often it is gone through.
    length
        Number of bytes.
    extras
        Where the parts begin and end that no decoder needs: EXIF, profiles, previews, comments.
    """

    rows: int
    columns: int
    components: int
    scans: int
    length: int
    extras: tuple[tuple[int, int], ...]

    @property
    def decoded_bytes(self) -> int:
        """Memory that decoding takes at most.

        Colours are decoded to four bytes a pixel, then copied. Of several scans the coefficients
        are kept, two bytes each.
        """
        pixel = 2 if self.components == 1 else 7
        kept = 2 * self.components if self.scans > 1 else 0
        return self.rows * self.columns * (pixel + kept)

    def check(self) -> None:
        """Check that decoding ends soon, and that the data can hold the image.

        Raises
        ------
        ValueError
            They cannot, or decoding would take too long.
        """
        pixels = self.rows * self.columns
        if self.scans > MAX_SCANS or self.scans * pixels > MAX_PIXELS_SCANNED:
            raise ValueError(f"{self.scans} JPEG scans")
        if pixels / 64 * _LEAST_BITS / 8 > self.length + _SLACK:
            raise ValueError("more pixels are declared than the JPEG data can hold")

    def without_extras(self, content: bytearray) -> bytes:
        """The data without the parts that no decoder needs, and that Pillow would parse."""
        starts = (0, *(end for _, end in self.extras))
        ends = (*(start for start, _ in self.extras), len(content))
        view = memoryview(content)
        return b"".join(view[start:end] for start, end in zip(starts, ends, strict=True))

    def exif(self, content: bytearray) -> bytes:
        """The first EXIF part, as a TIFF file; empty if there is none."""
        for start, end in self.extras:
            part = bytes(content[start:end])
            if part[1:2] == b"\xe1" and part[4:10] == _EXIF:
                return part[10:]
        return b""


def jpeg_header(
    content: bytearray | mmap, start: int = 0, end: int | None = None
) -> JpegHeader | None:
    """Read the headers of JPEG data, from one offset to another.

    Returns
    -------
    header
        None: the data hold no image, only tables.

    Raises
    ------
    ValueError
        They are damaged, or of an unusual kind.
    """
    end = len(content) if end is None else end
    frame: tuple[int, int, int] | None = None
    scans, extras = 0, []
    at = start + 2
    for _ in range(_MAX_MARKERS):
        found = _NEXT_MARKER.search(content, at, end)  # as decoders do, over what is no marker
        marker = _END if found is None else content[found.end() - 1]
        if found is None or marker == _END:
            break
        at = found.end()
        if marker in _ALONE:
            continue
        if at + 2 > end:
            raise ValueError("a JPEG header is cut off")
        following = at + int.from_bytes(content[at : at + 2], "big")
        if marker in _FRAMES:
            if frame is not None or (marker not in _BASELINE and marker != _PROGRESSIVE):
                raise ValueError(f"JPEG of an unusual kind, {marker:x}")
            frame = _frame(content, at, end)
        scans += marker == _SCAN
        if marker in _EXTRAS:
            extras.append((at - 2, min(following, end)))
        at = following
    else:
        raise ValueError("too many JPEG headers")
    if frame is None:
        return None
    return JpegHeader(*frame, scans, end - start, tuple(extras))


def _frame(content: bytearray | mmap, at: int, end: int) -> tuple[int, int, int]:
    """Rows, columns and components of a frame header."""
    if at + 8 > end:
        raise ValueError("a JPEG frame header is cut off")
    rows, columns = (int.from_bytes(content[at + k : at + k + 2], "big") for k in (3, 5))
    return rows, columns, content[at + 7]
