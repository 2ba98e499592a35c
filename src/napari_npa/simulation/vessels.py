"""Retinal vessels: polylines grown on the retina, in millimetres, and painted into an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_npa.types import Gray

Points = NDArray[np.float64]

STEP_MM = 0.22
"""Length of one segment; short against the bends of a vessel."""

MURRAY_EXPONENT = 3.0
"""The cubes of the daughters' widths sum to the mother's (Murray 1926)."""

LEAF_WIDTH_MM = {"artery": 0.026, "vein": 0.034}
"""Width of the last twigs; arteries to veins are about 2 : 3."""

WIDEST_MM = 0.21
"""99 % of the vessels in ultra-widefield vessel maps are below 0.2 mm."""

_INERTIA = 1.3
"""Weight of a vessel's own direction against the pull of the tissue that it supplies."""

_WOBBLE = 0.16
"""Random change of direction in one step, standard deviation, radians."""

_CHILDREN = 2
_MAX_STEPS = 160
_REACH = 0.55
"""Tissue counts as supplied within this share of the spacing of a level."""


@dataclass(frozen=True)
class Vessels:
    """Vessel segments on the retina.

    Attributes
    ----------
    points : (n, 2) float64
        Ends of the segments (down, right), in millimetres from the fovea.
    parents : (n,) int64
        Index of the preceding point, nearer the disc; always smaller; -1 at the disc.
    widths : (n,) float64
        Millimetres.
    """

    points: Points
    parents: NDArray[np.int64]
    widths: NDArray[np.float64]

    def segments(self) -> tuple[Points, Points, NDArray[np.float64]]:
        """Return start (m, 2), end (m, 2) and width (m,) of every segment, millimetres."""
        at = np.flatnonzero(self.parents >= 0)
        return self.points[self.parents[at]], self.points[at], self.widths[at]


@dataclass(frozen=True)
class Supply:
    """One level of growth: tissue that needs vessels.

    Attributes
    ----------
    spacing
        Distance between vessels of this level, millimetres.
    spared
        Radius about the fovea without vessels of this level, millimetres.
    centre, radius
        Round part of the retina to supply, millimetres from the fovea (down, right).
    """

    spacing: float
    spared: float
    centre: tuple[float, float]
    radius: float

    def tissue(self, rng: np.random.Generator) -> Points:
        """Draw points (n, 2) to be reached, on a jittered grid."""
        axis = np.arange(-self.radius, self.radius, self.spacing)
        grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
        grid = grid + rng.uniform(-0.5, 0.5, grid.shape) * self.spacing
        grid = grid[np.hypot(*grid.T) < self.radius] + self.centre
        return np.asarray(grid[np.hypot(*grid.T) > self.spared])


def grow(
    kind: str,
    disc: tuple[float, float],
    levels: Sequence[Supply],
    rng: np.random.Generator,
    leaf_scale: float = 1.0,
) -> Vessels:
    """Grow the arteries or the veins of an eye.

    Parameters
    ----------
    kind
        'artery' or 'vein'.
    disc
        Centre of the optic disc (down, right), millimetres from the fovea.
    levels
        What to supply, widest spacing first. Growing all at once gives parallel twigs.
    rng
        Source of the random numbers.
    leaf_scale
        Width of the last twigs as a multiple of `LEAF_WIDTH_MM`: larger if growth ends earlier.

    Notes
    -----
    Space colonisation (Runions 2005) with inertia, from trunks that follow the arcades.
    """
    points, parents, headings = _trunks(disc, rng)
    for level in levels:
        points, parents, headings = _colonise(points, parents, headings, level, rng)
    widths = _murray(parents, leaf_scale * LEAF_WIDTH_MM[kind])
    return Vessels(_meandering(_relaxed(points, parents), rng), parents, widths)


def twigs(
    vessels: Vessels, spacing: float, length: float, rng: np.random.Generator
) -> tuple[Points, Points]:
    """Draw short side branches, the feathery fringe of the vessels.

    Parameters
    ----------
    vessels
        Vessels from which the twigs branch.
    spacing
        Mean distance between twigs along a vessel, millimetres.
    length
        Mean length of a twig, millimetres.
    rng
        Source of the random numbers.

    Returns
    -------
    starts, ends : (n, 2) float64
        Segments, two per twig, millimetres.
    """
    start, end, _ = vessels.segments()
    count = int(len(start) * STEP_MM / spacing)
    pick = rng.integers(len(start), size=count)
    share = rng.uniform(size=(count, 1))
    origin = start[pick] * share + end[pick] * (1 - share)
    along = end[pick] - start[pick]
    side = rng.choice([-1.0, 1.0], count) * rng.uniform(0.7, 1.7, count)
    angle = np.arctan2(along[:, 0], along[:, 1]) + side
    half = rng.gamma(3.0, length / 6.0, count)[:, None]
    bend = angle + rng.normal(0, 0.5, count)
    knee = origin + half * np.stack([np.sin(angle), np.cos(angle)], -1)
    tip = knee + half * np.stack([np.sin(bend), np.cos(bend)], -1)
    return np.concatenate([origin, knee]), np.concatenate([knee, tip])


