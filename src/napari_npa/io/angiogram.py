"""Read angiograms as one gray image from 0 to 1, whatever their source.

The content of a file decides its format, not the name. A file that is not an angiogram
raises an `AngiogramError` that a clinician can act on.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_npa.errors import AngiogramError
from napari_npa.io.decoding import (
    HEAD_BYTES,
    Stored,
    check_size,
    decoded,
    refuse_mask,
)
from napari_npa.types import Gray

COLOUR_TOLERANCE = 8
"""Difference between channels, in 8-bit gray levels, that JPEG compression can leave in a
gray image."""

COLOURED_FRACTION = 0.001
"""Fraction of the pixels that may differ by more before an image counts as coloured."""

# Tenths of red, green and blue in gray: Rec. 601, rounded so that sums of 16-bit samples
# are exact in float32 and equal channels give exactly their common value.
_LUMA_TENTHS = (3, 6, 1)

SAMPLES_AT_ONCE = 2**22
"""Samples converted at a time: temporary arrays take some tens of megabytes at most."""

# How to turn a stored image upright, by the orientation tag of TIFF and EXIF: swap rows with
# columns, then reverse the rows, then the columns.
_TURNS = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


@dataclass(frozen=True, eq=False)
class Angiogram:
    """A gray image of the retina.

    Attributes
    ----------
    pixels : (rows, columns) float32
        Gray levels, 0..1 of the full scale of the stored samples.
    name
        File name, or "array".
    sha256
        Hash of the bytes of the file; of an array, of its sample type, shape and bytes.
    notes
        How the image was read, as far as a reader of the result should know: for example
        "first of 3 pages".
    path
        The file; None for an array.
    """

    pixels: Gray = field(repr=False)
    name: str
    sha256: str
    notes: tuple[str, ...]
    path: Path | None = None


def read_angiogram(path: str | Path) -> Angiogram:
    """Read an angiogram from a TIFF, PNG or JPEG file, identified by its content.

    Parameters
    ----------
    path
        The file, with any suffix.

    Returns
    -------
    Angiogram
        The first page of a file with several. Gray that is stored as colour becomes gray
        again. Stored samples are divided by the largest value of their type: 255, 65535, or
        4095 where a TIFF packs 12 bits. A 12-bit image in 16-bit samples therefore stays
        between 0 and 0.0625; contrast is normalised later, before the network sees it.
        Floats above 1 are taken as 8- or 16-bit levels. `notes` lists all other choices and
        changes.

    Raises
    ------
    AngiogramError
        The file is absent, unreadable, damaged, incomplete or of another format; or the image
        has a side below `MIN_SIDE_PIXELS`, more than `MAX_PIXELS`, colour, one value only, or
        values that are not finite or out of range; or it is a mask.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unopened(path, error) from error
    try:
        pixels, notes = _gray_levels(path, decoded(path, head))
    except MemoryError as error:
        raise AngiogramError(
            path, "does not fit in memory", "Close other programs, or export it smaller."
        ) from error
    return Angiogram(pixels, path.name, sha256, notes, path)


def angiogram_from_array(array: NDArray[Any], name: str = "array") -> Angiogram:
    """Take an array as an angiogram, under the same rules as a file.

    Parameters
    ----------
    array : (rows, columns), (rows, columns, channels) or (frames, rows, columns)
        uint8, uint16, int16 without negative values, or floats from 0 to 1 (larger ones are
        taken as 8- or 16-bit levels). A last axis of up to 4 is taken as channels: gray,
        gray and alpha, RGB, RGBA. The first of several frames is used.
    name
        Name of the angiogram in results and errors.

    Returns
    -------
    Angiogram
        A copy: later changes of `array` do not affect it.

    Raises
    ------
    AngiogramError
        As for `read_angiogram`, as far as it applies to an array.
    """
    array = np.asarray(array)
    pixels, notes = _gray_levels(name, Stored(array))
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    for rows in _row_blocks(array):
        digest.update(np.ascontiguousarray(array[rows]).data)
    return Angiogram(pixels, name, digest.hexdigest(), notes)


