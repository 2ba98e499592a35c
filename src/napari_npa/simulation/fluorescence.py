"""Fluorescence of the retina: its ground, its vessels, staining, and the disc."""

from __future__ import annotations

import numpy as np

from napari_npa.simulation import capillaries, lesions
from napari_npa.simulation.fields import Image, blur, noise, soft_step
from napari_npa.simulation.scene import Scene
from napari_npa.simulation.vessels import WIDEST_MM, Vessels, paint, twigs

FOVEA_MM = (0.7, 1.6)
"""Radius at which the photoreceptor-dark macula is half as dark as its centre."""

FOVEA_DARKNESS = (0.5, 0.9)
"""The fovea has 10 to 13 gray levels, its surround 30 to 45."""

AVASCULAR_ZONE_MM = (0.25, 0.55)
"""Radius without capillaries."""

DISC_RADIUS_MM = (0.75, 1.0)
"""Half of a diameter of 1.5 to 2 mm."""


def retina_light(
    scene: Scene,
    trees: list[Vessels],
    npa: lesions.NonPerfusion,
    vascular: Image,
    from_fovea: Image,
    rng: np.random.Generator,
) -> tuple[Image, Image]:
    """Draw the light of a retina.

    Parameters
    ----------
    scene
        Geometry.
    trees
        Arteries and veins.
    npa
        Where capillaries are missing.
    vascular : (rows, columns) float32
        1 where a normal eye has vessels, falling to 0 beyond them.
    from_fovea : (rows, columns) float32
        Millimetres.
    rng
        Source of the random numbers.

    Returns
    -------
    light : (rows, columns) float32
        1 for an ordinary perfused ground.
    widths : (rows, columns) float32
        Width of the vessels in pixels, 0 beside them.
    """
    lit, widths = _vessel_light(scene, trees, npa, vascular, rng)
    capillaries_left = (1 - npa.softness) * vascular
    capillaries_left *= soft_step(from_fovea - rng.uniform(*AVASCULAR_ZONE_MM), 0.12)
    scar_loss, scar_light = lesions.scars(scene, vascular > 0.5, rng)
    capillaries_left *= 1 - scar_loss
    grain = rng.uniform(*(_WIDE_GRAIN if scene.wide else _NARROW_GRAIN))
    mesh = rng.uniform(*_WIDE_MESH_MM) if scene.wide else capillaries.MESH_MM
    ground = 1 + capillaries_left * grain * capillaries.texture(
        scene.shape, scene.mm_per_pixel, rng, mesh
    )
    ground += capillaries_left * _dilated_capillaries(scene, npa, rng)
    ground *= npa.ratio * (1 - 0.5 * scar_loss) * _shading(scene, from_fovea, rng)
    contrast = rng.uniform(*(_WIDE_CONTRAST if scene.wide else _NARROW_CONTRAST))
    light = np.clip(ground, 0.03, None) + contrast * lit + 1.2 * scar_light
    glow = blur(lit, rng.uniform(*_GLOW_MM) / scene.mm_per_pixel) * (1 - 0.8 * npa.softness)
    light += contrast * rng.uniform(*_GLOW) * glow
    light += _staining(scene, npa, vascular, lit, rng)
    return (light + _disc_light(scene, contrast, rng)).astype(np.float32), widths


def _dilated_capillaries(
    scene: Scene, npa: lesions.NonPerfusion, rng: np.random.Generator
) -> Image:
    """Draw dilated, patchy, leaking capillaries beside areas without perfusion, seldom alone."""
    closed = npa.mask.any()
    if rng.uniform() > (_DILATED_SHARE if closed else _DILATED_ALONE_SHARE):
        return np.zeros(scene.shape, np.float32)
    if closed:
        near = blur(npa.mask.astype(np.float32), rng.uniform(*_DILATED_MM) / scene.mm_per_pixel)
    else:
        near = np.clip(noise(scene.shape, 4.0 / scene.mm_per_pixel, rng) - 0.8, 0, 1)
    patchy = np.clip(0.7 + 0.5 * noise(scene.shape, 2.0 / scene.mm_per_pixel, rng), 0, 1.3)
    strength = rng.uniform(*_DILATED_STRENGTH) * (0.5 if scene.wide else 1.0)
    bed = 0.5 + capillaries.dilated(scene.shape, scene.mm_per_pixel, rng)
    if not scene.wide or rng.uniform() < 0.5:
        lace = capillaries.lacework(scene.shape, scene.mm_per_pixel, rng)
        bed += rng.uniform(*_LACE) * lace
    return np.asarray(strength * np.clip(3 * near, 0, 1) * patchy * bed, np.float32)


