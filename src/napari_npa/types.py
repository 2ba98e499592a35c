"""Types that several rooms share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
"""Pixels that are inside something, (rows, columns) bool."""

Gray = NDArray[np.float32]
"""Gray levels or probabilities, (rows, columns) float32 in [0, 1]."""

Window = tuple[slice, slice]
"""Rows and columns of a rectangle."""

FieldName = Literal["55", "uwfa"]
"""Name of a kind of field of view; see :mod:`napari_npa.imaging.field_of_view`."""

FieldChoice = Literal["auto", "55", "uwfa"]
"""Kind of field of view that a user chooses; ``auto``: told by the outline of the field."""

Target = Literal["npa", "retina"]
"""One of the two masks that make the index: non-perfusion, or the gradable retina."""

TARGET_NAMES: dict[Target, str] = {"npa": "non-perfusion", "retina": "the gradable retina"}
"""What users call them."""

TARGETS = tuple(TARGET_NAMES)

Mode = Literal["whole", "two-scale"]
"""One look at the whole image, or a second one where the tile network sees finer."""

Progress = Callable[[int, int], None]
"""Called with (done, total) steps; may raise :class:`napari_npa.errors.Cancelled`."""
