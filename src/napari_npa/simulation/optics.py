"""How camera and lids change the light: fields, fall-off, lids, seams, noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_npa.imaging.raster import filled, largest_part
from napari_npa.simulation.fields import Image, blur, noise, octaves, soft_step
from napari_npa.simulation.vessels import paint
from napari_npa.types import Mask

WIDE_FALL_OFF = ((0.0, 34.0), (0.05, 31.0), (0.15, 17.0), (0.25, 10.0), (0.35, 5.5), (0.45, 2.0))
"""Distance from the posterior pole as a share of the image's width, and gray levels there:
medians of ultra-widefield images are 28-47 / 16-28 / 11-21 / 5-11 in rings of 400 of 4000
pixels."""

VISIBLE_OVER_NOISE = 3.05
"""Ground this many times as bright as the noise of an ultra-widefield image still shows its
vessels."""

NARROW_VISIBLE_LEVELS = 3.2
"""Ground of a 55° frame this bright, in gray levels, still shows its vessels."""

NOISE_LEVELS = (0.7, 1.2)
"""Standard deviation of the noise, gray levels."""


@dataclass(frozen=True)
class Camera:
    """Everything between the retina and the picture.

    Attributes
    ----------
    field : (rows, columns) bool
        The instrument's field; outside it the picture is black.
    light : (rows, columns) float32
        Gray levels of a perfused ground of brightness 1.
    veil : (rows, columns) float32
        Stray light added, gray levels: haze, black level, lids.
    cover : (rows, columns) float32
        Share of the retina's light that a lid blocks, 0 to 1.
    sharpness : (rows, columns) float32
        1 in focus, 0 out of focus.
    blur_px
        Standard deviation of the blur in focus, pixels.
    noise_levels
        Standard deviation of the noise, gray levels.
    visible_levels
        Ground brighter than this, gray levels, shows its vessels.
    """

    field: Mask
    light: Image
    veil: Image
    cover: Image
    sharpness: Image
    blur_px: float
    noise_levels: float
    visible_levels: float

    def gradable(self) -> Mask:
        """Find the retina in which vessels or their absence can be seen: the largest lit piece."""
        level = blur(self.light * (1 - self.cover) - 0.35 * np.clip(self.veil - 12, 0, None), 4.0)
        visible = (level > self.visible_levels) & (self.cover < _COVERED) & self.field
        step = max(1, len(visible) // 256)
        opened = ndimage.binary_opening(visible[::step, ::step], iterations=3)
        grown = ndimage.binary_dilation(largest_part(opened), iterations=2).astype(np.float32)
        near = np.kron(grown, np.ones((step, step), np.float32))
        near = near[: visible.shape[0], : visible.shape[1]]  # the last step may reach beyond
        return filled(visible & (near > 0)) & self.field

    def picture(self, retina: Image, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Take a picture of a retina.

        Parameters
        ----------
        retina : (rows, columns) float32
            Light of the retina, 1 for an ordinary perfused ground.
        rng
            Source of the random numbers.

        Returns
        -------
        pixels : (rows, columns) uint8
            Gray levels, 1 to 255 inside the field and 0 outside.
        """
        lit = retina * self.light * (1 - self.cover)
        lit = self._focused(lit)
        grain = rng.standard_normal(lit.shape, dtype=np.float32)
        grain = ndimage.gaussian_filter(grain, rng.uniform(*_GRAIN_PX), truncate=3.0)
        if rng.uniform() < _SCAN_LINES_SHARE:
            along = rng.standard_normal(lit.shape, dtype=np.float32)
            along = ndimage.gaussian_filter(along, (0, rng.uniform(2, 8)), truncate=3.0)
            grain = grain / grain.std() + rng.uniform(0.3, 1.5) * along / along.std()
        levels = lit + self.veil + grain * (self.noise_levels / grain.std())
        levels += 0.02 * grain / grain.std() * np.sqrt(np.clip(levels, 0, None)) * 4
        rolled = np.where(levels > _KNEE, _KNEE + (levels - _KNEE) * _ROLL_OFF, levels)
        return np.where(self.field, np.clip(np.rint(rolled), 1, 255), 0).astype(np.uint8)

    def _focused(self, lit: Image) -> Image:
        """Blur more where the sharpness is lower: mix the nearest two of three blurs."""
        sharp, soft, dim = (blur(lit, self.blur_px * factor) for factor in _DEFOCUS)
        far = np.clip(2 * self.sharpness, 0, 1)
        near = np.clip(2 * self.sharpness - 1, 0, 1)
        mixed = dim + far * (soft - dim)
        return np.asarray(mixed + near * (sharp - soft), np.float32)