_DILATED_SHARE = 0.75
_DILATED_ALONE_SHARE = 0.25
_DILATED_MM = (0.4, 1.5)
_DILATED_STRENGTH = (0.08, 0.5)
_LACE = (0.0, 8.0)
"""Light of dilated channels as a multiple of that of the ground between them."""

_WIDE_GRAIN = (0.03, 0.2)
_NARROW_GRAIN = (0.05, 0.3)
"""Capillaries are finer than a pixel of a wide field, and form a faint net in a 55° image."""

_WIDE_MESH_MM = (0.11, 0.35)
"""A wide field shows only the coarser part of the net."""

_WIDE_CONTRAST = (4.0, 9.0)
_NARROW_CONTRAST = (4.0, 11.0)
_TWIG_VALUE = 0.12
_WIDE_TWIG_VALUE = (0.1, 0.24)
_WIDE_TWIG_SPACING_MM = (0.06, 0.3)
_GLOW = (0.05, 0.4)
_GLOW_MM = (0.12, 0.4)
"""Light around the drawn vessels, from scatter and from vessels too fine to be drawn."""


def _vessel_light(
    scene: Scene,
    trees: list[Vessels],
    npa: lesions.NonPerfusion,
    vascular: Image,
    rng: np.random.Generator,
) -> tuple[Image, Image]:
    """Paint the vessels (0 to 1) and their widths (pixels), without thin ones in lesions."""
    lit, widths = np.zeros(scene.shape, np.float32), np.zeros(scene.shape, np.float32)
    beside = np.clip(4 * npa.softness * (1 - npa.softness), 0, 1)
    thin_left = np.clip(1 - 0.95 * npa.softness, 0, 1)
    closed = _CLOSED_MM if rng.uniform() < _CLOSED_SHARE else _PRUNED_MM
    # Only well inside: a vessel that runs along the border bounds the area and is kept whole.
    deep = blur(npa.softness, _BORDER_MM / scene.mm_per_pixel) > 0.75
    if scene.wide and rng.uniform() < _STUMPS_SHARE:
        lumps = noise(scene.shape, rng.uniform(*_STUMP_MM) / scene.mm_per_pixel, rng)
        deep &= lumps < rng.uniform(*_STUMPS)
    for name, tree in zip(("artery", "vein"), trees, strict=True):
        start, end, width = tree.segments()
        a, b, pixels = scene.segments_in_pixels(start, end, width)
        at = np.clip(np.rint(b).astype(int), 0, scene.size - 1)
        at = (at[:, 0], at[:, 1])
        pruned = deep[at] & (width < rng.uniform(*closed))
        ends = vascular[at] < 0.35
        value = np.clip((width / WIDEST_MM) ** 0.85, 0.13, 1)
        value *= _ARTERY_BRIGHTNESS if name == "artery" else 1.0
        value *= 1 + 0.25 * beside[at]
        pixels = pixels * (1 + _DILATION * beside[at] * (width > _PRUNED_MM[0]))
        left = ~(pruned | ends)
        paint(lit, a[left], b[left], pixels[left], value[left])
        paint(widths, a[left], b[left], np.maximum(pixels, 1)[left], pixels[left])
        _paint_twigs(lit, scene, tree, thin_left * vascular, rng)
    return blur(lit, 0.55 * max(1.0, scene.size / 2048)), widths


_PRUNED_MM = (0.045, 0.085)
"""Vessels thinner than this are lost where there is no perfusion; wider ones cross the area."""

_BORDER_MM = 0.15

_CLOSED_SHARE = 0.4
_CLOSED_MM = (0.1, 0.19)
"""In some eyes the branches that supplied an area are lost as well."""

_STUMPS_SHARE = 0.6
_STUMPS = (0.2, 1.5)
_STUMP_MM = (0.4, 1.2)
"""In some eyes pieces of the lost vessels remain inside an area: where a random field that changes
over this many millimetres is above a level."""

_DILATION = 0.35
_ARTERY_BRIGHTNESS = 0.85


