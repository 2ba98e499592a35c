"""Augmentation: geometry and gray levels of random views of a training image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from napari_npa.imaging.contrast import smoothed
from napari_npa.training.config import Augmentation
from napari_npa.types import Gray

DETAIL_SIGMA = 1.0
"""Pixels; sharpening adds detail finer than this, and softening removes it."""


@dataclass(frozen=True)
class ViewTransform:
    """How one view was drawn; it can be rendered on any device.

    Attributes
    ----------
    theta
        Matrix from the view's coordinates in [-1, 1] to the image's, (x, y), as for `affine_grid`.
    gain, gamma, sharpness
        Changes of the gray levels, as in :class:`Augmentation`.
    noise, noise_seed
        Standard deviation of the noise, and the seed of its numbers.
    slope
        Gain added from one side to the other: downwards, and to the right.
    """

    theta: Gray
    gain: float
    gamma: float
    slope: tuple[float, float]
    sharpness: float
    noise: float
    noise_seed: int


def draw_transform(
    shape: tuple[int, int],
    centre: tuple[float, float],
    side: int,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> ViewTransform:
    """Draw how a view shows an image.

    Parameters
    ----------
    shape
        Rows and columns of the image.
    centre
        Row and column of the image that are in the middle of the view.
    side
        Rows and columns of the view, pixels.
    augmentation
        Ranges to draw from.
    rng
        Source of the random numbers.
    """
    scale = _ratio(augmentation.scale_ratio, rng)
    aspect = np.sqrt(_ratio(augmentation.aspect_ratio, rng))
    angle = np.radians(rng.uniform(-1, 1) * augmentation.rotation_degrees)
    flip_x = rng.choice([-1.0, 1.0])
    flip_y = rng.choice([-1.0, 1.0]) if augmentation.flip_vertical else 1.0
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = rotation @ np.diag([flip_x * aspect, flip_y / aspect]) * (side / scale)
    rows, columns = shape
    matrix /= np.array([[columns], [rows]])
    shift = [2 * (centre[1] + 0.5) / columns - 1, 2 * (centre[0] + 0.5) / rows - 1]
    gain = rng.uniform(*augmentation.gain_range)
    gamma = _ratio(augmentation.gamma_ratio, rng)
    bearing, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, augmentation.shading)
    return ViewTransform(
        np.column_stack([matrix, shift]).astype(np.float32),
        gain,
        gamma,
        (slope * np.sin(bearing), slope * np.cos(bearing)),
        rng.uniform(*augmentation.sharpness),
        augmentation.noise * rng.random(),
        int(rng.integers(2**62)),
    )


def render(
    layers: Sequence[Tensor], transforms: Sequence[ViewTransform], side: int
) -> tuple[Tensor, Tensor]:
    """Render square views of images, on the device that holds the images.

    Parameters
    ----------
    layers : (1 + n, rows, columns) float32 each
        A contrast-normalised angiogram and its masks (0 or 1); sizes may differ.
    transforms
        One for each image.
    side
        Rows and columns of the views, pixels.

    Returns
    -------
    images : (len(transforms), side, side) float32
        Black where a view reaches beyond its image.
    masks : (len(transforms), n, side, side) float32
        0 there.
    """
    views = torch.cat([_warp(*pair, side) for pair in zip(layers, transforms, strict=True)])
    return _jitter(views[:, 0], transforms), views[:, 1:].round()


def _warp(layers: Tensor, transform: ViewTransform, side: int) -> Tensor:
    theta = torch.from_numpy(transform.theta)[None].to(layers.device, non_blocking=True)
    grid = affine_grid(theta, [1, 1, side, side], align_corners=False)
    return grid_sample(layers[None], grid, align_corners=False)


def reach(side: int, augmentation: Augmentation) -> float:
    """Return how far from its centre a view can show the image, pixels."""
    stretch = augmentation.scale_ratio * np.sqrt(augmentation.aspect_ratio)
    return float(side / np.sqrt(2) * stretch)


def _jitter(images: Tensor, transforms: Sequence[ViewTransform]) -> Tensor:
    """Change the gray levels of views."""
    device = images.device
    drawn = [(t.gain, t.gamma, *t.slope, t.sharpness, t.noise) for t in transforms]
    columns = torch.tensor(drawn, dtype=torch.float32).to(device, non_blocking=True)
    gain, gamma, down, right, sharpness, spread = columns.T[..., None, None]
    axis = torch.linspace(-0.5, 0.5, images.shape[-1], device=device)
    shading = 1 + down * axis[:, None] + right * axis
    lit = gain * images**gamma * shading
    lit += sharpness * (lit - smoothed(lit, DETAIL_SIGMA, truncate=3.0))
    noise = torch.stack([_noise(*pair) for pair in zip(images, transforms, strict=True)])
    return torch.where(images > 0, lit + spread * noise, 0).clip(0, 1)


def _noise(image: Tensor, transform: ViewTransform) -> Tensor:
    generator = torch.Generator(image.device).manual_seed(transform.noise_seed)
    return torch.randn(image.shape, generator=generator, device=image.device)


def _ratio(ratio: float, rng: np.random.Generator) -> float:
    return float(ratio ** rng.uniform(-1, 1))