def paint(
    canvas: Gray,
    starts: Points,
    ends: Points,
    widths: NDArray[np.float64],
    values: NDArray[np.float64],
) -> None:
    """Paint segments into an image; where they overlap, the brightest is kept.

    Parameters
    ----------
    canvas : (rows, columns) float32
        Changed in place.
    starts, ends : (n, 2) float64
        Row and column of the ends, pixels.
    widths, values : (n,) float64
        Width in pixels and value on the axis. A line thinner than a pixel is dimmed in
        proportion; a wider one has a round profile, like a blood column seen from above.
    """
    lengths = np.hypot(*(ends - starts).T)
    counts = np.maximum(2, np.ceil(lengths / _SAMPLE_PX)).astype(np.int64)
    of = np.repeat(np.arange(len(starts)), counts)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    share = ((np.arange(len(of)) - first) / np.repeat(counts, counts))[:, None]
    axis = starts[of] * (1 - share) + ends[of] * share
    normals = (ends - starts)[:, ::-1] * (1.0, -1.0) / np.maximum(lengths, 1e-9)[:, None]
    normal, half, value = normals[of], np.maximum(widths / 2, 0.5)[of], values[of]
    value = value * np.minimum(1.0, widths[of])
    reach = int(np.ceil(half.max(initial=0.5) / _SAMPLE_PX))
    for lateral in np.arange(-reach, reach + 1) * _SAMPLE_PX:
        inside = np.abs(lateral) <= half
        profile = np.sqrt(np.clip(1 - (lateral / half[inside]) ** 2, 0.15, None))
        place = np.rint(axis[inside] + lateral * normal[inside]).astype(np.int64)
        on = ((place >= 0) & (place < canvas.shape)).all(1)
        brightness = (value[inside] * profile)[on].astype(np.float32)
        np.maximum.at(canvas, (place[on, 0], place[on, 1]), brightness)


_SAMPLE_PX = 0.6
"""Distance between the samples of a painted line: less than a pixel, so that it has no gaps."""


def _trunks(
    disc: tuple[float, float], rng: np.random.Generator
) -> tuple[Points, NDArray[np.int64], Points]:
    """Grow arcades around the macula and radial trunks on the other side of the disc."""
    lines = [_arcade(disc, sign, rng) for sign in (-1, 1)]
    nasal = np.sign(disc[1])
    for angle in rng.permutation(_SPOKES)[: rng.integers(5, len(_SPOKES))]:
        lines.append(_radial(disc, nasal, angle + rng.normal(0, 0.12), rng))
    points, parents = [], []
    total = 0
    for line in lines:
        points.append(line)
        parents.append(np.arange(total - 1, total + len(line) - 1))
        parents[-1][0] = -1
        total += len(line)
    placed = np.concatenate(points)
    headings = np.concatenate([np.gradient(line, axis=0) for line in points])
    return placed, np.concatenate(parents), _unit(headings)


_SPOKES = (-1.5, -1.15, -0.8, -0.4, 0.0, 0.4, 0.8, 1.15, 1.5)
"""Bearings of the trunks on the nasal side, radians from the horizontal."""


def _arcade(disc: tuple[float, float], sign: int, rng: np.random.Generator) -> Points:
    """Grow a temporal arcade: about a parabola with its vertex at the disc."""
    reach = rng.uniform(7.0, 12.0)
    steepness = rng.uniform(1.35, 1.95)  # sqrt(mm): the arcade is 3 to 4.3 mm above the fovea
    x = np.linspace(0, 1, int(1.5 * reach / STEP_MM)) ** 1.6 * reach
    y = steepness * np.sqrt(x) + 0.12 * np.sin(x * rng.uniform(1.5, 2.5) + rng.uniform(0, 6))
    return np.stack([disc[0] + sign * y, disc[1] - np.sign(disc[1]) * x], -1)


