"""Lesion synthesis: non-perfusion on perfused angiograms, a real picture and an exact mask.

Outlined angiograms are few, and simulated ones never look quite real. Synthesis lies between the
two: on a real eye without non-perfusion, areas bounded by its own vessels lose their capillaries
and small vessels. What differs inside and outside an area is then non-perfusion and nothing else.
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
from napari_npa.simulation import capillaries, lesions
from napari_npa.simulation.fields import Image, blur, noise
from napari_npa.simulation.scene import NARROW_SPAN_MM, Scene
from napari_npa.training.examples import Example
from napari_npa.types import Mask

CANVAS = 512
"""Canvas for which the lengths in pixels below are given; on others they are scaled."""

FRAME_SHARE = 0.7
"""A round frame fills more than this share of the canvas (π/4); an ultra-widefield field, less."""

VESSEL_WIDTHS_PX = (1.0, 2.0, 3.0)
"""Standard deviations of the filters that look for ridges."""

WIDE_VESSEL_PX = 2.5
"""Ridges this wide remain in many areas: larger vessels cross non-perfusion."""

GROUND_PX = 7.0
"""The ground is the mean, over this many pixels, of what is not a vessel."""

BRIGHT = 2.0
"""Ground more than this many times as bright as the eye's median is disc, stain or scar."""

DARK = 0.7
MACULA_PX = 40.0
"""Ground darker than this share of its surround is macula or shadow, and is left as it is."""

SMALLEST_PX = 60
"""Graders outline nothing smaller."""

_WIDE_STAY_SHARE = 0.7
_GRAIN = (0.35, 0.9)
"""Grain that remains inside an area, as a share of the ground's: that of the camera without that of
the capillaries."""

_DILATED_SHARE = 0.6
_DILATED_MM = (0.3, 1.2)
_LACE = (0.1, 0.5)
_MOST_COVERED = 0.75
_TRIES = 8


@dataclass(frozen=True)
class Ground:
    """Parts of an angiogram that synthesis needs to know.

    Attributes
    ----------
    level : (rows, columns) float32
        Smooth gray level without vessels.
    grain
        Standard deviation of the ground's texture and noise about `level`.
    vessels, wide : (rows, columns) float32
        Vessels of any width, and wide ones, 0 to 1.
    usable : (rows, columns) bool
        Retina where lesions can be placed: neither too bright nor too dark to be ground.
    """

    level: Image
    grain: float
    vessels: Image
    wide: Image
    usable: Mask


def diseased_variants(example: Example, count: int, seed: int) -> list[Example]:
    """Draw `count` diseased variants of a perfused 55° example.

    Parameters
    ----------
    example
        A perfused 55° frame; any other example has no variants.
    count
        Number of variants.
    seed
        The same seed gives the same variants of the same eye, whatever else is trained on.

    Returns
    -------
    variants
        Examples of source 'painted' and of the patient whose eye they show.
    """
    if example.source != "perfused" or np.mean(example.stretched > 0) <= FRAME_SHARE or not count:
        return []
    ground = find_ground(example.image)
    name = crc32(example.path.stem.encode())
    variants = []
    for variant in range(count):
        rng = np.random.default_rng([seed, name, variant])
        image, npa = synthesise_lesions(example.image, ground, rng)
        stretched = np.round(255 * image).astype(np.uint8)
        variants.append(replace(example, source="painted", stretched=stretched, npa=npa))
    return variants


def find_ground(image: Image) -> Ground:
    """Separate the ground of a contrast-normalised angiogram from its vessels.

    Parameters
    ----------
    image : (side, side) float32
        In [0, 1]; 0 outside the field.
    """
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
    usable = field & (level < BRIGHT**GAMMA * middle)
    usable &= level > DARK**GAMMA * _mean(level * field, field, MACULA_PX * scale)
    return Ground(level, float(rest.std()) if len(rest) else 0.0, vessels, wide, usable)


