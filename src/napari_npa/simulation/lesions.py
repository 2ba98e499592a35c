"""Lesions: non-perfusion, leakage, microaneurysms, haemorrhages, laser scars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from napari_npa.simulation.fields import Image, blur, enlarge, noise, octaves, shrink, soft_step
from napari_npa.simulation.scene import Scene
from napari_npa.types import Mask

HEALTHY_SHARE = 0.35
"""Share of simulated eyes without any non-perfusion."""

FOVEA_SPARED_MM = 0.9
"""No non-perfusion lies nearer the fovea, whose own avascular zone is 0.5 mm wide."""

DISC_SPARED_MM = 1.1
"""No non-perfusion lies on the disc, whose radius is 0.75 to 1 mm."""

TEXTURE_ONLY_RATIO = (0.7, 1.06)
DARK_RATIO = (0.22, 0.82)
"""Brightness of the ground inside an area divided by that of the perfused ground beside it."""


@dataclass(frozen=True)
class NonPerfusion:
    """Where capillaries are missing, and what that looks like.

    Attributes
    ----------
    mask : (rows, columns) bool
        Not perfused.
    softness : (rows, columns) float32
        0 outside to 1 inside, with a soft edge: the share of capillaries lost.
    ratio : (rows, columns) float32
        Factor on the brightness of the ground, 1 where perfused.
    """

    mask: Mask
    softness: Image
    ratio: Image


def perfused(shape: tuple[int, int]) -> NonPerfusion:
    """Return an eye in which nothing is missing."""
    return NonPerfusion(
        np.zeros(shape, bool), np.zeros(shape, np.float32), np.ones(shape, np.float32)
    )


def nonperfusion(
    scene: Scene,
    vessels: Image,
    seen: Mask,
    perfusable: Mask,
    rng: np.random.Generator,
) -> NonPerfusion:
    """Draw the non-perfusion of an eye: none, patches, or confluent sectors.

    Parameters
    ----------
    scene
        Geometry.
    vessels : (rows, columns) float32
        Drawn vessels, 0 to 1; they bound the areas.
    seen : (rows, columns) bool
        Visible retina with vessels, to which the share of patches refers.
    perfusable : (rows, columns) bool
        Retina with vessels, seen or not: even a normal eye has none beyond it.
    rng
        Source of the random numbers.

    Notes
    -----
    Areas are watershed cells between vessels. Patches take cells where a smooth field is
    high; sectors fan out from a vessel near the disc, as after a branch vein occlusion.
    """
    if rng.uniform() < HEALTHY_SHARE or not seen.any():
        return perfused(scene.shape)
    step = max(1, scene.size // _GRID)
    down, right = scene.retina_mm(step)
    coarse_seen = shrink(seen.astype(np.float32), step) > 0.5
    coarse_perfusable = shrink(perfusable.astype(np.float32), step) > 0.5
    cells = _cells(shrink(vessels, step), scene, step, rng)
    wish = np.full(cells.shape, -np.inf, np.float32)
    chosen = np.zeros(cells.shape, bool)
    style = rng.choice(len(_STYLES), p=[share for share, _, _ in _STYLES])
    _, patches, sectors = _STYLES[style]
    if patches[1]:
        wish = octaves(cells.shape, _PATCH_FIELD_MM / (scene.mm_per_pixel * step), rng)
        wish -= 0.8 * np.exp(-((np.hypot(down, right) / 3.0) ** 2))  # macula: seldom
        chosen |= _cells_above(cells, wish, coarse_seen, rng.uniform(*patches), rng)
    for _ in range(rng.integers(sectors[0], sectors[1] + 1)):
        sector = _sector(scene, down, right, coarse_seen, rng)
        chosen |= _whole_cells(cells, sector & coarse_perfusable)
    if rng.uniform() < _MOTTLED_SHARE:  # perfused cells among the lost ones
        kept = rng.uniform(size=cells.max() + 1) < rng.uniform(*_MOTTLED_LEFT)
        chosen &= kept[cells]
    from_disc = np.hypot(down - scene.disc_mm[0], right - scene.disc_mm[1])
    mask = _outlined(scene, chosen, np.hypot(down, right), from_disc, rng)
    return nonperfusion_of(scene, mask, rng)


def _cells(vessels: Image, scene: Scene, step: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Find watershed cells (labels from 1) between the vessels of a coarse image."""
    pixel_mm = scene.mm_per_pixel * step
    sizes = _WIDE_CELL_MM if scene.wide else _NARROW_CELL_MM
    if rng.uniform() < _COMPARTMENT_SHARE:
        sizes = _COMPARTMENT_MM
    cell = rng.uniform(*sizes) / pixel_mm
    count = int(np.ceil(vessels.size / cell**2))
    markers = np.zeros(vessels.shape, np.int32)
    place = rng.integers(0, vessels.shape[0], (count, 2))
    markers[place[:, 0], place[:, 1]] = np.arange(1, count + 1)
    barrier = vessels + 0.16 * octaves(vessels.shape, max(2.0, 0.5 * cell), rng, 2)
    found = watershed(barrier, markers)
    return np.asarray(found, np.int32)


