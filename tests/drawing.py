"""Angiograms drawn in milliseconds, for tests that need no more."""

import numpy as np

TINY_CANVASES = {"55": 64, "uwfa": 64}
"""Canvases of the tiny network, pixels."""


def draw_round_angiogram(side: int, seed: int = 0) -> np.ndarray:
    """Gray round field with bright vessel-like lines and a little noise, (side, side) uint8."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    radius = np.hypot(rows, columns) / (side / 2)
    image = 70 - 20 * radius + rng.normal(0, 2, (side, side))
    angle = np.arctan2(rows, columns)
    image[np.abs(np.sin(4 * angle + 3 * radius)) < 0.12] = 150
    image[radius > 0.99] = 0
    return np.clip(image, 0, 255).astype(np.uint8)
