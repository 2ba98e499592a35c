"""Non-perfusion painted on perfused angiograms: a real picture, and an exact mask.

Outlined angiograms are few, and simulated ones never look quite real. Between the two:
on a real eye without non-perfusion, areas bounded by its own vessels lose their capillaries and
small vessels. What differs inside and outside an area is then non-perfusion and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import sato
from skimage.morphology import remove_small_objects

from napari_npa.imaging.contrast import GAMMA
from napari_npa.simulate import capillaries, lesions
from napari_npa.simulate.fields import Image, blur, noise
from napari_npa.simulate.scene import NARROW_SPAN_MM, Scene
from napari_npa.training.examples import Example
from napari_npa.types import Mask

CANVAS = 512
"""Canvas for which the lengths in pixels below are given; on others they are scaled."""

FRAME_SHARE = 0.7
"""Share of the canvas that a round frame fills (π/4); an ultra-widefield field fills less."""

VESSEL_WIDTHS_PX = (1.0, 2.0, 3.0)
"""Standard deviations of the ridges looked for."""

WIDE_VESSEL_PX = 2.5
"""Ridges this wide stay in many areas: larger vessels cross non-perfusion."""

GROUND_PX = 7.0
"""The ground is the mean over this many pixels of what is no vessel."""

BRIGHT = 2.0
"""Ground this many times brighter than the eye's median is disc, stain or scar."""

DARK = 0.7
MACULA_PX = 40.0
"""Ground darker than this share of its surround is macula or shadow, and stays as it is."""

SMALLEST_PX = 60
"""Graders outline nothing smaller."""

_WIDE_STAY_SHARE = 0.7
_GRAIN = (0.35, 0.9)
"""Grain of the ground left inside an area: the camera's, without the capillaries'."""

_SICK_SHARE = 0.6
_SICK_MM = (0.3, 1.2)
_LACE = (0.1, 0.5)
_MOST_COVERED = 0.75
_TRIES = 8


@dataclass(frozen=True)
class Ground:
    """What an angiogram is made of, as far as painting needs to know.

    Attributes
    ----------
    level : (rows, columns) float32
        Smooth gray level without vessels.
    grain
        Standard deviation of the ground's texture and noise about `level`.
    vessels, wide : (rows, columns) float32
        Vessels of any width, and wide ones, 0 to 1.
    paintable : (rows, columns) bool
        Retina, without what is too bright or too dark to be ground.
    """

    level: Image
    grain: float
    vessels: Image
    wide: Image
    paintable: Mask


def painted(example: Example, count: int, seed: int) -> list[Example]:
    """Draw `count` diseased variants of a perfused 55° example.

    Parameters
    ----------
    example
        Any but a perfused 55° frame has no variants.
    count
        How many.
    seed
        The same seed gives the same variants of the same eye, whatever it is trained with.

    Returns
    -------
    variants
        Examples of source 'painted' and of the patient whose eye they show.
    """
    if example.source != "perfused" or np.mean(example.stretched > 0) <= FRAME_SHARE or not count:
        return []
    ground = analyse(example.image)
    name = crc32(example.path.stem.encode())
    variants = []
    for variant in range(count):
        rng = np.random.default_rng([seed, name, variant])
        image, npa = paint(example.image, ground, rng)
        stretched = np.round(255 * image).astype(np.uint8)
        variants.append(replace(example, source="painted", stretched=stretched, npa=npa))
    return variants


def analyse(image: Image) -> Ground:
    """Tell the ground of a contrast-normalised angiogram (0 outside its field) from its vessels."""
    scale = len(image) / CANVAS
    field = ndimage.binary_erosion(ndimage.binary_opening(image > 0, iterations=2), iterations=4)
    ridges, broad = (
        sato(image, sigmas=[max(1.0, width * scale) for width in widths], black_ridges=False)
        for widths in (VESSEL_WIDTHS_PX, (WIDE_VESSEL_PX,))
    )
    vessels, wide = (_share(ridge, field) for ridge in (ridges, broad))
    free = (1 - ndimage.grey_dilation(vessels, 3)) * field
    level = _mean(image * free, free, GROUND_PX * scale)
    rest = (image - level)[free > 0.9]
    middle = float(np.median(level[field])) if field.any() else 0.0
    paintable = field & (level < BRIGHT**GAMMA * middle)
    paintable &= level > DARK**GAMMA * _mean(level * field, field, MACULA_PX * scale)
    return Ground(level, float(rest.std()) if len(rest) else 0.0, vessels, wide, paintable)