def synthesise_lesions(
    image: Image, ground: Ground, rng: np.random.Generator
) -> tuple[Image, Mask]:
    """Remove the capillaries from areas of an angiogram.

    Parameters
    ----------
    image : (side, side) float32
        Contrast-normalised, in [0, 1].
    ground
        What :func:`find_ground` finds in it.
    rng
        Source of the random numbers.

    Returns
    -------
    diseased : (side, side) float32
        In [0, 1].
    npa : (side, side) bool
        The areas, without the wide vessels in them, as graders outline them.
    """
    scene = _scene(len(image), rng)
    npa = _draw_areas(scene, ground, rng)
    inside = npa.softness
    grain = rng.standard_normal(image.shape, dtype=np.float32)
    grain = ndimage.gaussian_filter(grain, rng.uniform(0.4, 0.9), truncate=3.0)
    grain *= rng.uniform(*_GRAIN) * ground.grain / grain.std()
    empty = np.clip(ground.level * npa.ratio**GAMMA + grain, 0, None)
    kept = ground.wide if rng.uniform() < _WIDE_STAY_SHARE else 0.3 * ground.wide
    # A vessel that bounds an area belongs to its border and is kept.
    deep = blur(inside, 4.0) > 0.8
    kept = np.where(deep, kept, np.maximum(kept, ground.vessels))
    emptied = (1 - kept) * empty + kept * image
    diseased = image + inside * (emptied - image)
    diseased += _dilated_capillaries(scene, npa, ground, rng)
    diseased = np.where(image > 0, np.clip(diseased, 1 / 255, 1), 0).astype(np.float32)
    return diseased, np.asarray(npa.mask & ~(inside * kept > 0.5))


def _draw_areas(scene: Scene, ground: Ground, rng: np.random.Generator) -> lesions.NonPerfusion:
    """Draw areas that the eye's own vessels bound and that do not cover nearly all of it."""
    for _ in range(_TRIES):
        npa = lesions.nonperfusion(scene, ground.vessels, ground.usable, ground.usable, rng)
        mask = remove_small_objects(npa.mask & ground.usable, max_size=SMALLEST_PX)
        if 0 < mask.sum() < _MOST_COVERED * ground.usable.sum():
            return lesions.nonperfusion_of(scene, mask, rng)
    return lesions.perfused(scene.shape)


def _scene(size: int, rng: np.random.Generator) -> Scene:
    """Place a fovea and a disc somewhere about a 55° frame, so that areas can fan out from them."""
    span = float(np.mean(NARROW_SPAN_MM))
    row, column = rng.uniform(-0.5, 1.5, 2) * size
    bearing = rng.uniform(0, 2 * np.pi)
    disc = (float(5 * np.sin(bearing)), float(5 * np.cos(bearing)))
    return Scene(size, span / size, (float(row), float(column)), disc, wide=False)


def _dilated_capillaries(
    scene: Scene, npa: lesions.NonPerfusion, ground: Ground, rng: np.random.Generator
) -> Image:
    """Draw dilated capillaries in places beside the areas."""
    if rng.uniform() > _DILATED_SHARE:
        return np.zeros(scene.shape, np.float32)
    near = blur(npa.mask.astype(np.float32), rng.uniform(*_DILATED_MM) / scene.mm_per_pixel)
    patchy = np.clip(0.3 + noise(scene.shape, 2.0 / scene.mm_per_pixel, rng), 0, 1)
    lace = capillaries.lacework(scene.shape, scene.mm_per_pixel, rng)
    where = np.clip(3 * near, 0, 1) * patchy * (1 - npa.softness) * ground.usable
    return np.asarray(rng.uniform(*_LACE) * where * lace, np.float32)


def _share(ridge: Image, field: Mask) -> Image:
    """Scale the strength of a ridge to 0 (no vessel) to 1 (a clear one)."""
    if not field.any():
        return np.zeros_like(ridge)
    low, high = np.percentile(ridge[field], (70, 95))
    return np.asarray(np.clip((ridge - low) / max(high - low, 1e-6), 0, 1) * field, np.float32)


def _mean(values: Image, weights: NDArray[np.floating], sigma: float) -> Image:
    """Take the Gaussian mean of values that are already multiplied by their weights."""
    total, count = (ndimage.gaussian_filter(a.astype(np.float32), sigma) for a in (values, weights))
    wide_total, wide_count = (
        ndimage.gaussian_filter(a.astype(np.float32), 3 * sigma) for a in (values, weights)
    )
    far = wide_total / np.maximum(wide_count, 1e-4)
    return np.asarray((total + 0.02 * far) / (count + 0.02), np.float32)
