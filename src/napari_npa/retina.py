"""The retina that can be judged: where the instrument looked, and where vessels can be seen.

Everything is found on a fixed reduction of the image, so that the result belongs to the
picture and not to the resolution it was exported at. Lengths are fractions of the field's
diameter, gray levels are those of an 8-bit export.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage as ndi
from skimage.feature import hessian_matrix, hessian_matrix_eigvals
from skimage.morphology import reconstruction

from napari_npa.errors import RetinaError
from napari_npa.field import (
    GRAY_LEVEL,
    WORK_SIDE,
    Field,
    disk,
    imaged,
    rectangular,
    round_frame,
    scale_window,
)
from napari_npa.raster import (
    EIGHT_NEIGHBOURS,
    Gray,
    Mask,
    Window,
    dilated,
    enlarged,
    eroded,
    largest_part,
    long_parts,
    reduced,
)

# Sources: "measured" is on the development images, 42 of 55° and two of ultra-widefield.


EDGE_MARGIN = 0.005
"""Blurred edge of the field, diameters (measured: 1 to 2 pixels of 525)."""

DIAMETER = 650.0

VESSEL_SIGMAS = (1.1, 1.6, 2.3)
"""Half widths of the ridges looked for, pixels at DIAMETER: vessels of 100 to 500 µm, blur
included."""

NARROWEST = 1.01
"""Pixels: below 1, scikit-image cuts its Gaussians off ten times farther out, and takes as much
longer."""

BACKGROUND_SIGMA = 9.0
"""Scale of the brightness that vessels stand out from, pixels at DIAMETER (1 mm)."""

DARK_CURRENT = 16.0
"""Gray levels added before the logarithm: where the ground is darker than this, as in the periphery
of ultra-widefield images, a vessel must stand out by gray levels rather than by a ratio (found on
40 simulated eyes: 4 takes in dark rim, 24 is no better)."""

VESSEL_CONTRAST = (0.038, 0.082)
"""Ridge strength, in units of relative contrast, that may belong to a vessel, and that surely
does (measured: choroid and scan lines stay below the first)."""

VESSEL_NOISE = (0.8, 1.6)
"""The same two limits in standard deviations of the noise; of white noise's ridges one in a
thousand pixels is stronger than 0.73 (measured)."""

LASH = 1.5
"""Bright ridges beside dark lines this many times as strong are the flanks of lashes (measured:
vessels up to 1.25, lashes 1.6 to 2.5)."""

LASH_REACH = 4.0
"""How far from its dark line a flank may lie, pixels at DIAMETER."""

SHORTEST_VESSEL = 0.08
"""Diameters (5 mm): shorter ridges are texture, lashes or noise."""

SIGHT = 0.038
"""Diameters (2.5 mm): around a visible vessel the retina can be judged (measured: on simulated eyes
2 mm leaves out a tenth of what is gradable; 3 mm takes in rim without vessels on real ones)."""

BAY = 0.07
"""Diameters: dark bays narrower than twice this between visible vessels are retina without
perfusion rather than the end of sight."""

SMOOTH = 0.02
"""Diameters: standard deviation of the Gaussian that smooths the outline."""

LID_SIDE = 192
"""Longest side of the reduction on which brightness is followed in from the border, pixels."""

LID_BRIGHTNESS = 1.5
"""A lid is this many times brighter than any way from the border to the retina (measured: lids
1.6 to 5)."""

LID_MARGIN = 0.012
"""Lashes and blur beside a lid, diameters."""


class Retina(NamedTuple):
    """What an angiogram shows of the retina."""

    view: Field
    gradable: Mask
    window: Window
    """Part of the image by whose longer side the network scales it."""


def find_retina(pixels: Gray, *, name: str = "image") -> Retina:
    """Kind of field of view, and the retina on which perfusion can be judged.

    Of a 55° image, the round frame without its blurred edge: all of it, dark sectors too. Of
    an ultra-widefield image, the surroundings of visible vessels, dark areas between them
    included, without eyelids and sclera, their shadows, and the rim too dark to see vessels.

    Parameters
    ----------
    pixels : (rows, columns) float32
        Angiogram in [0, 1].
    name
        What to call the image in an error.

    Returns
    -------
    view
        ``"55"`` or ``"uwfa"``, see :func:`field_of_view`.
    gradable : (rows, columns) bool
        Within :func:`instrument_field`; in one piece if ultra-widefield.
    window
        See :func:`napari_npa.field.scale_window`.

    Raises
    ------
    RetinaError
        If the image is black, or is ultra-widefield and shows no vessels.
    """
    small = reduced(pixels, WORK_SIDE)
    field = imaged(small, name)
    circle = round_frame(field)
    if circle is not None:
        inner = circle._replace(radius=circle.radius * (1 - 2 * EDGE_MARGIN))
        frame = scale_window(disk(circle, field.shape, field.shape), "55", pixels.shape)
        return Retina("55", disk(inner, field.shape, pixels.shape), frame)
    diameter = 2 * float(np.sqrt(np.count_nonzero(field) / np.pi))
    inside = eroded(field, EDGE_MARGIN * diameter)
    if rectangular(field):
        window = scale_window(field, "55", pixels.shape)
        return Retina("55", enlarged(inside, pixels.shape), window)
    seen = _seen(small, field, inside, diameter, name)
    window = scale_window(field, "uwfa", pixels.shape)
    return Retina("uwfa", enlarged(seen, pixels.shape), window)


def gradable_retina(pixels: Gray, *, name: str = "image") -> Mask:
    """Retina on which perfusion can be judged; see :func:`find_retina`."""
    return find_retina(pixels, name=name).gradable


def _seen(small: Gray, field: Mask, inner: Mask, diameter: float, name: str) -> Mask:
    """Retina of an ultra-widefield image in which vessels can be seen, on the reduction."""
    vessels = _vessels(small, field, inner, diameter)
    near = dilated(vessels, SIGHT * diameter) & inner
    lids = _lids(small, inner, near, diameter)
    vessels = long_parts(vessels & ~lids, SHORTEST_VESSEL * diameter)
    reach = dilated(vessels, (SIGHT + BAY) * diameter)
    seen = eroded(ndi.binary_fill_holes(reach), BAY * diameter) & inner & ~lids
    smooth = ndi.gaussian_filter(ndi.binary_fill_holes(seen).astype(np.float32), SMOOTH * diameter)
    gradable = largest_part((smooth > 0.5) & inner & ~lids)
    if not gradable.any():
        raise RetinaError(
            name,
            "shows no retinal vessels, so that no part of it can be judged",
            "Choose a later or sharper frame, or draw the gradable retina by hand.",
        )
    return gradable


def _vessels(small: Gray, field: Mask, inner: Mask, diameter: float) -> Mask:
    """Long bright ridges that stand out from background and noise."""
    scale = diameter / DIAMETER
    logarithm = np.log(small / np.float32(GRAY_LEVEL) + np.float32(DARK_CURRENT))
    relief = logarithm - _local_mean(logarithm, field, BACKGROUND_SIGMA * scale)
    relief[~field] = 0
    sigmas = [max(sigma * scale, NARROWEST) for sigma in VESSEL_SIGMAS]
    bright, dark = _ridges(relief, sigmas)
    bright[~eroded(inner, 2 * sigmas[-1])] = 0
    noise = _noise(relief, inner)
    low, high = (
        max(contrast, deviations * noise)
        for contrast, deviations in zip(VESSEL_CONTRAST, VESSEL_NOISE, strict=True)
    )
    parts, count = ndi.label(bright > low, structure=EIGHT_NEIGHBOURS)
    labels = np.arange(count + 1)
    beside = ndi.maximum_filter(dark, size=2 * round(LASH_REACH * scale) + 1)
    sure = ndi.maximum(bright, parts, labels) > high
    sure &= ndi.sum(beside, parts, labels) < LASH * ndi.sum(bright, parts, labels)
    sure[0] = False
    return long_parts(sure[parts], SHORTEST_VESSEL * diameter)


def _ridges(relief: Gray, sigmas: list[float]) -> tuple[Gray, Gray]:
    """Strength of bright and of dark ridges (Sato 1998), both from one Hessian a scale."""
    bright, dark = np.zeros_like(relief), np.zeros_like(relief)
    for sigma in sigmas:
        hessian = hessian_matrix(relief, sigma, mode="reflect", use_gaussian_derivatives=True)
        most, least = sigma**2 * hessian_matrix_eigvals(hessian)
        np.maximum(bright, -least, out=bright)
        np.maximum(dark, most, out=dark)
    return bright, dark


def _noise(relief: Gray, inside: Mask) -> float:
    """Estimate the pixel noise, blind to edges: Immerkaer 1996, with a median for the mean."""
    second = np.array([[1, -2, 1]], np.float32)
    residue = ndi.convolve(relief, second.T @ second)
    return float(np.median(np.abs(residue[inside])) / (0.6745 * 6)) if inside.any() else 0.0


def _lids(small: Gray, inner: Mask, near: Mask, diameter: float) -> Mask:
    """Bright bands that come in from the border: eyelid and sclera.

    The bright posterior pole is reached from the border only over darker ground. Morphological
    reconstruction gives each place the brightness of the brightest way to it; on a lid that is
    its own, on the retina that of the saddle between.
    """
    coarse = reduced(small, LID_SIDE)
    inside = reduced(inner.astype(np.float32), LID_SIDE) > 0.5
    ground = np.where(inside, ndi.percentile_filter(coarse, 30, size=5), 0)
    border = inside & ~eroded(inside, 3)
    ways = reconstruction(np.where(border, ground, 0), ground)
    retina = inside & (reduced(near.astype(np.float32), LID_SIDE) > 0.5)
    if not retina.any():
        return np.zeros(inner.shape, np.bool_)
    lids = enlarged(ways > LID_BRIGHTNESS * np.median(ways[retina]), inner.shape)
    return dilated(lids, LID_MARGIN * diameter)


def _local_mean(values: Gray, inside: Mask, sigma: float) -> Gray:
    """Gaussian mean over the pixels inside a mask."""
    weights = ndi.gaussian_filter(inside.astype(np.float32), sigma)
    sums = ndi.gaussian_filter(np.where(inside, values, np.float32(0)), sigma)
    return np.asarray(sums / np.maximum(weights, np.float32(1e-3)))
