"""A click on a dark place fills the non-perfused area around it.

Every path from the seed costs what it crosses: gray above the seed's, and probability of
non-perfusion below the seed's, times length. A vessel is bright and stops the path. A leak
through a gap costs more the farther it runs; a plain flood, which counts the worst pixel of a
path and not the sum, does not notice that. The least cost of each pixel is found once; the
tolerance is chosen afterwards.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter, maximum_filter
from skimage.filters import sato
from skimage.graph import MCP_Geometric

from napari_npa.refine.close_up import CloseUp
from napari_npa.refine.proposal import Proposal
from napari_npa.refine.region import Region
from napari_npa.types import Gray, Mask, Window

# Sources: "measured" is by benchmarks/growing.py, on simulated eyes of both fields of view.

RADIUS_MM = 6.0
"""How far from the seed the region may reach, millimetres: a larger area takes several clicks."""

SMOOTHING = 1.5
"""Standard deviation of the Gaussian over the gray levels, canvas pixels (0.06 mm): noise goes,
vessels stay (measured: 2.5 is worse by 0.02 on 55°, and 1 no better)."""

VESSEL_SIGMAS = (1.5, 2.5)
"""Half widths of the vessels that stop a path, canvas pixels (0.06 to 0.1 mm)."""

VESSEL_WEIGHT = 3.0
"""How many times the strength of a ridge is added to its gray; otherwise a thin vessel would cost
little to cross (measured: 0 is better by 0.01 on ultra-widefield, and worse by 0.04 on 55°)."""

SEED_RADIUS = 4.0
"""The seed's gray level and probability are means within this radius, canvas pixels."""

GRAY_SLACK = 0.02
"""Gray above the seed's that costs nothing, on a scale where white is 1: what is left of the
noise."""

PROBABILITY_WEIGHT = 0.2
"""Gray that costs as much as a loss of probability from 1 to 0 (measured: 0.2 to 0.5 are within
0.02 of each other)."""

TOLERANCE = 0.01
"""What a path may cost at sensitivity 0.5, gray times millimetres (measured: 0.008 to 0.013 are
within 0.04 of the best on both fields of view)."""

SEEN_TOLERANCE = 2.0
"""The tolerance grows by this factor times the probability at the seed, which then limits
the path too (measured: 0 is worse by 0.02)."""

LENGTH_COST = 0.0002
"""Gray that every pixel costs: of two equally dark ones the nearer comes first."""


def grow(
    close_up: CloseUp,
    seed: tuple[float, float],
    *,
    retina: Mask,
    probability: Gray | None = None,
    radius_mm: float = RADIUS_MM,
) -> Proposal:
    """Find the non-perfused area around a place.

    Parameters
    ----------
    close_up
        The angiogram.
    seed
        Row and column in the image, pixels.
    retina : (rows, columns) bool
        Gradable retina on the image's grid, as the user has it; nothing is found outside.
    probability : (rows, columns) float32, optional
        Of non-perfusion, in [0, 1], on the image's grid. It guides the growth; where it is the
        same everywhere, gray alone decides.
    radius_mm
        How far from the seed the region may reach, millimetres.

    Returns
    -------
    proposal
        Its evidence is ``t / (t + cost)``, with `t` the calibrated tolerance and `cost` what
        the cheapest path from the seed costs; 1 at the seed, 0 where no path leads. It is 0
        everywhere if the seed is not on gradable retina.

    Raises
    ------
    ValueError
        The seed is outside the image, the radius is not positive, or a mask or map has
        another shape than the image.
    """
    shape = close_up.box.shape
    at = _pixel(seed, shape)
    for what, grid in (("retina", retina), ("probability", probability)):
        if grid is not None and grid.shape != shape:
            raise ValueError(f"{what} has shape {grid.shape}; the image has {shape}")
    region = _disc(close_up, at, retina, radius_mm)
    window = region.window
    evidence = np.zeros(region.inside.shape, np.float32)
    seed_in_window = (at[0] - window[0].start, at[1] - window[1].start)
    if not region.inside[seed_in_window]:
        return Proposal(region, evidence)
    part = close_up.canvas_window(window, margin=1)
    passable = close_up.canvas_mask(region.inside, window, part)
    start = _canvas_pixel(close_up, at, part)
    passable[start] = True
    around = _around(start, passable)
    step = _excess(_barred(close_up.stretched[part]), around) + np.float32(LENGTH_COST)
    tolerance = TOLERANCE
    if probability is not None:
        seen = _on_canvas(close_up, probability, window, part)
        here = float(seen[around].mean())
        step += PROBABILITY_WEIGHT * np.maximum(np.float32(here) - seen, 0)
        tolerance *= 1 + SEEN_TOLERANCE * here
    cost = close_up.pixel_mm * path_costs(step, passable, start)
    reached = np.asarray(tolerance / (tolerance + cost), np.float32)
    # One pixel beyond the paths, so that nothing is lost between them and the retina's outline.
    reached = np.where(passable, reached, maximum_filter(reached, size=3))
    evidence = close_up.image_values(reached, part, window)
    evidence[~region.inside] = 0
    evidence[seed_in_window] = 1
    return Proposal(region, evidence)


