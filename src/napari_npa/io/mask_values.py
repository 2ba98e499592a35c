"""Which pixels of a stored mask are inside.

A mask is a picture, white on black, or a table of numbers, 0 for outside. Nearly all files can be
read as both, with one outcome. Where the outcomes differ and nothing tells which one is meant, the
mask is refused: read inverted, it would give a wrong index that looks right. The rules stand in
``docs/masks.md``.
"""

from __future__ import annotations

from functools import reduce
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from napari_npa.errors import AngiogramError
from napari_npa.io.gray_levels import row_blocks
from napari_npa.io.orientation import upright
from napari_npa.io.stored import Stored
from napari_npa.types import Mask

Values = NDArray[Any]

LABELS = 16
"""Whole numbers below this one are labels: too few for gray levels."""

NEAR = 1 / 8
"""Gray levels this near to black or white, as a share of white, count as black or white."""

MOST_BETWEEN = 0.15
"""Share of the pixels that may be neither, as those of soft edges are."""

IN_AREAS = 0.8
"""Share of the neighbours in a row that have one value, where values stand for areas. In the
real angiograms of the tests it is at most 0.42."""

_COLOUR_TOLERANCE = 8 / 255  # that compression leaves in gray
_COLOURED_SHARE = 0.001

_AS_BLACK_AND_WHITE = "Save it with 0 outside and 255 (or 1) inside, without a colour table."


def inside(path: Path, stored: Stored) -> Mask:
    """Tell which pixels of a mask are inside, upright.

    Raises
    ------
    AngiogramError
        It is not a mask, or can be understood in two ways.
    """
    return upright(_inside(path, stored), stored.orientation)


def _inside(path: Path, stored: Stored) -> Mask:
    samples = stored.samples
    if stored.table is not None:
        return _of_table(path, samples, stored.table)
    if samples.dtype == np.bool_ and samples.ndim == 2:
        return np.asarray(samples != stored.zero_is_white)
    if stored.zero_is_white:
        _refuse(
            path,
            "shows 0 as white: whether white or the larger number is inside cannot be told",
            "Save it with 0 as black (in ImageJ: Image > Lookup Tables > Invert LUT, then check "
            "that the inside is white).",
        )
    if samples.dtype.kind not in "uif":  # programs pack bits of several channels differently
        _refuse(path, f"has samples of type {samples.dtype} and shape {samples.shape}")
    values = _without_channels(path, samples) if samples.ndim == 3 else samples
    return _of_levels(path, values, lossless=stored.lossless)


def _of_table(path: Path, indices: Values, table: Values) -> Mask:
    """Inside of a mask stored as indices, by the colours shown and by the numbers."""
    counts = (  # a few rows at a time: bincount takes eight bytes a pixel
        np.bincount(indices[rows].astype(np.uint16, copy=False).ravel(), minlength=len(table))
        for rows in row_blocks(indices)
    )
    used = np.flatnonzero(np.any(np.stack(list(counts)), axis=0))
    # Some programs write the colours of a TIFF, 16 bits each, as 8 bits.
    white = 255 if table[:, :3].max() <= 255 else 65535
    colours = table[:, :3] / white
    if table.shape[1] == 4:
        colours = colours * (table[:, 3:] / 255)
    shown = colours.max(axis=1)
    is_gray = bool((np.ptp(colours[used], axis=1) <= _COLOUR_TOLERANCE).all())
    if not (is_gray and (np.diff(shown[used]) >= 0).all()):
        seen_black = shown[used] <= NEAR
        if (seen_black != (used == 0)).any() or used[0] != 0:
            _refuse(
                path,
                "has a colour table in which 0 is not black, or another number is: whether the "
                "colour or the number says what is inside cannot be told",
            )
        if not is_gray:
            return np.asarray(indices != 0)
    return _of_levels(path, np.rint(255 * shown).astype(np.uint8)[indices], lossless=True)


def _without_channels(path: Path, samples: Values) -> Values:
    """Brightness of a mask in colour or with transparency."""
    channels = samples.shape[-1]
    if channels == 1:
        return np.asarray(samples[..., 0])
    if channels > 4:
        _refuse(path, f"has {channels} channels")
    white = _white(samples)
    colours = samples[..., : 3 if channels > 2 else 1]
    if channels in (2, 4):
        colours = _on_black(path, colours, samples[..., -1:])
    # Plane by plane: many times faster than along the last axis.
    planes = list(np.moveaxis(colours, -1, 0))
    brightness = reduce(np.maximum, planes)
    if channels > 2:
        darkest = reduce(np.minimum, planes)
        if _share(brightness - darkest > _COLOUR_TOLERANCE * white) > _COLOURED_SHARE:
            is_black = brightness <= NEAR * white
            if _share(darkest >= (1 - NEAR) * white) > _COLOURED_SHARE or not is_black.any():
                _refuse(path, "is a colour picture: it is not clear which colour is inside")
    return np.asarray(brightness)