def _cells_above(
    cells: NDArray[np.int32],
    wish: Image,
    seen: Mask,
    share: float,
    rng: np.random.Generator,
) -> Mask:
    """Choose the cells with the highest mean wish, up to `share` of the seen area."""
    inside = np.bincount(cells.ravel(), seen.ravel())
    mean = np.bincount(cells.ravel(), (wish * seen).ravel()) / np.maximum(inside, 1)
    mean[inside < 1] = -np.inf
    order = np.argsort(-(mean + rng.normal(0, 0.3, len(mean))))
    taken = np.cumsum(inside[order]) <= max(share * seen.sum(), inside[order[0]])
    return np.isin(cells, order[taken])


def _whole_cells(cells: NDArray[np.int32], wanted: Mask) -> Mask:
    """Choose the cells of which more than half is wanted."""
    total = np.bincount(cells.ravel())
    share = np.bincount(cells.ravel(), wanted.ravel()) / np.maximum(total, 1)
    return np.asarray((share > 0.5)[cells])


def _sector(scene: Scene, down: Image, right: Image, seen: Mask, rng: np.random.Generator) -> Mask:
    """Draw a fan with a ragged edge, opening away from an apex some way from the disc."""
    seen_at = np.argwhere(seen)
    target_row, target_column = seen_at[rng.integers(len(seen_at))]
    disc = np.asarray(scene.disc_mm)
    away = np.array([down[target_row, target_column], right[target_row, target_column]]) - disc
    heading = np.arctan2(away[0], away[1])
    distance = float(np.hypot(*away))
    apex = disc + away * min(1.0, rng.uniform(0.5, 4.0) / max(distance, 0.1))
    bearing = np.arctan2(down - apex[0], right - apex[1]) - heading
    bearing = np.abs(np.angle(np.exp(1j * bearing))).astype(np.float32)
    opening = rng.uniform(0.25, 0.75) if scene.wide else rng.uniform(0.3, 1.0)
    ragged = 0.18 * octaves(down.shape, down.shape[0] / 10, rng)
    far = np.hypot(down - apex[0], right - apex[1])
    fan = (bearing < opening + ragged) & (far > 0.6) & (far < rng.uniform(8.0, 22.0))
    return np.asarray(fan)


def _outlined(
    scene: Scene,
    chosen: Mask,
    from_fovea: Image,
    from_disc: Image,
    rng: np.random.Generator,
) -> Mask:
    """Outline the chosen cells at full size, with an irregular edge."""
    chosen = chosen & (from_fovea > FOVEA_SPARED_MM) & (from_disc > DISC_SPARED_MM)
    soft = ndimage.gaussian_filter(chosen.astype(np.float32), 1.2)
    spared = soft_step(FOVEA_SPARED_MM - from_fovea, 0.1)
    level = enlarge(soft * (1 - spared), scene.shape) - 0.5
    level += 0.09 * octaves(scene.shape, max(3.0, scene.size / 120), rng, 2)
    down, right = scene.retina_mm()
    return np.asarray((level > 0) & (np.hypot(down, right) > FOVEA_SPARED_MM))