def as_angiogram(image: str | Path | NDArray[Any] | Angiogram) -> Angiogram:
    """Make an angiogram of a file or an array.

    Parameters
    ----------
    image
        A file, an array, or an `Angiogram`, which is returned unchanged.

    Returns
    -------
    Angiogram

    Raises
    ------
    AngiogramError
        As for `read_angiogram` and `angiogram_from_array`.
    """
    if isinstance(image, Angiogram):
        return image
    if isinstance(image, str | Path):
        return read_angiogram(image)
    return angiogram_from_array(image)


def _unopened(path: Path, error: OSError) -> AngiogramError:
    if isinstance(error, FileNotFoundError):
        return AngiogramError(path, "does not exist", "Check the name and the folder.")
    # The error does not tell: on Windows, opening a folder gives "no permission". Path.is_dir
    # raises where a folder above may not be entered.
    if os.path.isdir(path):  # noqa: PTH112
        return AngiogramError(path, "is a folder, not an image", "Choose an image in it.")
    if isinstance(error, PermissionError):
        return AngiogramError(
            path, "cannot be opened: no permission", "Ask the owner, or copy the file."
        )
    reason = (error.strerror or str(error)).lower()
    return AngiogramError(path, f"cannot be opened: {reason}", "Check the disk and the name.")


def _gray_levels(subject: str | Path, stored: Stored) -> tuple[Gray, tuple[str, ...]]:
    """Return gray levels from 0 to 1, upright, and how they were obtained."""
    samples, frame_notes = _first_frame(subject, stored.samples)
    check_size(subject, *samples.shape[:2])
    planes = [samples] if samples.ndim == 2 else list(np.moveaxis(samples, -1, 0))
    alpha = planes.pop() if len(planes) in (2, 4) else None
    full_scale, scale_notes = _full_scale(subject, planes)
    full_scale = stored.full_scale or full_scale
    notes = [*stored.notes, *frame_notes, *scale_notes]
    if len(planes) == 3:
        _refuse_colour(subject, planes, full_scale)
        notes.append("stored as RGB, read as gray")
    pixels = _scaled(planes, full_scale, zero_is_white=stored.zero_is_white)
    if stored.zero_is_white:
        notes.append("stored with zero as white, inverted")
    if alpha is not None:
        pixels[alpha == 0] = 0
        notes.append("transparent pixels read as black")
    if stored.orientation in _TURNS:
        pixels = _upright(pixels, stored.orientation)
        notes.append("turned upright as the file says")
    _refuse_one_value(subject, pixels)
    return pixels, tuple(notes)