def path_costs(step: Gray, passable: Mask, start: tuple[int, int]) -> Gray:
    """Least cost of a path from one pixel to each of the others.

    Parameters
    ----------
    step : (rows, columns) float32
        Cost of a pixel's length, positive.
    passable : (rows, columns) bool
        Where paths may lead.
    start
        Row and column, passable.

    Returns
    -------
    costs : (rows, columns) float32
        0 at the start; infinite where no path leads. A step to one of the eight neighbours costs
        the mean of both pixels times the distance of their centres.
    """
    costs, _ = MCP_Geometric(np.where(passable, step, -1.0)).find_costs([start])
    return np.asarray(costs, np.float32)


def _pixel(seed: tuple[float, float], shape: tuple[int, int]) -> tuple[int, int]:
    """Pixel of the image at a place."""
    row, column = round(seed[0]), round(seed[1])
    if not (0 <= row < shape[0] and 0 <= column < shape[1]):
        raise ValueError(f"seed {seed} is outside the image of {shape} pixels")
    return row, column


def _disc(close_up: CloseUp, at: tuple[int, int], retina: Mask, radius_mm: float) -> Region:
    """Gradable retina within a radius of a pixel of the image."""
    if not radius_mm > 0:
        raise ValueError(f"radius_mm is {radius_mm}; allowed are numbers above 0")
    here, there = close_up.place(0, 0), close_up.place(1, 1)
    mm = [(b - a) * close_up.pixel_mm for a, b in zip(here, there, strict=True)]
    rows, columns = (
        slice(max(0, int(place - radius_mm / size)), min(side, int(place + radius_mm / size) + 1))
        for place, size, side in zip(at, mm, retina.shape, strict=True)
    )
    down, right = np.ogrid[rows, columns]
    inside = np.hypot((down - at[0]) * mm[0], (right - at[1]) * mm[1]) <= radius_mm
    return Region((rows, columns), inside & retina[rows, columns])


def _canvas_pixel(close_up: CloseUp, at: tuple[int, int], part: Window) -> tuple[int, int]:
    """Pixel, on a part of the canvas, that is nearest to one of the image."""
    row, column = (
        min(max(round(place), span.start), span.stop - 1) - span.start
        for place, span in zip(close_up.place(*at), part, strict=True)
    )
    return row, column


def _around(start: tuple[int, int], passable: Mask) -> Mask:
    """Passable pixels that stand for the seed."""
    down, right = np.ogrid[: passable.shape[0], : passable.shape[1]]
    near = np.hypot(down - start[0], right - start[1]) <= SEED_RADIUS
    return np.asarray(near & passable)


def _barred(gray: Gray) -> Gray:
    """Smoothed gray, with vessels made brighter."""
    vessels = sato(gray, VESSEL_SIGMAS, black_ridges=False)
    return np.asarray(gaussian_filter(gray, SMOOTHING) + VESSEL_WEIGHT * vessels, np.float32)


def _excess(gray: Gray, around: Mask) -> Gray:
    """Gray above the seed's."""
    return np.asarray(np.maximum(gray - (gray[around].mean() + np.float32(GRAY_SLACK)), 0))


def _on_canvas(close_up: CloseUp, values: Gray, window: Window, part: Window) -> Gray:
    """Values of a window of the image on a part of the canvas, as at its border beyond it."""
    origin, one = close_up.place(0, 0), close_up.place(1, 1)
    scales = [1 / (second - first) for first, second in zip(origin, one, strict=True)]
    shifts = [
        (span.start - first) * scale - held.start
        for span, first, scale, held in zip(part, origin, scales, window, strict=True)
    ]
    sides = tuple(span.stop - span.start for span in part)
    shown = values[window].astype(np.float32, copy=False)
    return np.asarray(
        affine_transform(shown, scales, shifts, output_shape=sides, order=1, mode="nearest")
    )
