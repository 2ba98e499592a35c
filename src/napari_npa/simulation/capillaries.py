"""The capillary bed: like ground glass in a wide field, a fine net in a 55° image."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_npa.simulation.fields import Image, noise

MESH_MM = 0.11
"""Distance between capillaries in the visible net: about twice the capillary-free margin of
arterioles, 67 µm."""

DILATED_MESH_MM = (0.16, 0.4)
"""Distance between channels where many of their neighbours are closed."""

_FINEST_PX = 0.9
"""Narrowest mesh a camera resolves, standard deviation of the filter in pixels."""


def texture(
    shape: tuple[int, int],
    mm_per_pixel: float,
    rng: np.random.Generator,
    mesh_mm: float = MESH_MM,
) -> Image:
    """Draw the brightness of the capillary bed relative to its mean.

    Parameters
    ----------
    shape
        Rows and columns.
    mm_per_pixel
        Scale of the image.
    rng
        Source of the random numbers.
    mesh_mm
        Distance between capillaries.

    Returns
    -------
    texture : `shape` float32
        Mean about 0, standard deviation 1: ridges of band-passed noise, which join into a
        net, over a coarser mottling.
    """
    sigma = max(_FINEST_PX, 0.35 * mesh_mm / mm_per_pixel)
    white = rng.standard_normal(shape, dtype=np.float32)
    fine = ndimage.gaussian_filter(white, sigma, truncate=3.0)
    band = fine - ndimage.gaussian_filter(fine, 1.6 * sigma, truncate=3.0)
    band /= band.std()
    net = 0.8 * _standard(np.exp(-1.5 * np.abs(band))) + 0.2 * band
    mottling = noise(shape, 5 * sigma, rng)
    return _standard(net + 0.35 * mottling)


def dilated(shape: tuple[int, int], mm_per_pixel: float, rng: np.random.Generator) -> Image:
    """Draw the brightness of a diseased capillary bed: a coarse net of dilated channels.

    Dark gaps lie between the channels. Parameters and result are those of :func:`texture`.
    """
    gap = rng.uniform(*DILATED_MESH_MM) / mm_per_pixel
    band = noise(shape, max(1.0, 0.5 * gap), rng) - noise(shape, 2 * gap, rng)
    net = _standard(np.exp(-1.2 * np.abs(band)).astype(np.float32))
    return _standard(net + 0.7 * noise(shape, max(1.0, 0.8 * gap), rng))


def lacework(shape: tuple[int, int], mm_per_pixel: float, rng: np.random.Generator) -> Image:
    """Draw the light of dilated, winding channels around closed capillaries, 0 to 1.

    The channels are lines at least about two pixels wide, joined into loops. Parameters are
    those of :func:`texture`.
    """
    gap = max(4.0, rng.uniform(*DILATED_MESH_MM) / mm_per_pixel)
    field = noise(shape, 0.5 * gap, rng)
    across, along = np.gradient(field)
    distance = np.abs(field) / np.maximum(np.hypot(across, along), 0.2 / gap)
    line = np.exp(-((distance / rng.uniform(0.7, 1.3)) ** 2))
    return np.asarray(line * np.clip(0.6 + 0.5 * noise(shape, gap, rng), 0, 1.2), np.float32)


def _standard(field: Image) -> Image:
    return np.asarray((field - field.mean()) / field.std(), np.float32)