def _first_frame(
    subject: str | Path, samples: NDArray[Any]
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return the first (rows, columns) or (rows, columns, channels) of an array."""
    if samples.ndim < 2 or samples.size == 0:
        raise AngiogramError(
            subject, f"has the shape {samples.shape}", "Pass an array of rows and columns."
        )
    has_channels = samples.ndim > 2 and samples.shape[-1] <= 4
    leading = samples.ndim - (3 if has_channels else 2)
    frames = int(np.prod(samples.shape[:leading]))
    frame = samples[(0,) * leading]
    if has_channels and frame.shape[-1] == 1:
        frame = frame[..., 0]
    return frame, (f"first of {frames} frames",) if frames > 1 else ()


def _full_scale(subject: str | Path, planes: list[NDArray[Any]]) -> tuple[float, tuple[str, ...]]:
    """Return the sample value of white, by the sample type and, for floats, the values."""
    dtype = planes[0].dtype
    if dtype.kind == "b":
        refuse_mask(subject)
    if dtype.kind == "f":
        return _full_scale_of_floats(subject, planes)
    if dtype.kind not in "ui" or dtype.itemsize > 2 or dtype == np.int8:
        raise AngiogramError(
            subject,
            f"has samples of type {dtype}",
            "Convert it to 8- or 16-bit gray, or to floats from 0 to 1.",
        )
    if dtype.kind == "i" and min(plane.min() for plane in planes) < 0:
        raise AngiogramError(
            subject, "has negative values", "Shift them to start at 0, or export it as 8-bit gray."
        )
    return float(np.iinfo(dtype).max), ()


def _full_scale_of_floats(
    subject: str | Path, planes: list[NDArray[Any]]
) -> tuple[float, tuple[str, ...]]:
    not_finite = 0
    lowest, highest = np.inf, -np.inf
    for plane in planes:
        for rows in _row_blocks(plane):
            block = plane[rows]
            not_finite += block.size - int(np.count_nonzero(np.isfinite(block)))
            lowest, highest = min(lowest, float(block.min())), max(highest, float(block.max()))
    if not_finite:
        raise AngiogramError(
            subject,
            f"has {not_finite} values that are not numbers or are infinite",
            "Replace them, for example by 0.",
        )
    if lowest < 0 or highest > np.iinfo(np.uint16).max:
        raise AngiogramError(
            subject,
            f"has values from {lowest:g} to {highest:g}",
            "Scale them to lie between 0 and 1.",
        )
    for full_scale in (1, np.iinfo(np.uint8).max, np.iinfo(np.uint16).max):
        if highest <= full_scale:
            break
    notes = (f"values up to {highest:g}, divided by {full_scale}",) if full_scale > 1 else ()
    return float(full_scale), notes


def _refuse_colour(subject: str | Path, planes: list[NDArray[Any]], full_scale: float) -> None:
    tolerance = COLOUR_TOLERANCE * full_scale / 255
    coloured = 0
    for rows in _row_blocks(planes[0]):
        red, green, blue = (plane[rows] for plane in planes)
        spread = np.maximum(np.maximum(red, green), blue)
        spread -= np.minimum(np.minimum(red, green), blue)
        coloured += int(np.count_nonzero(spread > tolerance))
    if coloured > COLOURED_FRACTION * planes[0].size:
        raise AngiogramError(
            subject,
            "is a colour photograph; an angiogram has one gray channel",
            "Choose the angiogram, or export it as gray.",
        )


def _refuse_one_value(subject: str | Path, pixels: Gray) -> None:
    lowest, highest = pixels.min(), pixels.max()
    if lowest < highest:
        return
    what = "is entirely black" if highest == 0 else f"has one value everywhere, {highest:g}"
    raise AngiogramError(subject, what, "Choose an image that shows the retina.")


def _scaled(planes: list[NDArray[Any]], full_scale: float, *, zero_is_white: bool) -> Gray:
    """Convert one gray or three colour planes to gray, without large temporary arrays."""
    weights = _LUMA_TENTHS if len(planes) == 3 else (1,)
    white = np.float32(full_scale * sum(weights))
    pixels = np.zeros(planes[0].shape, np.float32)
    for rows in _row_blocks(pixels):
        for plane, weight in zip(planes, weights, strict=True):
            pixels[rows] += plane[rows].astype(np.float32) * np.float32(weight)
        if zero_is_white:
            np.subtract(white, pixels[rows], out=pixels[rows])
        pixels[rows] /= white
    return pixels


def _upright(pixels: Gray, orientation: int) -> Gray:
    swap, reverse_rows, reverse_columns = _TURNS[orientation]
    turned = pixels.T if swap else pixels
    return np.ascontiguousarray(
        turned[:: -1 if reverse_rows else 1, :: -1 if reverse_columns else 1]
    )


def _row_blocks(array: NDArray[Any]) -> Iterator[slice]:
    """Divide the first axis into slices with a bounded number of samples each."""
    step = max(1, SAMPLES_AT_ONCE * len(array) // array.size)
    for start in range(0, len(array), step):
        yield slice(start, start + step)
