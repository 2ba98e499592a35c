"""Random views of a training image: geometry and gray levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from napari_npa.imaging.contrast import smoothed
from napari_npa.types import Gray

DETAIL_SIGMA = 1.0
"""Pixels; detail finer than this is what sharpening adds and softening takes away."""


@dataclass(frozen=True)
class Augmentation:
    """Ranges from which each view is drawn; a ratio `r` stands for the range 1/r to r.

    Published (Li et al.): scale, aspect, horizontal flip, placement on the canvas, and
    hue-saturation-value jitter, of which an angiogram has only the value. Added here:
    rotation and vertical flip, since 55° frames look in any direction; `sharpness`, detail
    taken away (down to -1) or added, since cameras and exports differ in it more than in
    anything else; `shading`, how much brighter one side of the view becomes than the other.
    """

    scale_ratio: float = 1.3
    aspect_ratio: float = 1.12
    rotation_degrees: float = 180.0
    flip_vertical: bool = True
    gamma_ratio: float = 1.4
    gain_range: tuple[float, float] = (0.8, 1.15)
    noise: float = 0.02
    sharpness: tuple[float, float] = (-0.7, 1.0)
    shading: float = 0.35


@dataclass(frozen=True)
class Look:
    """One view as it was drawn, to be rendered on any device.

    Attributes
    ----------
    theta
        From the view's coordinates in [-1, 1] to the image's, (x, y), as `affine_grid` has it.
    gain, gamma, sharpness
        What is done to the gray levels, as in :class:`Augmentation`.
    noise, noise_seed
        Standard deviation of the noise, and where its numbers start.
    slope
        Gain added from one side to the other, down and to the right.
    """

    theta: Gray
    gain: float
    gamma: float
    slope: tuple[float, float]
    sharpness: float
    noise: float
    noise_seed: int


def draw_look(
    shape: tuple[int, int],
    centre: tuple[float, float],
    side: int,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> Look:
    """Draw how an image is seen.

    Parameters
    ----------
    shape
        Rows and columns of the image.
    centre
        Row and column of it that come to the middle of the view.
    side
        Rows and columns of the view, pixels.
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
    return Look(
        np.column_stack([matrix, shift]).astype(np.float32),
        gain,
        gamma,
        (slope * np.sin(bearing), slope * np.cos(bearing)),
        rng.uniform(*augmentation.sharpness),
        augmentation.noise * rng.random(),
        int(rng.integers(2**62)),
    )


def render(layers: Sequence[Tensor], looks: Sequence[Look], side: int) -> tuple[Tensor, Tensor]:
    """Square views of images, computed where these lie.

    Parameters
    ----------
    layers : (1 + n, rows, columns) float32 each
        A contrast-normalised angiogram and its masks (0 or 1); sizes may differ.
    looks
        One for each of them.
    side
        Rows and columns of the views, pixels.

    Returns
    -------
    images : (len(looks), side, side) float32
        Black where a view reaches beyond its image.
    masks : (len(looks), n, side, side) float32
        0 there.
    """
    views = torch.cat([_seen(*pair, side) for pair in zip(layers, looks, strict=True)])
    return _jittered(views[:, 0], looks), views[:, 1:].round()


def _seen(layers: Tensor, look: Look, side: int) -> Tensor:
    theta = torch.from_numpy(look.theta)[None].to(layers.device, non_blocking=True)
    grid = affine_grid(theta, [1, 1, side, side], align_corners=False)
    return grid_sample(layers[None], grid, align_corners=False)


def reach(side: int, augmentation: Augmentation) -> float:
    """How far from its centre a view takes in the image at most, pixels."""
    stretch = augmentation.scale_ratio * np.sqrt(augmentation.aspect_ratio)
    return float(side / np.sqrt(2) * stretch)


def _jittered(images: Tensor, looks: Sequence[Look]) -> Tensor:
    """Views with the gray levels of their looks."""
    device = images.device
    drawn = [(k.gain, k.gamma, *k.slope, k.sharpness, k.noise) for k in looks]
    columns = torch.tensor(drawn, dtype=torch.float32).to(device, non_blocking=True)
    gain, gamma, down, right, sharpness, spread = columns.T[..., None, None]
    axis = torch.linspace(-0.5, 0.5, images.shape[-1], device=device)
    shading = 1 + down * axis[:, None] + right * axis
    lit = gain * images**gamma * shading
    lit += sharpness * (lit - smoothed(lit, DETAIL_SIGMA, truncate=3.0))
    noise = torch.stack([_noise(image, look) for image, look in zip(images, looks, strict=True)])
    return torch.where(images > 0, lit + spread * noise, 0).clip(0, 1)


def _noise(image: Tensor, look: Look) -> Tensor:
    generator = torch.Generator(image.device).manual_seed(look.noise_seed)
    return torch.randn(image.shape, generator=generator, device=image.device)


def _ratio(ratio: float, rng: np.random.Generator) -> float:
    return float(ratio ** rng.uniform(-1, 1))
