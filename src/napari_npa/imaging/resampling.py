"""Gray levels and probabilities at another number of rows and columns."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import interpolate


def resized(values: Tensor, shape: tuple[int, int]) -> Tensor:
    """Interpolate linearly between pixel centres; smooth first where the result is smaller.

    Parameters
    ----------
    values : (..., rows, columns) float32
        On any device; edge values are held beyond the outermost centres.
    shape
        Rows and columns of the result.

    Returns
    -------
    resized : (..., *shape) float32
        `values` themselves if they have that shape.
    """
    *others, rows, columns = values.shape
    if (rows, columns) == tuple(shape):
        return values
    found = interpolate(
        values.reshape(-1, 1, rows, columns),
        size=shape,
        mode="bilinear",
        align_corners=False,
        # An enlargement is the same with and without, and without takes less time.
        antialias=max(shape) < max(rows, columns),
    )
    return found.reshape(*others, *shape)
