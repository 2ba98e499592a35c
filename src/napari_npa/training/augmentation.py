"""Random views of a training image: geometry and gray levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch.nn.functional import affine_grid, grid_sample

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


def random_view(
    stretched: NDArray[np.float32],
    targets: NDArray[np.float32],
    centre: tuple[float, float],
    side: int,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Square view about a point of a letterboxed image.

    Parameters
    ----------
    stretched : (canvas, canvas) float32
        Contrast-normalised angiogram.
    targets : (n, canvas, canvas) float32
        Its masks (0 or 1).
    centre
        Row and column that come to the middle of the view.
    side
        Rows and columns of the view, pixels.

    Returns
    -------
    image : (side, side) float32
        Black where the view reaches beyond the canvas.
    masks : (n, side, side) float32
        0 there.
    """
    scale = _ratio(augmentation.scale_ratio, rng)
    aspect = np.sqrt(_ratio(augmentation.aspect_ratio, rng))
    angle = np.radians(rng.uniform(-1, 1) * augmentation.rotation_degrees)
    flip_x = rng.choice([-1.0, 1.0])
    flip_y = rng.choice([-1.0, 1.0]) if augmentation.flip_vertical else 1.0
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    # From the view's coordinates in [-1, 1] to the image's, as affine_grid has it: (x, y).
    matrix = rotation @ np.diag([flip_x * aspect, flip_y / aspect]) * (side / scale)
    rows, columns = stretched.shape
    matrix /= np.array([[columns], [rows]])
    shift = [2 * (centre[1] + 0.5) / columns - 1, 2 * (centre[0] + 0.5) / rows - 1]
    theta = torch.tensor(np.column_stack([matrix, shift]), dtype=torch.float32)[None]
    grid = affine_grid(theta, [1, 1, side, side], align_corners=False)
    layers = torch.from_numpy(np.concatenate([stretched[None], targets]))[None]
    view = grid_sample(layers, grid, align_corners=False)[0].numpy()
    return _jitter(view[0], augmentation, rng), np.round(view[1:])


def reach(side: int, augmentation: Augmentation) -> float:
    """How far from its centre a view takes in the image at most, pixels."""
    stretch = augmentation.scale_ratio * np.sqrt(augmentation.aspect_ratio)
    return float(side / np.sqrt(2) * stretch)


def _jitter(
    image: NDArray[np.float32], augmentation: Augmentation, rng: np.random.Generator
) -> NDArray[np.float32]:
    gain = rng.uniform(*augmentation.gain_range)
    lit = gain * image ** _ratio(augmentation.gamma_ratio, rng) * _shading(image, augmentation, rng)
    amount = rng.uniform(*augmentation.sharpness)
    lit += amount * (lit - gaussian_filter(lit, DETAIL_SIGMA, truncate=3.0))
    spread = np.float32(augmentation.noise * rng.random())
    noise = spread * rng.standard_normal(image.shape, np.float32)
    return np.clip(np.where(image > 0, lit + noise, 0), 0, 1).astype(np.float32)


def _shading(
    image: NDArray[np.float32], augmentation: Augmentation, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Gain that falls from one side of the view to the other."""
    bearing, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, augmentation.shading)
    down, right = (np.linspace(-0.5, 0.5, n, dtype=np.float32) for n in image.shape)
    fall = np.sin(bearing) * down[:, None] + np.cos(bearing) * right[None]
    return np.asarray(1 + slope * fall, np.float32)


def _ratio(ratio: float, rng: np.random.Generator) -> float:
    return float(ratio ** rng.uniform(-1, 1))