def wide_camera(size: int, pole: tuple[float, float], rng: np.random.Generator) -> Camera:
    """Set up an ultra-widefield scanning laser ophthalmoscope, for one frame or a montage.

    Parameters
    ----------
    size
        Rows and columns.
    pole
        Row and column of the brightest part, near fovea and disc.
    rng
        Source of the random numbers.
    """
    shape = (size, size)
    y, x = _unit_axes(size)
    field = _wide_field(y, x, rng)
    warp = 1 + 0.13 * octaves(shape, size / 3, rng, 2)
    away = np.hypot(y - pole[0] / size, (x - pole[1] / size) * rng.uniform(0.8, 0.95)) * warp
    distances, levels = zip(*WIDE_FALL_OFF, strict=True)
    reach = rng.uniform(0.85, 1.2)
    light = np.interp(away / reach, distances, levels).astype(np.float32)
    light *= np.exp(rng.normal(0, 0.25))
    light = blur(light, size / 60)
    for _ in range(rng.integers(0, 4)):
        light *= _seam(y, x, rng)
    for _ in range(rng.poisson(0.8)):
        light *= _wedge(y, x, rng)
    veil = np.full(shape, rng.uniform(1.0, 5.5), np.float32)
    veil += np.clip(noise(shape, size / 4, rng), 0, None) * rng.uniform(0, 3.0)
    cover = np.zeros(shape, np.float32)
    for top in (True, False):
        if rng.uniform() < (_TOP_LID_SHARE if top else _BOTTOM_LID_SHARE):
            light, veil, cover = _lid(light, veil, cover, top, rng)
    loss = rng.uniform(0.8, 2.4)
    sharpness = np.clip(1.2 - loss * away + 0.25 * noise(shape, size / 5, rng), 0.05, 1)
    blur_px = rng.uniform(*_WIDE_BLUR_PX) * size / 1024
    noise_levels = rng.uniform(*NOISE_LEVELS)
    visible = VISIBLE_OVER_NOISE * noise_levels
    return Camera(field, light, veil, cover, sharpness, blur_px, noise_levels, visible)


def narrow_camera(size: int, rng: np.random.Generator) -> Camera:
    """Set up a 55° camera: a round field as wide as the image."""
    shape = (size, size)
    y, x = _unit_axes(size)
    crop = rng.uniform(1.01, 1.03) if rng.uniform() < 0.25 else 1.0
    from_centre = np.hypot(y - 0.5 + 0.5 / size, x - 0.5 + 0.5 / size)
    field = from_centre < 0.5 * crop
    centre = 0.5 + rng.normal(0, 0.13, 2)
    away = np.hypot(y - centre[0], x - centre[1])
    light = rng.lognormal(np.log(42.0), 0.4) * (1 - rng.uniform(0.5, 2.2) * away**2)
    light = light * (1 + 0.12 * octaves(shape, size / 3, rng, 2))
    for _ in range(rng.poisson(0.3)):
        light = light * _wedge(y, x, rng)
    for _ in range(rng.poisson(0.9)):
        light = light * _dim_edge(y, x, rng)
    veil = np.full(shape, rng.uniform(6, 20), np.float32)
    veil *= np.clip(1 + 0.25 * noise(shape, size / 3, rng), 0.3, None)
    sharpness = np.clip(1.2 - 0.7 * away + 0.15 * noise(shape, size / 4, rng), 0.2, 1)
    light = np.clip(light, 1.0, None).astype(np.float32)
    cover = np.zeros(shape, np.float32)
    blur_px = rng.uniform(*_NARROW_BLUR_PX) * size / 512
    noise_levels = rng.uniform(*_NARROW_NOISE)
    visible = NARROW_VISIBLE_LEVELS
    return Camera(field, light, veil, cover, sharpness, blur_px, noise_levels, visible)


