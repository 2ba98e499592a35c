"""Geometry of a simulated image: its scale, the fovea and the disc."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_npa.simulation.fields import Image
from napari_npa.simulation.vessels import Points

EYE_RADIUS_MM = 12.0
"""Half of an axial length of 24 mm."""


@dataclass(frozen=True)
class Scene:
    """How the retina is projected into the image.

    Attributes
    ----------
    size
        Rows and columns.
    mm_per_pixel
        At the fovea.
    fovea
        Row and column of the fovea, pixels; may lie outside a 55° image.
    disc_mm
        Centre of the disc (down, right), millimetres along the retina from the fovea.
    wide
        Whether the projection is stereographic about the fovea (ultra-widefield). Otherwise
        it is flat, which over 55° is wrong by less than 6 %.
    """

    size: int
    mm_per_pixel: float
    fovea: tuple[float, float]
    disc_mm: tuple[float, float]
    wide: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.size, self.size)

    @property
    def disc(self) -> tuple[float, float]:
        """Row and column of the disc's centre, pixels."""
        row, column = self.to_pixels(np.array([self.disc_mm]))[0]
        return float(row), float(column)

    def to_pixels(self, points: Points) -> Points:
        """Project points (n, 2), millimetres from the fovea, to rows and columns."""
        return np.asarray(self.fovea) + points * self.magnification(points)[:, None] / (
            self.mm_per_pixel
        )

    def segments_in_pixels(
        self, start: Points, end: Points, width: NDArray[np.float64]
    ) -> tuple[Points, Points, NDArray[np.float64]]:
        """Project start, end and width of vessel segments from millimetres to pixels."""
        pixels = width * self.magnification(end) / self.mm_per_pixel
        return self.to_pixels(start), self.to_pixels(end), pixels

    def magnification(self, points: Points) -> NDArray[np.float64]:
        """Divide projected by true distance from the fovea, >= 1, for points (n, 2) in mm."""
        if not self.wide:
            return np.ones(len(points))
        half = np.clip(np.hypot(*points.T) / (2 * EYE_RADIUS_MM), 1e-6, 1.3)
        return np.asarray(np.tan(half) / half)

    def retina_mm(self, step: int = 1) -> tuple[Image, Image]:
        """Return millimetres down and right of the fovea, for every `step`-th pixel."""
        axis = (np.arange(self.size // step, dtype=np.float32) + 0.5) * step - 0.5
        down = (axis - self.fovea[0])[:, None] * self.mm_per_pixel
        right = (axis - self.fovea[1])[None] * self.mm_per_pixel
        if not self.wide:
            return np.broadcast_arrays(down, right)  # type: ignore[return-value]
        flat = np.hypot(down, right) + 1e-6
        ratio = 2 * EYE_RADIUS_MM * np.arctan(flat / (2 * EYE_RADIUS_MM)) / flat
        return (down * ratio).astype(np.float32), (right * ratio).astype(np.float32)


def wide_scene(size: int, rng: np.random.Generator) -> Scene:
    """Place an ultra-widefield image, about 76 mm wide, with the fovea near the middle."""
    fovea = size * (0.5 + rng.normal(0, 0.02, 2))
    return Scene(
        size,
        rng.uniform(*WIDE_SPAN_MM) / size,
        (float(fovea[0]), float(fovea[1])),
        _disc_mm(rng),
        wide=True,
    )


def narrow_scene(size: int, rng: np.random.Generator) -> Scene:
    """Place a 55° image that looks at the macula, the disc or anywhere in the mid-periphery."""
    disc = _disc_mm(rng)
    span = rng.uniform(*NARROW_SPAN_MM)
    if rng.uniform() < _POSTERIOR_SHARE:
        gaze = np.asarray(disc) * rng.uniform(-0.2, 0.9) + rng.normal(0, 1.4, 2)
    else:
        bearing = rng.uniform(0, 2 * np.pi)
        gaze = rng.uniform(4.0, 11.0) * np.array([np.sin(bearing), np.cos(bearing)])
    fovea = size / 2 - gaze * size / span
    return Scene(size, span / size, (float(fovea[0]), float(fovea[1])), disc, wide=False)


WIDE_SPAN_MM = (68.0, 82.0)
"""Width of the square image at the scale of its centre: 4000 pixels of 19 µm are 76 mm."""

NARROW_SPAN_MM = (13.3, 18.4)
"""Diameter of a 55° field: 512 pixels of 26 to 36 µm."""

DISC_FOVEA_MM = (4.5, 5.0)
DISC_ANGLE = (0.1, 0.42)
"""Angle of the disc above the fovea's horizontal, radians: 15 to 26° measured, less when the head
tilts."""

_POSTERIOR_SHARE = 0.6


def _disc_mm(rng: np.random.Generator) -> tuple[float, float]:
    distance, angle = rng.uniform(*DISC_FOVEA_MM), rng.uniform(*DISC_ANGLE)
    side = rng.choice([-1.0, 1.0])
    return -float(distance * np.sin(angle)), float(side * distance * np.cos(angle))
