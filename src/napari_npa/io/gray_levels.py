"""Turn stored samples into gray levels that can be compared: 0 is black, and white is near 1.

The largest value that a type holds says little about white: cameras write 10, 12 or 14 bits into
16, programs write such levels as floats, and some exports are far too dim. All that follows
judges by gray levels, so the same eye must have the same ones whatever the container.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor, log2
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_npa.errors import AngiogramError
from napari_npa.io.stored import refuse_mask
from napari_npa.types import Gray

COLOUR_TOLERANCE = 8
"""Difference between channels, in 8-bit gray levels, that JPEG compression can leave in a
gray image."""

COLOURED_FRACTION = 0.001
"""Fraction of the pixels that may differ by more before an image counts as coloured."""

DEPTHS = (8, 10, 12, 14, 16)
"""Bits that cameras digitise with."""

RESAMPLING = 0.02
"""Interpolated floats may lie this share of white above white, or below black."""

LEAST_LEVELS = 32
"""Floats above 1 are gray levels of an integer scale only if they reach this: an image with fewer
levels shows nothing."""

MOST_BRIGHTENING = 8
"""A dim image is brightened at most so many times; what would need more is noise."""

# Tenths of red, green and blue in gray: Rec. 601, rounded so that sums of 16-bit samples
# are exact in float32 and equal channels give exactly their common value.
_LUMA_TENTHS = (3, 6, 1)

SAMPLES_AT_ONCE = 2**22
"""Samples converted at a time: temporary arrays take some tens of megabytes at most."""


def gray_of_planes(
    subject: str | Path,
    planes: Sequence[NDArray[Any]],
    *,
    stored_white: float | None = None,
    zero_is_white: bool = False,
) -> tuple[Gray, tuple[str, ...]]:
    """Make gray levels of one gray plane, or of the three of a gray image stored as RGB.

    Parameters
    ----------
    subject
        What to call the image in an error.
    planes : (rows, columns) each
        uint8, uint16, int16 without negative values, or floats.
    stored_white
        Sample value of white, where the file tells it; None: by type and values.
    zero_is_white
        Whether the samples are inverted.

    Returns
    -------
    pixels : (rows, columns) float32
        From 0 to 1. Integers of 16 bits are divided by the largest value of the least of
        :data:`DEPTHS` that holds them, apart from lettering that was burned in with the type's
        largest value; floats in the same way, or by 1. If the brightest pixel then lies below
        one half, all are doubled, up to :data:`MOST_BRIGHTENING` times.
    notes
        What was taken for white, where that was not the type's largest value.

    Raises
    ------
    AngiogramError
        Another type, values that are negative or not finite, or colour.
    """
    white, notes = _white(subject, planes, stored_white, zero_is_white=zero_is_white)
    if len(planes) == 3:
        _refuse_colour(subject, planes, white)
    pixels = _scaled(planes, white, zero_is_white=zero_is_white)
    brightening = _brightening(float(pixels.max()))
    if brightening > 1:
        pixels *= np.float32(brightening)
        notes = (*notes, f"dim, brightened {brightening} times")
    return pixels, notes


def row_blocks(array: NDArray[Any]) -> Iterator[slice]:
    """Divide the first axis into slices with a bounded number of samples each."""
    step = max(1, SAMPLES_AT_ONCE * len(array) // array.size)
    for start in range(0, len(array), step):
        yield slice(start, start + step)


def _white(
    subject: str | Path,
    planes: Sequence[NDArray[Any]],
    stored: float | None,
    *,
    zero_is_white: bool,
) -> tuple[float, tuple[str, ...]]:
    """Sample value of white (of black, if inverted), by the sample type and the values."""
    dtype = planes[0].dtype
    if dtype.kind == "b":
        refuse_mask(subject)
    if dtype.kind == "f":
        return _white_of_floats(subject, planes)
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
    if dtype.itemsize == 1:
        return stored or 255.0, ()
    top = stored or float(np.iinfo(dtype).max)
    # Inverted samples have black there: the surround, and no lettering.
    white = min(top, _full_scale(_highest_up_to(top if zero_is_white else top - 1, planes)))
    notes = (f"{int(white).bit_length()}-bit values in 16 bits",) if white < top else ()
    return white, notes


def _white_of_floats(
    subject: str | Path, planes: Sequence[NDArray[Any]]
) -> tuple[float, tuple[str, ...]]:
    not_finite = 0
    lowest, highest = np.inf, -np.inf
    for plane in planes:
        for rows in row_blocks(plane):
            block = plane[rows]
            not_finite += block.size - int(np.count_nonzero(np.isfinite(block)))
            lowest, highest = min(lowest, float(block.min())), max(highest, float(block.max()))
    if not_finite:
        raise AngiogramError(
            subject,
            f"has {not_finite} values that are not numbers or are infinite",
            "Replace them, for example by 0.",
        )
    if highest <= 1 + RESAMPLING:
        white = 1.0
    elif highest < LEAST_LEVELS:
        white = 2.0 ** ceil(log2(highest))
    else:
        white = _full_scale(highest / (1 + RESAMPLING))
    if lowest < -RESAMPLING * white or highest > (1 + RESAMPLING) * white:
        raise AngiogramError(
            subject,
            f"has values from {lowest:g} to {highest:g}",
            "Scale them to lie between 0 and 1.",
        )
    return white, (f"values up to {highest:g}, divided by {white:g}",) if white > 1 else ()


def _full_scale(highest: float) -> float:
    """Largest value of the least depth that holds `highest`, or else of the greatest."""
    scales = [2.0**bits - 1 for bits in DEPTHS]
    return next((scale for scale in scales if highest <= scale), scales[-1])


def _highest_up_to(limit: float, planes: Sequence[NDArray[Any]]) -> float:
    """Highest sample that is not above a limit."""
    highest = 0
    for plane in planes:
        for rows in row_blocks(plane):
            block = plane[rows]
            highest = max(highest, int(block.max(initial=0, where=block <= limit)))
    return highest


def _brightening(brightest: float) -> int:
    """How many times an image can be doubled before white is passed."""
    if brightest <= 0:
        return 1
    return int(min(MOST_BRIGHTENING, 2 ** max(0, floor(-log2(brightest)))))


def _refuse_colour(subject: str | Path, planes: Sequence[NDArray[Any]], white: float) -> None:
    tolerance = COLOUR_TOLERANCE * white / 255
    coloured = 0
    for rows in row_blocks(planes[0]):
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


def _scaled(planes: Sequence[NDArray[Any]], full_scale: float, *, zero_is_white: bool) -> Gray:
    """Convert one gray or three colour planes to gray, without large temporary arrays."""
    weights = _LUMA_TENTHS if len(planes) == 3 else (1,)
    white = np.float32(full_scale * sum(weights))
    pixels = np.zeros(planes[0].shape, np.float32)
    for rows in row_blocks(pixels):
        for plane, weight in zip(planes, weights, strict=True):
            pixels[rows] += plane[rows].astype(np.float32) * np.float32(weight)
        if zero_is_white:
            np.subtract(white, pixels[rows], out=pixels[rows])
        pixels[rows] /= white
    return pixels.clip(0, 1, out=pixels)
