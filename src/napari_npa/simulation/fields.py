"""Smooth random fields, from which every texture and every irregular edge is made."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_npa.types import Gray

Image = Gray


def noise(shape: tuple[int, int], scale: float, rng: np.random.Generator) -> Image:
    """Draw a smooth random field of mean 0 and standard deviation about 1.

    Parameters
    ----------
    shape
        Rows and columns.
    scale
        Distance over which the field changes, pixels, at least 1.
    rng
        Source of the random numbers.

    Returns
    -------
    field : `shape` float32
        Independent normal values on a grid `scale` apart, joined by cubic B-splines.
    """
    rows, columns = (_spline(length, scale) for length in shape)
    values = rng.standard_normal((rows.shape[1], columns.shape[1]), dtype=np.float32)
    return np.asarray(rows @ values @ columns.T * _SPLINE_GAIN, np.float32)


def octaves(
    shape: tuple[int, int], scale: float, rng: np.random.Generator, count: int = 3
) -> Image:
    """Draw a sum of `noise` fields, each half as wide and half as strong as the one before.

    Parameters
    ----------
    shape, scale, rng
        As in `noise`; `scale` is that of the widest field.
    count
        Number of fields.

    Returns
    -------
    field : `shape` float32
        Mean 0, standard deviation about 1.1.
    """
    field = np.zeros(shape, np.float32)
    for octave in range(count):
        field += noise(shape, max(1.0, scale / 2**octave), rng) / 2**octave
    return field


def enlarge(coarse: Image, shape: tuple[int, int]) -> Image:
    """Enlarge a coarse image smoothly, pixel (0, 0) to the area of pixel (0, 0).

    Parameters
    ----------
    coarse : (rows, columns) float32
        What to enlarge.
    shape
        Rows and columns of the result.

    Returns
    -------
    image : `shape` float32
        Linear interpolation between the pixel centres; beyond them the edge values continue.
    """
    rows, columns = (_linear(long, short) for long, short in zip(shape, coarse.shape, strict=True))
    return np.asarray(rows @ coarse @ columns.T, np.float32)


def shrink(image: Image, step: int) -> Image:
    """Average blocks of `step` x `step` pixels; the remainder at the far edges is left out."""
    rows, columns = (length // step for length in image.shape)
    blocks = image[: rows * step, : columns * step].reshape(rows, step, columns, step)
    return np.asarray(blocks.mean((1, 3), dtype=np.float32))


def blur(image: Image, sigma: float) -> Image:
    """Blur an image by a Gaussian, on a coarser grid if that changes nothing visible.

    Parameters
    ----------
    image : (rows, columns) float32
        What to blur.
    sigma
        Standard deviation, pixels.
    """
    step = int(sigma / _FINE_SIGMA)
    if step < 2 or any(length % step for length in image.shape):
        step = 2 if sigma > 2 * _FINE_SIGMA and not any(n % 2 for n in image.shape) else 1
    if step == 1:
        return np.asarray(ndimage.gaussian_filter(image, sigma, truncate=3.0), np.float32)
    coarse = ndimage.gaussian_filter(shrink(image, step), sigma / step, truncate=3.0)
    return enlarge(coarse, (image.shape[0], image.shape[1]))


def soft_step(values: Image, width: float) -> Image:
    """Step smoothly from 0 (far below zero) to 1 (far above); `width` in the units of `values`."""
    return np.asarray(0.5 + 0.5 * np.tanh(values / width), np.float32)


_FINE_SIGMA = 3.0
"""Standard deviation, in coarse pixels, that `blur` keeps: enough to hide the coarse grid."""

_SPLINE_GAIN = np.float32(2.1)
"""Undoes the smoothing of cubic B-splines, whose squares sum to about 1 / 2.1 on an axis."""


def _spline(length: int, scale: float) -> Image:
    """Compute the weights (length, knots) of cubic B-splines `scale` pixels apart."""
    knots = int(np.ceil(length / scale)) + 4
    t = np.abs(np.arange(length)[:, None] / scale - (np.arange(knots)[None] - 2))
    inner = 2 / 3 - t**2 + t**3 / 2
    outer = np.clip(2 - t, 0, None) ** 3 / 6
    return np.asarray(np.where(t < 1, inner, outer), np.float32)


def _linear(long: int, short: int) -> Image:
    """Compute the weights (long, short) of linear interpolation between pixel centres."""
    at = np.clip((np.arange(long) + 0.5) * short / long - 0.5, 0, short - 1)
    weights = 1 - np.abs(at[:, None] - np.arange(short)[None])
    return np.asarray(np.clip(weights, 0, None), np.float32)