def paint(image: Image, ground: Ground, rng: np.random.Generator) -> tuple[Image, Mask]:
    """Take the capillaries from areas of an angiogram.

    Parameters
    ----------
    image : (side, side) float32
        Contrast-normalised, in [0, 1].
    ground
        What :func:`analyse` finds in it.
    rng
        Source of the random numbers.

    Returns
    -------
    painted : (side, side) float32
        In [0, 1].
    npa : (side, side) bool
        The areas, without the wide vessels in them, as graders outline them.
    """
    scene = _scene(len(image), rng)
    npa = _areas(scene, ground, rng)
    inside = npa.softness
    grain = rng.standard_normal(image.shape, dtype=np.float32)
    grain = ndimage.gaussian_filter(grain, rng.uniform(0.4, 0.9), truncate=3.0)
    grain *= rng.uniform(*_GRAIN) * ground.grain / grain.std()
    empty = np.clip(ground.level * npa.ratio**GAMMA + grain, 0, None)
    kept = ground.wide if rng.uniform() < _WIDE_STAY_SHARE else 0.3 * ground.wide
    # A vessel that bounds an area belongs to its border and stays.
    deep = blur(inside, 4.0) > 0.8
    kept = np.where(deep, kept, np.maximum(kept, ground.vessels))
    emptied = (1 - kept) * empty + kept * image
    painted = image + inside * (emptied - image)
    painted += _sick_bed(scene, npa, ground, rng)
    painted = np.where(image > 0, np.clip(painted, 1 / 255, 1), 0).astype(np.float32)
    return painted, np.asarray(npa.mask & ~(inside * kept > 0.5))


def _areas(scene: Scene, ground: Ground, rng: np.random.Generator) -> lesions.NonPerfusion:
    """Areas bounded by the eye's own vessels; not nearly the whole of it."""
    for _ in range(_TRIES):
        npa = lesions.nonperfusion(scene, ground.vessels, ground.paintable, ground.paintable, rng)
        mask = remove_small_objects(npa.mask & ground.paintable, max_size=SMALLEST_PX)
        if 0 < mask.sum() < _MOST_COVERED * ground.paintable.sum():
            return lesions.nonperfusion_of(scene, mask, rng)
    return lesions.perfused(scene.shape)


def _scene(size: int, rng: np.random.Generator) -> Scene:
    """Scale of a 55° frame, and somewhere a fovea and a disc, about which areas fan out."""
    span = float(np.mean(NARROW_SPAN_MM))
    row, column = rng.uniform(-0.5, 1.5, 2) * size
    bearing = rng.uniform(0, 2 * np.pi)
    disc = (float(5 * np.sin(bearing)), float(5 * np.cos(bearing)))
    return Scene(size, span / size, (float(row), float(column)), disc, wide=False)


def _sick_bed(
    scene: Scene, npa: lesions.NonPerfusion, ground: Ground, rng: np.random.Generator
) -> Image:
    """Dilated channels beside the areas, in places."""
    if rng.uniform() > _SICK_SHARE:
        return np.zeros(scene.shape, np.float32)
    near = blur(npa.mask.astype(np.float32), rng.uniform(*_SICK_MM) / scene.mm_per_pixel)
    patchy = np.clip(0.3 + noise(scene.shape, 2.0 / scene.mm_per_pixel, rng), 0, 1)
    lace = capillaries.lacework(scene.shape, scene.mm_per_pixel, rng)
    where = np.clip(3 * near, 0, 1) * patchy * (1 - npa.softness) * ground.paintable
    return np.asarray(rng.uniform(*_LACE) * where * lace, np.float32)


def _share(ridge: Image, field: Mask) -> Image:
    """Ridge strength as 0 (no vessel) to 1 (a clear one)."""
    if not field.any():
        return np.zeros_like(ridge)
    low, high = np.percentile(ridge[field], (70, 95))
    return np.asarray(np.clip((ridge - low) / max(high - low, 1e-6), 0, 1) * field, np.float32)


def _mean(values: Image, weights: NDArray[np.floating], sigma: float) -> Image:
    """Gaussian mean of the values that count (already multiplied by their weights)."""
    total, count = (ndimage.gaussian_filter(a.astype(np.float32), sigma) for a in (values, weights))
    wide_total, wide_count = (
        ndimage.gaussian_filter(a.astype(np.float32), 3 * sigma) for a in (values, weights)
    )
    far = wide_total / np.maximum(wide_count, 1e-4)
    return np.asarray((total + 0.02 * far) / (count + 0.02), np.float32)
