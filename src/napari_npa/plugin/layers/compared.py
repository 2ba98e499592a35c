"""Compares what a layer shows with its file, since other readers may read it otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_npa.errors import AngiogramError
from napari_npa.io.angiogram import Angiogram, angiogram_from_array

OPEN_AGAIN = (
    "Open the file with Open… in the tab Segment, or with File > Open and the reader 'Retinal "
    "non-perfusion'."
)

SAMPLED = 500_000
"""About so many pixels are enough to see how two images are related."""

LEVEL = 1.5 / 255
"""Gray levels this near to each other are the same, after rounding to 8 bits."""

ALIKE = 0.9
"""Correlation of gray levels from which an image shows the same as another."""

Values = NDArray[Any]


def angiogram_shown(samples: Values, name: str, stored: Angiogram | None) -> Angiogram:
    """Angiogram that a layer shows, given what its file holds.

    Parameters
    ----------
    samples
        Pixels of the layer, (rows, columns) or with channels.
    name
        Of the layer.
    stored
        What we read from its file; None: there is no such file, or nothing that we can read.

    Returns
    -------
    angiogram
        That of the file, if the layer shows it, be it with other gray levels: inverted, reduced
        to 8 bits, or as the indices of a colour table. Of pixels that were changed: one of the
        array, with a note.

    Raises
    ------
    AngiogramError
        The layer shows the file's image on another grid, or inverted and changed: masks on it
        would not fit the file, or the index would be wrong. Or it shows no angiogram.
    """
    if stored is None:
        return angiogram_from_array(samples, name)
    if samples.shape[:2] != stored.pixels.shape:
        size, in_file = (
            f"{columns} x {rows}" for rows, columns in (samples.shape[:2], stored.pixels.shape)
        )
        raise AngiogramError(
            name, f"has {size} pixels, but its file '{stored.name}' {in_file}", OPEN_AGAIN
        )
    gray = _brightness(samples)
    slope = _slope(gray, stored.pixels)
    if slope is not None and slope > 0:
        return stored
    if slope is not None or _is_looked_up(gray, stored.pixels):
        note = "the layer shows other gray levels than its file; those of the file were taken"
        return replace(stored, notes=(*stored.notes, note))
    if (turned := _best_turn(gray, stored.pixels)) is not None:
        raise AngiogramError(
            name, f"is shown {turned}, unlike its file '{stored.name}'", OPEN_AGAIN
        )
    shown = angiogram_from_array(samples, name)
    return replace(shown, notes=(*shown.notes, f"the layer differs from its file '{stored.name}'"))


def _brightness(samples: Values) -> NDArray[np.float32]:
    """Gray levels of a layer at any scale, transparent pixels black."""
    if samples.ndim == 2:
        return samples.astype(np.float32)
    channels = samples.shape[-1]
    colours = samples[..., : 3 if channels > 2 else 1]
    gray: NDArray[np.float32] = colours.mean(axis=-1, dtype=np.float32)
    if channels in (2, 4):
        gray[samples[..., -1] == 0] = 0
    return gray


def _slope(shown: Values, stored: Values) -> float | None:
    """Slope of the straight line that makes stored levels of shown ones; None: there is none."""
    step = _step(shown)
    few, few_stored = (image.ravel()[::step].astype(np.float64) for image in (shown, stored))
    if not np.ptp(few) or not np.ptp(few_stored):
        return None
    slope, shift = np.polyfit(few, few_stored, 1)
    # A sample first: it is enough to reject most pairs that do not fit.
    for one, other in ((few, few_stored), (shown, stored)):
        if np.abs(slope * one + shift - other).max() > LEVEL:
            return None
    return float(slope)


def _is_looked_up(shown: Values, stored: Values) -> bool:
    """Whether equal levels of a layer are equal in the file, as those of a colour table are.

    Images that look alike, or inverted, are not: a few pixels were changed in one of them.
    """
    if abs(_correlation(shown, stored)) > ALIKE or shown.max() > np.iinfo(np.uint16).max:
        return False
    indices = shown.astype(np.uint16)
    if (indices != shown).any():
        return False
    table = np.zeros(int(indices.max()) + 1, np.float32)
    table[indices] = stored
    return bool(np.abs(table[indices] - stored).max() <= LEVEL)


def _best_turn(shown: Values, stored: Values) -> str | None:
    """How a layer is turned against its file, or inverted and changed; None: it is neither."""
    if _correlation(shown, stored) <= -ALIKE:
        return "inverted"
    for flipped, name in ((shown, "turned"), (shown[::-1], "mirrored")):
        for quarters in range(4):
            turn = np.rot90(flipped, quarters)
            if turn.shape == stored.shape and _slope(turn, stored) is not None:
                return name
    return None


def _correlation(one: Values, other: Values) -> float:
    step = _step(one)
    few, others = (image.ravel()[::step].astype(np.float64) for image in (one, other))
    if not np.ptp(few) or not np.ptp(others):
        return 0.0
    return float(np.corrcoef(few, others)[0, 1])


def _step(image: Values) -> int:
    """Step between sampled pixels; odd, so that not the same columns are seen in each row."""
    return 2 * (image.size // SAMPLED // 2) + 1
