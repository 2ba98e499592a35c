"""Contrast normalisation: what the network sees of an angiogram.

Angiograms come dim (a wide-field one has a median of about 20 of 255), of any
phase and exposure. The network gets three channels that depend little on either.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from torch import Tensor
from torch.nn.functional import avg_pool2d

from napari_npa.imaging.resampling import resized
from napari_npa.types import Gray, Mask

WHITE_PERCENTILE = 99.0
"""Gray level of the gradable retina that becomes 1; lids would drive a percentile of the frame."""

GAMMA = 0.6
"""Lifts the dim periphery; found to serve 55° and ultra-widefield angiograms alike."""

DARKEST_WHITE = 0.001
"""Least white level: keeps the noise of a nearly black image from being stretched to white."""

DARK_LEVELS = 4.0
"""Gray levels of 255 below which the scale of :func:`logarithmic` is nearly even: the noise of an
ultra-widefield angiogram and the ground of its dark periphery."""

SURROUND_SIGMA = 16.0
"""Pixels of the network's input over which the local mean and spread are taken."""

FINE_SIGMA = 1.5
"""Pixels; detail finer than this is texture: the capillary net where it can be resolved."""

TEXTURE_SIGMA = 5.0
"""Pixels over which the energy of the texture is averaged."""

SPREAD_FLOOR = 0.03
"""Added to a local spread before dividing by it, so that flat regions stay flat."""

COARSE = 4
"""Local means of such width are taken on a grid this many times coarser."""

TEXTURE_CEILING = 0.06
"""Detail stronger than this counts as this much: vessels would drown the capillaries."""

TEXTURE_GAIN = 8.5
"""Brings the relative texture energy of a perfused capillary net to about 0.5."""


def normalise_contrast(pixels: Gray, retina: Mask) -> Gray:
    """Stretch an angiogram to [0, 1] by the gray levels of its gradable retina.

    Parameters
    ----------
    pixels : (rows, columns) float32
        Gray levels in [0, 1].
    retina : (rows, columns) bool
        Gradable retina; when empty, the whole image is taken.

    Returns
    -------
    stretched : (rows, columns) float32
        ``min(pixels / white, 1) ** 0.6``, with ``white`` the 99th percentile of
        the retina; multiplying `pixels` by a factor changes nothing.
    """
    levels = pixels[retina] if retina.any() else pixels
    white = max(float(np.percentile(levels, WHITE_PERCENTILE)), DARKEST_WHITE)
    stretched: Gray = pixels / np.float32(white)
    stretched.clip(None, 1, out=stretched)
    stretched **= np.float32(GAMMA)
    return stretched


def logarithmic(pixels: Gray) -> Gray:
    """Bring dim and bright retina nearer to each other while it is not known where retina is.

    Parameters
    ----------
    pixels : (rows, columns) float32
        Gray levels in [0, 1].

    Returns
    -------
    levels : (rows, columns) float32
        In [0, 1]; unlike those of :func:`normalise_contrast` they depend on the exposure.
    """
    white = 255 / DARK_LEVELS
    return np.asarray(np.log1p(np.float32(white) * pixels) / np.float32(np.log1p(white)))


def input_channels(stretched: Gray) -> Gray:
    """Gray level, local contrast and capillary texture of a stretched angiogram.

    Where a non-perfused area is as bright as its surround, the missing capillary
    texture is the only sign of it; where the field is vignetted, the local contrast
    is what can be compared with the centre.

    Parameters
    ----------
    stretched : (rows, columns) float32
        In [0, 1], at the resolution of the network's input.

    Returns
    -------
    channels : (3, rows, columns) float32
        Each in [0, 1].
    """
    channels = np.empty((3, *stretched.shape), np.float32)
    gray, local, texture = channels
    gray[:] = stretched
    mean = _local_mean(stretched, SURROUND_SIGMA)

    np.subtract(stretched, mean, out=local)
    spread = np.sqrt(_local_mean(local**2, SURROUND_SIGMA))
    local /= 4 * (spread + SPREAD_FLOOR)
    local += 0.5

    np.subtract(stretched, gaussian_filter(stretched, FINE_SIGMA), out=texture)
    texture.clip(-TEXTURE_CEILING, TEXTURE_CEILING, out=texture)
    energy = np.sqrt(_local_mean(texture**2, TEXTURE_SIGMA))
    np.divide(TEXTURE_GAIN * energy, np.sqrt(mean + SPREAD_FLOOR), out=texture)
    return channels.clip(0, 1, out=channels)


def _local_mean(values: Gray, sigma: float) -> Gray:
    """Gaussian mean, computed on a coarser grid."""

    def smooth(coarse: Tensor) -> Tensor:
        # Scipy's: on a processor faster than a product of matrices.
        sigmas = (0, 0, sigma / COARSE, sigma / COARSE)
        return torch.from_numpy(gaussian_filter(coarse.numpy(), sigmas))

    image = torch.from_numpy(np.ascontiguousarray(values))[None]
    return np.asarray(_on_coarse_grid(image, smooth)[0].numpy(), np.float32)


def channels_on_device(stretched: Tensor) -> Tensor:
    """:func:`input_channels` of several images at once, computed where they lie.

    Parameters
    ----------
    stretched : (n, rows, columns) float32
        In [0, 1], on any device.

    Returns
    -------
    channels : (n, 3, rows, columns) float32
        On the same device; equal to those of :func:`input_channels` but for rounding.
    """
    mean = _local_means(stretched, SURROUND_SIGMA)
    local = stretched - mean
    spread = _local_means(local**2, SURROUND_SIGMA).sqrt()
    texture = stretched - smoothed(stretched, FINE_SIGMA)
    energy = _local_means(texture.clip(-TEXTURE_CEILING, TEXTURE_CEILING) ** 2, TEXTURE_SIGMA)
    channels = (
        stretched,
        local / (4 * (spread + SPREAD_FLOOR)) + 0.5,
        TEXTURE_GAIN * energy.sqrt() / (mean + SPREAD_FLOOR).sqrt(),
    )
    return torch.stack(channels, 1).clip(0, 1)


def smoothed(images: Tensor, sigma: float, truncate: float = 4.0) -> Tensor:
    """`scipy.ndimage.gaussian_filter` of the last two axes, on any device."""
    down, right = (
        _blurring(length, sigma, truncate, images.device) for length in images.shape[-2:]
    )
    return down @ images @ right.T


@lru_cache(maxsize=32)
def _blurring(length: int, sigma: float, truncate: float, device: torch.device) -> Tensor:
    """Gaussian of a row of pixels as a matrix: its edges are scipy's own."""
    matrix = gaussian_filter1d(np.eye(length, dtype=np.float32), sigma, 0, truncate=truncate)
    return torch.from_numpy(matrix).to(device)


def _local_means(images: Tensor, sigma: float) -> Tensor:
    """Gaussian means, computed on a coarser grid."""
    return _on_coarse_grid(images, lambda coarse: smoothed(coarse, sigma / COARSE))


def _on_coarse_grid(images: Tensor, smooth: Callable[[Tensor], Tensor]) -> Tensor:
    """What a smoothing gives of images (n, rows, columns), computed on fewer pixels."""
    coarse = avg_pool2d(images[:, None], COARSE, ceil_mode=True, count_include_pad=False)
    rows, columns = coarse.shape[-2:]
    fine = resized(smooth(coarse), (COARSE * rows, COARSE * columns))
    return fine[:, 0, : images.shape[1], : images.shape[2]]