_COVERED = 0.35
_GRAIN_PX = (0.4, 1.0)
_SCAN_LINES_SHARE = 0.4
_WIDE_BLUR_PX = (0.45, 0.9)
_NARROW_BLUR_PX = (0.2, 0.6)
_NARROW_NOISE = (1.0, 4.5)
_DEFOCUS = (1.0, 2.2, 5.0)
_KNEE, _ROLL_OFF = 190.0, 0.6
_TOP_LID_SHARE, _BOTTOM_LID_SHARE = 0.55, 0.45


def _unit_axes(size: int) -> tuple[Image, Image]:
    """Return rows (size, 1) and columns (1, size) as shares of the image, 0 to 1."""
    axis = np.arange(size, dtype=np.float32) / np.float32(size)
    return axis[:, None], axis[None]


def _wide_field(y: Image, x: Image, rng: np.random.Generator) -> Mask:
    """Join one to three rounded frames, concave at the bottom and cut by frame edges."""
    field = np.zeros((y.shape[0], x.shape[1]), bool)
    tilt = rng.normal(0, 0.1)
    for frame in range(rng.integers(1, 4)):
        centre = 0.5 + rng.normal(0, 0.02 + 0.03 * (frame > 0), 2)
        height, width = rng.uniform(0.36, 0.42), rng.uniform(0.38, 0.46)
        dy, dx = y - centre[0], x - centre[1]
        power = rng.uniform(2.0, 2.6)
        field |= np.abs((dy + tilt * dx) / height) ** power + np.abs(dx / width) ** power < 1
    bottom = 0.5 + rng.uniform(0.3, 0.4)
    radius = rng.uniform(0.25, 0.7)
    field &= np.hypot(y - bottom - radius, x - 0.5 - rng.normal(0, 0.04)) > radius
    for _ in range(rng.poisson(0.8)):
        bearing = rng.uniform(0, 2 * np.pi)
        field &= (y - 0.5) * np.sin(bearing) + (x - 0.5) * np.cos(bearing) < rng.uniform(0.34, 0.44)
    edge = 0.01
    return field & (y > edge) & (y < 1 - edge) & (x > edge) & (x < 1 - edge)


def _seam(y: Image, x: Image, rng: np.random.Generator) -> Image:
    """Draw the gain of one frame of a montage: a step along a slightly curved line."""
    bearing = rng.uniform(0, 2 * np.pi)
    along = (y - 0.5) * np.cos(bearing) - (x - 0.5) * np.sin(bearing)
    across = (y - 0.5) * np.sin(bearing) + (x - 0.5) * np.cos(bearing)
    edge = across - rng.uniform(0.16, 0.36) + rng.normal(0, 0.5) * along**2
    return 1 + (rng.uniform(0.45, 1.35) - 1) * soft_step(edge, rng.uniform(0.0008, 0.012))


def _wedge(y: Image, x: Image, rng: np.random.Generator) -> Image:
    """Draw a soft dark wedge from the rim: the shadow of an opacity in the eye."""
    bearing = rng.uniform(0, 2 * np.pi)
    apex = 0.5 + rng.uniform(0.08, 0.3) * np.array([np.sin(bearing), np.cos(bearing)])
    dy, dx = y - apex[0], x - apex[1]
    along = dy * np.sin(bearing) + dx * np.cos(bearing)
    across = np.abs(dy * np.cos(bearing) - dx * np.sin(bearing))
    ragged = 0.03 * octaves((y.shape[0], x.shape[1]), y.shape[0] / 6, rng, 2)
    inside = along - across / rng.uniform(0.25, 0.9) + ragged
    return 1 - rng.uniform(0.5, 0.97) * soft_step(inside, rng.uniform(0.015, 0.05))


