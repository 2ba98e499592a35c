"""Contrast normalisation: what the network sees of an angiogram.

Angiograms are dim (a wide-field one has a median of about 20 of 255), and their phase and exposure
vary. The network sees three channels that depend little on either.
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
"""This percentile of the gradable retina becomes 1; that of the frame would depend on lids."""

GAMMA = 0.6
"""Exponent that brightens the dim periphery; it suits 55° and ultra-widefield angiograms alike."""

DARKEST_WHITE = 0.001
"""Least white level, so that the noise of a nearly black image is not stretched to white."""

DARK_LEVELS = 4.0
"""Below this many gray levels of 255, the scale of :func:`logarithmic` is nearly linear: there are
the noise of an ultra-widefield angiogram and the ground of its dark periphery."""

SURROUND_SIGMA = 16.0
"""The local mean and spread are those of a Gaussian of this many pixels of the network's input."""

FINE_SIGMA = 1.5
"""Pixels; detail finer than this is texture, which is the capillary net if it can be resolved."""

TEXTURE_SIGMA = 5.0
"""The energy of the texture is averaged over a Gaussian of this many pixels."""

SPREAD_FLOOR = 0.03
"""Added to a local spread before dividing by it, so that flat regions stay flat."""

COARSE = 4
"""Local means are computed on a grid this many times coarser."""

TEXTURE_CEILING = 0.06
"""Stronger detail is cut to this, because vessels would hide the capillaries."""

TEXTURE_GAIN = 8.5
"""Brings the relative texture energy of a perfused capillary net to about 0.5."""


def normalise_contrast(pixels: Gray, retina: Mask) -> Gray:
    """Stretch an angiogram to [0, 1] by the gray levels of its gradable retina.

    Parameters
    ----------
    pixels : (rows, columns) float32
        Gray levels in [0, 1].
    retina : (rows, columns) bool
        Gradable retina; if it is empty, the whole image is used.

    Returns
    -------
    stretched : (rows, columns) float32
        ``min(pixels / white, 1) ** 0.6``, with ``white`` the 99th percentile of
        the retina. Multiplying `pixels` by a factor changes nothing.
    """
    levels = pixels[retina] if retina.any() else pixels
    white = max(float(np.percentile(levels, WHITE_PERCENTILE)), DARKEST_WHITE)
    stretched: Gray = pixels / np.float32(white)
    stretched.clip(None, 1, out=stretched)
    stretched **= np.float32(GAMMA)
    return stretched


def logarithmic(pixels: Gray) -> Gray:
    """Bring dim and bright retina nearer to each other, before it is known where retina is.

    Parameters
    ----------
    pixels : (rows, columns) float32
        Gray levels in [0, 1].

    Returns
    -------
    levels : (rows, columns) float32
        In [0, 1]; unlike those of :func:`normalise_contrast`, they depend on the exposure.
    """
    white = 255 / DARK_LEVELS
    return np.asarray(np.log1p(np.float32(white) * pixels) / np.float32(np.log1p(white)))


def input_channels(stretched: Gray) -> Gray:
    """Make three channels of a stretched angiogram: gray level, local contrast, capillary texture.

    If a non-perfused area is as bright as its surround, the missing capillary texture is the
    only sign of it. If the field is vignetted, its local contrast can still be compared with
    that of the centre.

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
    """Take the Gaussian mean on a coarser grid."""

    def smooth(coarse: Tensor) -> Tensor:
        # On a processor, scipy is faster than a product of matrices.
        sigmas = (0, 0, sigma / COARSE, sigma / COARSE)
        return torch.from_numpy(gaussian_filter(coarse.numpy(), sigmas))

    image = torch.from_numpy(np.ascontiguousarray(values))[None]
    return np.asarray(_on_coarse_grid(image, smooth)[0].numpy(), np.float32)


def channels_on_device(stretched: Tensor) -> Tensor:
    """Make the channels of several images at once, on the device that holds them.

    Parameters
    ----------
    stretched : (n, rows, columns) float32
        In [0, 1], on any device.

    Returns
    -------
    channels : (n, 3, rows, columns) float32
        On the same device; equal to those of :func:`input_channels`, except for rounding.
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
    """Do `scipy.ndimage.gaussian_filter` along the last two axes, on any device."""
    down, right = (
        _blurring(length, sigma, truncate, images.device) for length in images.shape[-2:]
    )
    return down @ images @ right.T


@lru_cache(maxsize=32)
def _blurring(length: int, sigma: float, truncate: float, device: torch.device) -> Tensor:
    """Make the matrix that blurs a row of pixels; its edges are as in scipy."""
    matrix = gaussian_filter1d(np.eye(length, dtype=np.float32), sigma, 0, truncate=truncate)
    return torch.from_numpy(matrix).to(device)


def _local_means(images: Tensor, sigma: float) -> Tensor:
    """Take Gaussian means on a coarser grid."""
    return _on_coarse_grid(images, lambda coarse: smoothed(coarse, sigma / COARSE))


def _on_coarse_grid(images: Tensor, smooth: Callable[[Tensor], Tensor]) -> Tensor:
    """Smooth images (n, rows, columns) on fewer pixels, and bring them back to their own grid."""
    coarse = avg_pool2d(images[:, None], COARSE, ceil_mode=True, count_include_pad=False)
    rows, columns = coarse.shape[-2:]
    fine = resized(smooth(coarse), (COARSE * rows, COARSE * columns))
    return fine[:, 0, : images.shape[1], : images.shape[2]]
