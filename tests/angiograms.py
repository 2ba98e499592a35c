"""Small images for tests of reading, and the errors they end in."""

import numpy as np
import pytest

from napari_npa.errors import AngiogramError
from napari_npa.io.angiogram import as_angiogram

FULL_SCALE = {"uint8": 255, "uint16": 65535, "int16": 32767, "float32": 1, "float64": 1}
"""Sample value of white."""


def gradient(rows=70, columns=90):
    """Gray levels 0..157 that differ from any of their mirror images."""
    return np.add.outer(np.arange(rows), np.arange(columns)).astype(np.uint8)


def noise(shape, dtype, seed=0):
    """Samples over the whole range of the type, without negative values."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.random(shape).astype(dtype)
    return rng.integers(0, FULL_SCALE[dtype], shape, dtype, endpoint=True)


def refusal(image):
    """The error that an image ends in, checked to name the image and a way out."""
    with pytest.raises(AngiogramError) as caught:
        as_angiogram(image)
    error = caught.value
    assert error.subject == (image.name if hasattr(image, "name") else "array")
    assert error.remedy.endswith(".")
    assert not error.reason.endswith(".")
    return error