def _dim_edge(y: Image, x: Image, rng: np.random.Generator) -> Image:
    """Dim one side of the field, as the pupil's edge or a lid out of focus does."""
    bearing = rng.uniform(0, 2 * np.pi)
    along = (y - 0.5) * np.sin(bearing) + (x - 0.5) * np.cos(bearing)
    across = (y - 0.5) * np.cos(bearing) - (x - 0.5) * np.sin(bearing)
    inside = along - 0.5 + rng.uniform(0.02, 0.3) + rng.normal(0, 0.4) * across**2
    return 1 - rng.uniform(0.3, 0.9) * soft_step(inside, rng.uniform(0.03, 0.15))


def _lid(
    light: Image, veil: Image, cover: Image, top: bool, rng: np.random.Generator
) -> tuple[Image, Image, Image]:
    """Add a lid: a bright band with lashes, and a shadow beside it in which vessels still show."""
    size = len(light)
    y, x = _unit_axes(size)
    depth = rng.uniform(0.08, 0.24)
    centre = 0.5 + rng.normal(0, 0.2)
    curve = rng.uniform(-0.9, 0.5) * (x - centre) ** 2 + rng.normal(0, 0.25) * (x - 0.5)
    ripple = 0.012 * octaves((size, size), size / 6, rng, 2)
    inward = y if top else 1 - y
    from_edge = depth + curve + ripple - inward  # > 0 under the lid
    band = soft_step(from_edge, rng.uniform(0.003, 0.02))
    shadow_width = rng.uniform(0.03, 0.12)
    shadow = soft_step(from_edge + shadow_width, rng.uniform(0.4, 0.8) * shadow_width)
    partial = rng.uniform() < 0.4
    if partial:  # the lid covers one side only
        side = soft_step((x - rng.uniform(0.3, 0.7)) * rng.choice([-1, 1]), 0.04)
        band, shadow = band * side, shadow * side
    glow = rng.uniform(25, 190) * (1 + 0.3 * octaves((size, size), size / 12, rng, 4))
    glow = np.clip(glow, 8, None) * np.clip(0.45 + 7 * from_edge, 0.2, 1.2)
    if rng.uniform() < 0.6:
        glow *= 1 - 0.75 * _lashes(size, depth, top, rng)
    light = light * (1 - rng.uniform(0.3, 0.85) * shadow)
    bright = (glow * band).astype(np.float32)
    return light, veil + bright, np.maximum(cover, band)


def _lashes(size: int, depth: float, top: bool, rng: np.random.Generator) -> Image:
    """Draw dark curved streaks across the margin of a lid, 0 to 1."""
    count = int(rng.integers(8, 40))
    root = np.stack([rng.uniform(0, depth, count), rng.uniform(0.15, 0.85, count)], -1)
    angle = rng.normal(np.pi / 2, 0.5, count)
    turn = rng.normal(0, 0.25, count)
    starts, ends = [], []
    for _ in range(6):
        tip = root + 0.012 * np.stack([np.sin(angle), np.cos(angle)], -1)
        starts.append(root)
        ends.append(tip)
        root, angle = tip, angle + turn
    lines = [np.concatenate(part) * size for part in (starts, ends)]
    if not top:
        lines = [np.stack([size - 1 - line[:, 0], line[:, 1]], -1) for line in lines]
    streaks = np.zeros((size, size), np.float32)
    width = np.full(len(lines[0]), rng.uniform(0.0015, 0.004) * size)
    paint(streaks, lines[0], lines[1], width, np.ones(len(width)))
    return blur(streaks, 0.8)