def _radial(
    disc: tuple[float, float], nasal: float, angle: float, rng: np.random.Generator
) -> Points:
    length = rng.uniform(2.5, 7.0)
    s = np.arange(0, length, STEP_MM)
    bearing = angle + np.cumsum(rng.normal(0, 0.06, len(s))) + rng.normal(0, 0.04) * s
    steps = STEP_MM * np.stack([np.sin(bearing), nasal * np.cos(bearing)], -1)
    return np.asarray(disc) + np.cumsum(steps, 0)


def _colonise(
    points: Points,
    parents: NDArray[np.int64],
    headings: Points,
    level: Supply,
    rng: np.random.Generator,
) -> tuple[Points, NDArray[np.int64], Points]:
    tissue = level.tissue(rng)
    nearest, distance = _nearest(tissue, points)
    children = np.bincount(parents[parents >= 0], minlength=len(points))
    for _ in range(_MAX_STEPS):
        hungry = distance > _REACH * level.spacing
        tissue, nearest, distance = tissue[hungry], nearest[hungry], distance[hungry]
        tips = np.unique(nearest[children[nearest] < _CHILDREN])
        if not len(tips):
            break
        pull = np.zeros_like(points)
        np.add.at(pull, nearest, _unit(tissue - points[nearest]))
        # A side branch leaves at an angle; only a tip goes on in its own direction.
        inertia = np.where(children[tips] == 0, _INERTIA, 0.3)[:, None]
        heading = _unit(_unit(pull[tips]) + inertia * headings[tips])
        heading = _turned(heading, rng.normal(0, _WOBBLE, len(tips)))
        new = points[tips] + STEP_MM * heading
        children[tips] += 1
        found, reached = _nearest(tissue, new)
        closer = reached < distance
        nearest = np.where(closer, found + len(points), nearest)
        distance = np.minimum(distance, reached)
        points, parents = np.concatenate([points, new]), np.concatenate([parents, tips])
        headings = np.concatenate([headings, heading])
        children = np.concatenate([children, np.zeros(len(new), children.dtype)])
    return points, parents, headings


def _nearest(targets: Points, points: Points) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find the index of the point nearest to each target, and its distance."""
    squared = (targets**2).sum(1)[:, None] + (points**2).sum(1)[None] - 2 * targets @ points.T
    found = squared.argmin(1)
    return found, np.sqrt(np.clip(squared[np.arange(len(targets)), found], 0, None))


def _murray(parents: NDArray[np.int64], leaf: float) -> NDArray[np.float64]:
    power = np.zeros(len(parents))
    for child in range(len(parents) - 1, -1, -1):
        power[child] = max(power[child], leaf**MURRAY_EXPONENT)
        if parents[child] >= 0:
            power[parents[child]] += power[child]
    return np.minimum(power ** (1 / MURRAY_EXPONENT), WIDEST_MM)


def _relaxed(points: Points, parents: NDArray[np.int64]) -> Points:
    """Move each point halfway to the middle of its neighbours, which rounds the corners."""
    smooth = points.copy()
    for _ in range(4):
        linked = np.flatnonzero(parents >= 0)
        total, count = np.zeros_like(smooth), np.zeros(len(smooth))
        np.add.at(total, linked, smooth[parents[linked]])
        np.add.at(total, parents[linked], smooth[linked])
        np.add.at(count, linked, 1)
        np.add.at(count, parents[linked], 1)
        inner = count >= 2
        smooth[inner] = 0.5 * smooth[inner] + 0.5 * total[inner] / count[inner, None]
    return smooth


def _meandering(points: Points, rng: np.random.Generator) -> Points:
    """Displace points by a few waves of the tissue, since vessels are never straight."""
    moved = points.copy()
    for length, height in _WAVES_MM:
        bearing = rng.uniform(0, 2 * np.pi)
        wave = 2 * np.pi / (length * rng.uniform(0.7, 1.4))
        direction = np.array([np.sin(bearing), np.cos(bearing)])
        phase = points @ direction * wave + rng.uniform(0, 2 * np.pi)
        moved += height * np.sin(phase)[:, None] * direction[::-1] * (1, -1)
    return moved


_WAVES_MM = ((5.0, 0.18), (5.0, 0.18), (2.4, 0.07), (2.4, 0.07), (1.2, 0.025), (1.2, 0.025))
"""Length and height of the waves, millimetres."""


def _turned(vectors: Points, angles: NDArray[np.float64]) -> Points:
    sine, cosine = np.sin(angles), np.cos(angles)
    down, right = vectors.T
    return np.stack([cosine * down + sine * right, cosine * right - sine * down], -1)


def _unit(vectors: Points) -> Points:
    return np.asarray(vectors / np.maximum(np.hypot(*vectors.T), 1e-9)[:, None])