def nonperfusion_of(scene: Scene, mask: Mask, rng: np.random.Generator) -> NonPerfusion:
    """Give every area of a mask its brightness and its edge.

    Parameters
    ----------
    scene
        Geometry.
    mask : (rows, columns) bool
        Not perfused.
    rng
        Source of the random numbers.
    """
    if not mask.any():
        return perfused(scene.shape)
    step = max(1, scene.size // _GRID)
    texture_only = _WIDE_TEXTURE_ONLY if scene.wide else _NARROW_TEXTURE_ONLY
    areas, count = ndimage.label(shrink(mask.astype(np.float32), step) > 0.3)
    ratios = np.where(
        rng.uniform(size=count + 1) < texture_only,
        rng.uniform(*TEXTURE_ONLY_RATIO, count + 1),
        rng.uniform(*DARK_RATIO, count + 1),
    )
    # The areas of one eye are alike: half of them share one brightness.
    ratios[rng.uniform(size=count + 1) < 0.5] = ratios[0]
    nearest = ndimage.distance_transform_edt(
        areas == 0, return_distances=False, return_indices=True
    )
    field = ndimage.gaussian_filter(ratios[areas[tuple(nearest)]].astype(np.float32), 2.0)
    if scene.wide:
        edge_mm = float(np.exp(rng.uniform(*np.log(_WIDE_EDGE_MM))))
    else:
        edge_mm = rng.uniform(*_NARROW_EDGE_MM)
    inside = blur(mask.astype(np.float32), max(0.8, edge_mm / scene.mm_per_pixel))
    return NonPerfusion(mask, inside, 1 - inside * (1 - enlarge(field, scene.shape)))


def dots(
    scene: Scene, where: Image, count: int, width_mm: tuple[float, float], rng: np.random.Generator
) -> Image:
    """Draw round spots of light: microaneurysms (small) or leaking new vessels (large).

    Parameters
    ----------
    scene
        Geometry.
    where : (rows, columns) float32
        Likelihood of a spot, any scale.
    count
        Number of spots.
    width_mm
        Smallest and largest standard deviation, millimetres.
    rng
        Source of the random numbers.

    Returns
    -------
    light : (rows, columns) float32
        0 beside the spots, whose peaks are 0.4 to 1.
    """
    light = np.zeros(scene.shape, np.float32)
    flat = np.cumsum(where.ravel(), dtype=np.float64)
    if count == 0 or flat[-1] <= 0:
        return light
    at = np.searchsorted(flat, rng.uniform(0, flat[-1], count))
    for row, column in zip(
        *np.unravel_index(np.minimum(at, len(flat) - 1), scene.shape), strict=True
    ):
        sigma = max(0.6, rng.uniform(*width_mm) / scene.mm_per_pixel)
        _add_spot(light, int(row), int(column), sigma, rng.uniform(0.4, 1.0))
    return light


def haemorrhages(scene: Scene, seen: Mask, rng: np.random.Generator) -> Image:
    """Draw the transmission of blood in front of the retina: 1 beside it, about 0.1 under it.

    Blood hides the vessels as well, which distinguishes it from non-perfusion.
    """
    free = np.ones(scene.shape, np.float32)
    for _ in range(rng.poisson(_HAEMORRHAGES) if rng.uniform() < _BLEEDING_SHARE else 0):
        blob = _blob(scene, seen, rng.uniform(0.15, 0.9), 0.45, rng)
        free *= 1 - rng.uniform(0.45, 0.95) * blob
    return free


def scars(scene: Scene, seen: Mask, rng: np.random.Generator) -> tuple[Image, Image]:
    """Draw laser scars: capillaries lost in dark discs, and the light of their rims.

    Returns
    -------
    loss : (rows, columns) float32
        Share of capillaries and ground lost, 0 to 1. It does not count as non-perfusion.
    light : (rows, columns) float32
        Staining rims, 0 to 1.
    """
    loss, light = np.zeros(scene.shape, np.float32), np.zeros(scene.shape, np.float32)
    if rng.uniform() > _LASER_SHARE or not seen.any():
        return loss, light
    radius = max(1.5, rng.uniform(0.12, 0.28) / scene.mm_per_pixel)
    pitch = radius * rng.uniform(3.5, 6.0)
    axis = np.arange(0, scene.size, pitch)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    grid += rng.normal(0, 0.3 * pitch, grid.shape)
    place = np.clip(np.rint(grid), 0, scene.size - 1).astype(int)
    treated = noise(scene.shape, scene.size / 5, rng) > rng.uniform(0.3, 1.2)
    down, right = scene.retina_mm()
    treated &= seen & (np.hypot(down, right) > 3.5)
    for row, column in place[treated[place[:, 0], place[:, 1]]]:
        own = radius * rng.uniform(0.7, 1.3)
        _add_spot(loss, row, column, own * 0.7, rng.uniform(0.5, 1.0))
        _add_spot(light, row, column, own, rng.uniform(0.2, 0.7))
    loss = np.minimum(loss, 1)
    return loss, np.clip(light - 1.2 * loss, 0, 1)


def _blob(
    scene: Scene,
    seen: Mask,
    radius_mm: float,
    raggedness: float,
    rng: np.random.Generator,
) -> Image:
    """Draw an irregular blot with a soft edge, 0 to 1, centred on seen retina."""
    blob = np.zeros(scene.shape, np.float32)
    seen_at = np.flatnonzero(seen)
    if not len(seen_at):
        return blob
    row, column = np.unravel_index(seen_at[rng.integers(len(seen_at))], scene.shape)
    radius = max(2.0, radius_mm / scene.mm_per_pixel)
    rows, columns = (
        slice(max(0, int(at - 3 * radius)), min(scene.size, int(at + 3 * radius) + 1))
        for at in (row, column)
    )
    y, x = np.mgrid[rows, columns]
    shape = (y.shape[0], y.shape[1])
    away = 1 - np.hypot(y - row, (x - column) * rng.uniform(0.6, 1.6)) / radius
    softness = rng.uniform(0.1, 0.45)
    edge = soft_step(away.astype(np.float32) + raggedness * octaves(shape, radius, rng), softness)
    blob[rows, columns] = edge
    return blob


def _add_spot(light: Image, row: int, column: int, sigma: float, peak: float) -> None:
    reach = int(np.ceil(3 * sigma))
    top, left = max(0, row - reach), max(0, column - reach)
    window = light[top : row + reach + 1, left : column + reach + 1]
    y = np.arange(top, top + window.shape[0])[:, None] - row
    x = np.arange(left, left + window.shape[1])[None] - column
    window += (peak * np.exp(-(y**2 + x**2) / (2 * sigma**2))).astype(np.float32)


_GRID = 384
"""Rows of the coarse image in which the watershed runs."""

_WIDE_CELL_MM = (0.8, 2.2)
_NARROW_CELL_MM = (0.22, 1.1)
_COMPARTMENT_SHARE = 0.35
_COMPARTMENT_MM = (1.5, 4.5)
"""In some eyes everything between two branches is lost at once."""

_PATCH_FIELD_MM = 6.0

_WIDE_TEXTURE_ONLY = 0.2
_NARROW_TEXTURE_ONLY = 0.4
"""Share of areas no darker than what is around them: the capillaries are missing, no more."""

_WIDE_EDGE_MM = (0.05, 0.6)
"""An edge is seldom sharp where no vessel runs along it, so its logarithm is drawn evenly."""

_NARROW_EDGE_MM = (0.02, 0.12)
_MOTTLED_SHARE = 0.3
_MOTTLED_LEFT = (0.3, 0.7)
_BLEEDING_SHARE = 0.25
_HAEMORRHAGES = 2.0
_LASER_SHARE = 0.18

_STYLES: tuple[tuple[float, tuple[float, float], tuple[int, int]], ...] = (
    (0.2, (0.005, 0.05), (0, 0)),
    (0.22, (0.05, 0.2), (0, 0)),
    (0.24, (0.0, 0.0), (1, 2)),
    (0.2, (0.02, 0.1), (1, 1)),
    (0.14, (0.2, 0.5), (0, 1)),
)
"""Probability, share of the seen retina in patches, and number of sectors of each style."""