def _paint_twigs(
    lit: Image, scene: Scene, tree: Vessels, left: Image, rng: np.random.Generator
) -> None:
    spacing = rng.uniform(*_WIDE_TWIG_SPACING_MM) if scene.wide else 0.3
    start, end = twigs(tree, spacing, 0.55 if scene.wide else 0.35, rng)
    a, b, pixels = scene.segments_in_pixels(start, end, np.full(len(start), 0.035))
    at = np.clip(np.rint(b).astype(int), 0, scene.size - 1)
    strength = rng.uniform(*_WIDE_TWIG_VALUE) if scene.wide else _TWIG_VALUE
    value = strength * left[at[:, 0], at[:, 1]] * rng.uniform(0.3, 1, len(a))
    paint(lit, a, b, pixels, value)


def _shading(scene: Scene, from_fovea: Image, rng: np.random.Generator) -> Image:
    """Draw slow changes of the ground with its capillaries intact: macular pigment, choroid."""
    shape = scene.shape
    pigment = rng.uniform(*FOVEA_DARKNESS) * np.exp(-((from_fovea / rng.uniform(*FOVEA_MM)) ** 1.5))
    choroid = 1 + 0.12 * noise(shape, 3.0 / scene.mm_per_pixel, rng)
    dark = np.clip(noise(shape, 4.0 / scene.mm_per_pixel, rng) - 0.8, 0, 1.5)
    depth = rng.uniform(*(_WIDE_DARKNESS if scene.wide else _NARROW_DARKNESS))
    shading = (1 - pigment) * choroid * np.exp(-depth * dark)
    return np.asarray(shading, np.float32)


_WIDE_DARKNESS = (0.0, 0.25)
_NARROW_DARKNESS = (0.0, 0.5)
"""Perfused ground that is darker for other reasons. In a wide field, which does not show its
capillaries, darker ground could not be distinguished from an area without them."""


def _staining(
    scene: Scene, npa: lesions.NonPerfusion, vascular: Image, lit: Image, rng: np.random.Generator
) -> Image:
    """Draw the light of leakage, bright borders and microaneurysms."""
    light = np.zeros(scene.shape, np.float32)
    diseased = npa.mask.any() or rng.uniform() < 0.4
    if not diseased:
        return light
    border = npa.softness * (1 - npa.softness) * 4
    near = blur(npa.mask.astype(np.float32), 0.6 / scene.mm_per_pixel)
    rim = np.clip(4 * near * (1 - near), 0, 1) * (1 - npa.softness)
    light += (
        rng.uniform(0, 0.55)
        * rim
        * np.clip(1 + noise(scene.shape, 1.0 / scene.mm_per_pixel, rng), 0, 3)
    )
    light += rng.uniform(0, 0.35) * border
    patchy = np.clip(noise(scene.shape, 3.0 / scene.mm_per_pixel, rng) + 0.3, 0, None) ** 2
    where = patchy * vascular * (1 - npa.softness) * (0.3 + 2 * rim)
    many = int(rng.gamma(1.0, _WIDE_MICROANEURYSMS if scene.wide else _MICROANEURYSMS))
    light += rng.uniform(1.0, 4.0) * lesions.dots(scene, where, many, (0.025, 0.06), rng)
    leaks = rng.poisson(_LEAKS) if rng.uniform() < 0.35 else 0
    light += rng.uniform(1.0, 7.0) * lesions.dots(
        scene, where * (0.05 + lit), leaks, (0.1, 0.5), rng
    )
    return light


_MICROANEURYSMS = 90.0
_WIDE_MICROANEURYSMS = 180.0
_LEAKS = 4.0


def _disc_light(scene: Scene, contrast: float, rng: np.random.Generator) -> Image:
    """Draw the light of the disc: added at its rim and the roots of its vessels, or negative."""
    row, column = scene.disc
    y, x = np.ogrid[: scene.size, : scene.size]
    radius = rng.uniform(*DISC_RADIUS_MM) / scene.mm_per_pixel
    away = np.hypot((y - row) * 0.9, x - column) / radius
    body = soft_step((1 - away).astype(np.float32), 0.15)
    rim = np.exp(-(((away - 0.9) / 0.18) ** 2))
    root = np.exp(-((away / 0.55) ** 2))
    if rng.uniform() < _DARK_DISC_SHARE:
        dark = -rng.uniform(0.3, 0.8) * body
        return np.asarray(dark + contrast * rng.uniform(0, 0.15) * rim, np.float32)
    strength = contrast * rng.uniform(0.02, 0.3)
    return np.asarray(strength * (0.35 * body + 0.4 * rim + 0.9 * root), np.float32)


_DARK_DISC_SHARE = 0.3
"""Discs in early frames and atrophic discs are darker than the retina beside them."""
