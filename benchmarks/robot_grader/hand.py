"""What a hand draws, and how long it takes.

KLM is the keystroke-level model: Card, Moran and Newell 1980, DOI 10.1145/358886.358895.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.draw import line
from skimage.graph import MCP_Geometric
from skimage.measure import find_contours, perimeter
from skimage.morphology import skeletonize

from napari_npa.refine import Region, polygon_region
from napari_npa.types import Mask, Window
from robot_grader.errors import Part

THINK = 1.35
"""Seconds to prepare an action (KLM's M)."""

POINT = 1.1
"""Seconds to point at something on the screen (KLM's P)."""

PRESS = 0.2
"""Seconds to press a button or a key (KLM's K)."""

CORNER = 0.9
"""Seconds for each straight line that is drawn (KLM's D, 0.9 n + 0.16 l)."""

STRAIGHT_CM = 0.16
"""Seconds for each centimetre of straight line (KLM's D)."""

LOOK = 2.0
"""Seconds to see what an action did and where the largest error is now: THINK, and two or three
fixations of a quarter of a second."""

FIRST_LOOK = 10.0
"""Seconds to look over an image before the first action, in every arm. An assumption; it counts
against the fastest arm most."""

AUTOMATIC = 4.0
"""Seconds to press Run and wait for the large network (measured: 1 to 2 s on one core)."""

NETWORK_WAIT = 0.3
"""Seconds from the release of the mouse to what a tool found in a small frame (measured: 0.2 s
on one core)."""

EVERYWHERE_WAIT = 4.0
"""Seconds that it takes longer in a frame around everything; in proportion for smaller ones
(measured: 4 s on one core, 1 s for a quarter)."""

GROW_WAIT = 0.3
"""Seconds from a click to what grew (measured: 0.1 s)."""

WATCH = 3.0
"""Seconds to drag a slider while looking: four stops, each of three fixations of 0.25 s."""

UNDO = THINK + 2 * PRESS
"""Seconds to take an action back: Ctrl, Z."""

SCREEN_CM = 27.0
"""Height of the image on the screen, unzoomed: a 24-inch monitor less the frame of the window."""

ZOOMS = (1.0, 2.5)
"""Magnifications to draw at: all of the image, or two fifths of its side."""

ZOOM = 2.0
"""Seconds to turn the wheel and find the place again, there and back."""

HAND_CM = 0.5
"""Seconds for a centimetre of a line that follows a border. Steering law (Accot and Zhai 1997),
length over width times 0.1 s with a mouse, in a tunnel 2 mm wide."""

PAINT_CM = 0.2
"""Seconds for a centimetre of a brush stroke: its tunnel is the brush, 5 mm and more."""

DECIDE_CM = {"graders": 4.0, "sure": 0.0}
"""Seconds that it takes, for each centimetre that is drawn by hand (unzoomed), to decide where a
border runs. Sure: as if it were printed in the image, so that only the hand takes time. Graders:
so that an image takes trained graders 297 s. A simulated ultra-widefield eye has 53 cm of outline
in 6 parts on the screen (measured on 15); with FIRST_LOOK, 5 s to look and point for each part,
and the hand's own time, 297 s leave 4.3 s a centimetre. Their images were others: a rough figure,
rounded down."""

CHECK_CM = 0.25
"""Seconds to check a centimetre of the automatic result's outline: a fixation."""

WOBBLE_CM = 0.05
"""Standard deviation of a hand from the line it follows: within the tunnel 95 % of the time."""

WAVE_CM = 0.5
"""Length over which the wobble is alike."""

STEP_CM = 0.3
"""Distance of the corners of a line that is drawn by hand: finer detail is passed over."""

STROKE_CM = 10.0
"""Longest stroke without lifting the brush."""

BRUSHES = (1 / 100, 1 / 60, 1 / 40)
"""Radii of the brush, sides of the image: the size that is offered first, and larger ones."""


@dataclass(frozen=True)
class Drawn:
    """What a hand drew: where, how long it took, and how long the line is unzoomed."""

    region: Region
    seconds: float
    cm: float


@dataclass(frozen=True)
class Screen:
    """An image on the screen, and the hand before it.

    Attributes
    ----------
    shape
        Rows and columns of the image.
    decide_cm
        One of :data:`DECIDE_CM`.
    """

    shape: tuple[int, int]
    decide_cm: float

    @property
    def pixels_per_cm(self) -> float:
        return max(self.shape) / SCREEN_CM

    def wobbling(
        self, points: NDArray[np.float64], step: float, zoom: float, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Points that are `step` screen centimetres apart, as a hand meets them."""
        waves = ndi.gaussian_filter1d(rng.normal(size=points.shape), WAVE_CM / step, axis=0)
        # A Gaussian of s samples leaves 1 / sqrt(2 s sqrt(pi)) of white noise's deviation.
        waves *= np.sqrt(2 * np.sqrt(np.pi) * WAVE_CM / step)
        return points + waves * WOBBLE_CM * self.pixels_per_cm / zoom

    def outline(self, wanted: Part, zoom: float, rng: np.random.Generator) -> Drawn | None:
        """A closed line by hand around a part of the image; holes in it are filled."""
        contours = find_contours(np.pad(wanted.mask, 2).astype(np.float32), 0.5)
        contour = max(contours, key=len) + [span.start - 2 for span in wanted.window]
        contour, length = even(contour, STEP_CM * self.pixels_per_cm / zoom)
        region = polygon_region(self.wobbling(contour, STEP_CM, zoom, rng), self.shape)
        if region is None:
            return None
        cm = length / self.pixels_per_cm
        return Drawn(region, self.seconds(cm, HAND_CM, zoom), cm)

    def stroke(
        self, path: NDArray[np.float64], radius: float, zoom: float, rng: np.random.Generator
    ) -> Drawn | None:
        """A stroke of the brush along a line, radius in sides of the image."""
        if len(path) > 2:
            path, _ = even(path, STEP_CM * self.pixels_per_cm / zoom)
            path = path[: max(2, int(STROKE_CM / STEP_CM))]
            path = self.wobbling(path, STEP_CM, zoom, rng)
        length = float(np.hypot(*np.diff(path, axis=0).T).sum())
        region = stamped(path, max(1.0, radius * max(self.shape) / zoom), self.shape)
        if region is None:
            return None
        cm = length / self.pixels_per_cm
        return Drawn(region, self.seconds(cm, PAINT_CM, zoom), cm)

    def seconds(self, cm: float, pace: float, zoom: float) -> float:
        """What drawing takes: `cm` unzoomed, at a pace in seconds for each zoomed centimetre."""
        return POINT + PRESS + ZOOM * (zoom > 1) + cm * (zoom * pace + self.decide_cm)

    def outline_cm(self, mask: Mask) -> float:
        """Length of the outlines of a mask, unzoomed."""
        return float(perimeter(mask)) / self.pixels_per_cm


def even(points: NDArray[np.float64], step: float) -> tuple[NDArray[np.float64], float]:
    """Points about `step` apart along a line, at least four, and its length."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.linspace(0, along[-1], max(4, int(along[-1] / step) + 1))
    even = np.column_stack([np.interp(at, along, axis) for axis in points.T])
    return even, float(along[-1])


def medial(part: Part) -> NDArray[np.float64]:
    """Longest way along the middle of a part, (n, 2) rows and columns."""
    middle = skeletonize(np.pad(part.mask, 1))
    ways = MCP_Geometric(np.where(middle, 1.0, -1.0))
    end = tuple(np.argwhere(middle)[0])
    for _ in range(2):  # farthest from anywhere, then farthest from there
        costs, _ = ways.find_costs([end])
        costs = np.where(np.isfinite(costs) & middle, costs, -1)
        end = np.unravel_index(costs.argmax(), costs.shape)
    path = np.array(ways.traceback(end), np.float64)
    return path + [span.start - 1 for span in part.window]


def stamped(path: NDArray[np.float64], radius: float, shape: tuple[int, int]) -> Region | None:
    """Pixels within a radius of a line."""
    low = np.maximum(np.floor(path.min(axis=0) - radius).astype(int), 0)
    high = np.minimum(np.ceil(path.max(axis=0) + radius).astype(int) + 1, shape)
    if (high <= low).any():
        return None
    free = np.ones(high - low, np.bool_)
    points = np.clip(np.round(path).astype(int) - low, 0, high - low - 1)
    for first, second in pairwise(points):
        free[line(*first, *second)] = False
    free[tuple(points.T)] = False
    window: Window = (slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])))
    return Region(window, ndi.distance_transform_edt(free) <= radius)
