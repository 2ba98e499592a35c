"""One simulated angiogram, composed of eye, disease and camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_npa.simulation import lesions, optics
from napari_npa.simulation.fields import Image, noise, soft_step
from napari_npa.simulation.fluorescence import retina_light
from napari_npa.simulation.scene import Scene, narrow_scene, wide_scene
from napari_npa.simulation.vessels import WIDEST_MM, Supply, Vessels, grow, paint
from napari_npa.types import Mask

Kind = Literal["uwfa", "55"]
"""An ultra-widefield angiogram, or a round 55° field that looks in any direction."""

SMALLEST, LARGEST = 128, 4096
"""Limits of the size, rows or columns."""


@dataclass(frozen=True)
class SimulatedAngiogram:
    """A picture about which everything is known.

    Attributes
    ----------
    pixels : (size, size) uint8
        Gray levels; black (0) outside `field`.
    npa : (size, size) bool
        Non-perfusion, inside `retina`. A '55' image leaves out vessels wider than about two
        pixels, as the graders of such images do.
    retina : (size, size) bool
        Gradable retina: inside `field`, without lids, deep shadows and the unlit rim.
    vessels : (size, size) bool
        Vessels at least about a pixel wide, including covered ones.
    field : (size, size) bool
        The instrument's field.
    disc, fovea : (row, column)
        Pixels; in a '55' image either may lie outside.
    mm_per_pixel
        At the fovea.
    kind, seed
        Arguments of `simulate`.
    """

    pixels: NDArray[np.uint8]
    npa: Mask
    retina: Mask
    vessels: Mask
    field: Mask
    disc: tuple[float, float]
    fovea: tuple[float, float]
    mm_per_pixel: float
    kind: Kind
    seed: int


def simulate(
    kind: Kind = "uwfa",
    size: int = 1024,
    seed: int = 0,
    *,
    condition: Mask | None = None,
) -> SimulatedAngiogram:
    """Simulate a fluorescein angiogram with its exact masks.

    Parameters
    ----------
    kind
        'uwfa' or '55'.
    size
        Rows and columns, 128 to 4096.
    seed
        The same seed gives the same angiogram, byte by byte.
    condition : (size, size) bool
        Non-perfusion to draw instead of a random one, from a real eye or drawn by hand. The
        result's `npa` is the part of this mask inside the result's `retina`.

    Raises
    ------
    ValueError
        The kind is unknown, the size cannot be drawn, the seed is negative, or the condition
        has another shape.
    """
    if kind not in get_args(Kind):
        raise ValueError(f"kind is {kind!r}; allowed are: {', '.join(get_args(Kind))}")
    if not SMALLEST <= size <= LARGEST:
        raise ValueError(f"size is {size}; allowed are {SMALLEST} to {LARGEST} pixels")
    if seed < 0:
        raise ValueError(f"seed is {seed}; allowed are 0 and above")
    if condition is not None and condition.shape != (size, size):
        raise ValueError(f"condition is {condition.shape}, the angiogram {(size, size)}")
    rng = np.random.default_rng([seed, get_args(Kind).index(kind)])
    if kind == "uwfa":
        scene = wide_scene(size, rng)
        pole = tuple(0.7 * f + 0.3 * d for f, d in zip(scene.fovea, scene.disc, strict=True))
        camera = optics.wide_camera(size, (pole[0], pole[1]), rng)
    else:
        scene = narrow_scene(size, rng)
        camera = optics.narrow_camera(size, rng)
    return _photograph(scene, camera, kind, seed, condition, rng)


MARGIN_MM = (18.5, 22.5)
"""Distance from the fovea at which a normal eye's vessels end (two real eyes: 19.8 to 21.3)."""

SIGHT_MM = 1.5
"""How far beyond the last vessels the retina is still gradable."""


def _photograph(
    scene: Scene,
    camera: optics.Camera,
    kind: Kind,
    seed: int,
    condition: Mask | None,
    rng: np.random.Generator,
) -> SimulatedAngiogram:
    trees = _grow_trees(scene, rng)
    down, right = scene.retina_mm()
    from_fovea = np.hypot(down, right)
    margin = rng.uniform(*MARGIN_MM) + 1.2 * noise(scene.shape, scene.size / 6, rng)
    vascular = soft_step(margin - from_fovea, 1.2) if scene.wide else np.ones(scene.shape, "f4")
    gradable = camera.gradable()
    if scene.wide:
        gradable &= from_fovea < margin + SIGHT_MM
    perfusable = vascular > 0.5
    if condition is None:
        bounds = np.zeros(scene.shape, np.float32)
        for tree in trees:
            _paint_tree(bounds, scene, tree)
        npa = lesions.nonperfusion(scene, bounds, gradable & perfusable, perfusable, rng)
    else:
        npa = lesions.nonperfusion_of(scene, condition, rng)
    blood = lesions.haemorrhages(scene, gradable, rng)
    light, vessels = retina_light(scene, trees, npa, vascular, from_fovea, rng)
    mask = npa.mask & gradable
    if condition is None:
        mask &= blood > _BLOOD_HIDES
        if kind == "55":
            mask &= vessels < _WIDE_VESSEL_PX
    return SimulatedAngiogram(
        camera.picture(light * blood, rng),
        mask,
        gradable,
        (vessels > 0.9) & camera.field,
        camera.field,
        scene.disc,
        scene.fovea,
        scene.mm_per_pixel,
        kind,
        seed,
    )


_WIDE_VESSEL_PX = 2.0
_BLOOD_HIDES = 0.6
"""Transmission below which blood hides the retina behind it."""


def _grow_trees(scene: Scene, rng: np.random.Generator) -> list[Vessels]:
    """Grow arteries and veins, with finer twigs if the image is finer."""
    reach = MARGIN_MM[1] + 0.5
    fovea = (0.0, 0.0)
    levels = [
        Supply(rng.uniform(3.4, 4.4), 2.6, fovea, reach),
        Supply(rng.uniform(2.0, 2.6), 1.5, fovea, reach),
    ]
    if scene.wide:
        levels.append(Supply(rng.uniform(1.0, 1.5), 0.7, fovea, reach))
        if rng.uniform() < _FINE_SHARE:
            levels.append(Supply(rng.uniform(0.75, 1.0), 0.6, fovea, _FINE_REACH_MM))
    else:
        half = scene.size / 2
        down, right = ((half - at) * scene.mm_per_pixel for at in scene.fovea)
        window = 1.1 * half * scene.mm_per_pixel
        levels.append(Supply(rng.uniform(0.9, 1.3), 0.7, (down, right), window))
        if rng.uniform() < 0.75:
            levels.append(Supply(rng.uniform(0.55, 0.8), 0.4, (down, right), window))
    scale = _WIDE_LEAF_SCALE if scene.wide else 1.0
    return [grow(name, scene.disc_mm, levels, rng, scale) for name in ("artery", "vein")]


_WIDE_LEAF_SCALE = 1.25

_FINE_SHARE = 0.5
_FINE_REACH_MM = 16.0
"""In sharp ultra-widefield images finer branches can be followed out to the mid-periphery."""


def _paint_tree(canvas: Image, scene: Scene, tree: Vessels) -> None:
    """Paint vessels with values 0.3 (thin) to 1 (wide)."""
    start, end, width = tree.segments()
    value = np.clip((width / WIDEST_MM) ** 0.55, 0.25, 1)
    a, b, pixels = scene.segments_in_pixels(start, end, width)
    paint(canvas, a, b, pixels, value)
