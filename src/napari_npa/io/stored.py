"""What a file holds before its samples become gray levels or a mask, and how large it may be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from numpy.typing import NDArray

from napari_npa.errors import AngiogramError

MIN_SIDE_PIXELS = 64
"""Smallest number of rows and of columns: a smaller image shows no retina to judge."""

MAX_PIXELS = 20_000 * 20_000
"""Largest image: five times the rows and columns that ultra-widefield cameras export."""

MAX_DECODED_BYTES = 3 * (MAX_PIXELS + 4096 * 4096)
"""Most memory for the samples of an image as they are decoded: the largest in 8-bit colour, and a
tile of it. Gray levels take another 4 bytes a pixel."""

EXPORT_AGAIN = "Export or copy it again, as gray TIFF or PNG."
EXPORT_GRAY = "Export the angiogram as 8- or 16-bit gray."


@dataclass(frozen=True, eq=False)
class Stored:
    """Content of a file or an array.

    Frames come first in `samples`, channels (at most 4) last. `full_scale` is None where the
    sample type determines it. `table` holds a colour for each index, (indices, 3 or 4), where the
    samples are indices. `lossless` is False after JPEG compression, which changes every value.
    """

    samples: NDArray[Any]
    full_scale: float | None = None
    zero_is_white: bool = False
    orientation: int = 1
    notes: tuple[str, ...] = ()
    table: NDArray[Any] | None = None
    lossless: bool = True


def check_size(subject: str | Path, rows: int, columns: int) -> None:
    """Refuse thumbnails, and images too large for memory."""
    if min(rows, columns) < MIN_SIDE_PIXELS:
        raise AngiogramError(
            subject,
            f"has only {columns} x {rows} pixels; {MIN_SIDE_PIXELS} on each side are needed",
            "Choose the full angiogram, not a thumbnail.",
        )
    refuse_too_large(subject, rows, columns)


def refuse_too_large(
    subject: str | Path, rows: int, columns: int, decoded_bytes: int | None = None
) -> None:
    """Refuse images too large for memory, by their pixels and by what these take when decoded."""
    if rows * columns > MAX_PIXELS:
        raise AngiogramError(
            subject,
            f"has {columns} x {rows} pixels; at most {MAX_PIXELS // 10**6} million are read",
            "Export it smaller.",
        )
    if decoded_bytes is not None and decoded_bytes > MAX_DECODED_BYTES:
        raise AngiogramError(
            subject,
            f"takes {decoded_bytes // 10**6} million bytes of memory, of {columns} x {rows} "
            f"pixels; at most {MAX_DECODED_BYTES // 10**6} million are read",
            "Export it smaller, or as 8-bit gray.",
        )


def refuse_mask(subject: str | Path) -> NoReturn:
    """Refuse a mask that was given instead of an angiogram."""
    raise AngiogramError(
        subject, "is a mask, not an angiogram", "Choose the angiogram that it was made on."
    )