def _on_black(path: Path, colours: Values, alpha: Values) -> Values:
    """Colours as they are seen on black, where the picture is not opaque."""
    highest = float(alpha.max())
    if not highest:
        _refuse(path, "is transparent everywhere")
    if alpha.min() == highest:
        return colours
    # In place where that is possible: a copy of the largest image takes a gigabyte.
    seen = colours if colours.flags.writeable else colours.copy()
    is_black = True
    for rows in row_blocks(colours):
        share = alpha[rows] / highest
        is_black &= not (colours[rows] * (share > 0.5)).any()
        seen[rows] = colours[rows] * share
    if is_black:
        _refuse(path, "is black where it is opaque: it is not clear what is inside")
    return seen


def _of_levels(path: Path, values: Values, *, lossless: bool) -> Mask:
    """Inside of a mask of one number a pixel: labels, or gray levels of which half is the limit."""
    values = _with_zero_outside(path, values)
    top, white = float(values.max()), _white(values)
    if top == 0 or (not lossless and top <= NEAR * white):
        return np.zeros(values.shape, np.bool_)
    lowest = float(values.min())
    if lossless and _has_one_value(values, top):
        return np.asarray(values != 0)
    is_whole = values.dtype.kind in "bui" or (top > 1 and _are_whole(values))
    if lossless and is_whole and top < LABELS:
        if lowest > 0:
            _refuse(path, f"has no 0: its values are {lowest:g} to {top:g}")
        return np.asarray(values != 0)
    half = np.asarray(values > top / 2)
    reaches_white = top >= (1 - NEAR) * white
    may_be_labels = lossless and is_whole and lowest == 0 and _is_in_areas(values, values != 0)
    if not (_is_black_and_white(values, top) and (reaches_white or (is_whole and lowest == 0))):
        if may_be_labels:
            return np.asarray(values != 0)
        _refuse(path, "has values that are neither labels nor black and white")
    if lossless and lowest > NEAR * top:
        _refuse(path, f"has no 0: its values are {lowest:g} to {top:g}")
    doubtful = (values != 0) & ~half
    if may_be_labels and doubtful.any() and _is_in_areas(values, doubtful):
        if not reaches_white:
            return np.asarray(values != 0)
        _refuse(
            path,
            f"has areas of other values than 0 and {top:g}: whether they are inside cannot be told",
        )
    return half


def _with_zero_outside(path: Path, values: Values) -> Values:
    """Values with 0 for NaN and for −1, by which some programs mark what is outside."""
    if values.dtype.kind == "f":
        values = np.nan_to_num(values, copy=False, nan=0, posinf=np.inf, neginf=-np.inf)
        if np.isinf(values).any():
            _refuse(path, "has infinite values")
    if values.dtype.kind not in "if" or values.min() >= 0:
        return values
    is_negative = values < 0
    if (values[is_negative] != -1).any():
        _refuse(path, "has negative values other than −1")
    rest = values[~is_negative]
    if not rest.any():
        _refuse(path, "has the values −1 and 0 alone: whether 0 is inside cannot be told")
    return np.where(is_negative, 0, values)


def _are_whole(values: Values) -> bool:
    return all((values[rows] == np.rint(values[rows])).all() for rows in row_blocks(values))


def _white(values: Values) -> float:
    """The number that is white: of the type, or where that says nothing, by the values."""
    if values.dtype in (np.uint8, np.uint16):
        return float(np.iinfo(values.dtype).max)
    top = float(values.max())
    return next((white for white in (1.0, 255.0, 65535.0) if top <= white), top)


def _has_one_value(values: Values, value: float) -> bool:
    """Whether all pixels that are not 0 have one value."""
    return bool(np.count_nonzero(values) == np.count_nonzero(values == value))


def _is_black_and_white(values: Values, top: float) -> bool:
    """Whether nearly all pixels are nearly black or white, as in a mask with soft edges."""
    white = int(np.count_nonzero(values >= (1 - NEAR) * top))
    between = values.size - white - int(np.count_nonzero(values <= NEAR * top))
    return between <= MOST_BETWEEN * values.size and between <= white


def _is_in_areas(values: Values, chosen: Mask) -> bool:
    """Whether chosen pixels beside each other have the same value."""
    pairs = chosen[:, 1:] & chosen[:, :-1]
    equal = pairs & (values[:, 1:] == values[:, :-1])
    return int(np.count_nonzero(equal)) >= IN_AREAS * max(1, int(np.count_nonzero(pairs)))


def _share(mask: Mask) -> float:
    return int(np.count_nonzero(mask)) / mask.size


def _refuse(path: Path, reason: str, remedy: str = _AS_BLACK_AND_WHITE) -> NoReturn:
    raise AngiogramError(path, f"cannot be used as a mask: it {reason}", remedy)
