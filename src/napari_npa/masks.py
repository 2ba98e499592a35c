"""Read a mask from a file, as boolean pixels."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray

from napari_npa.decoding import TIFF_MAGIC
from napari_npa.errors import AngiogramError


def read_mask(path: Path) -> NDArray[np.bool_]:
    """Read a TIFF or PNG mask; every value but 0 is inside.

    Returns
    -------
    mask : (rows, columns) bool

    Raises
    ------
    AngiogramError
        The file is absent or not a single-channel image.
    """
    try:
        encoded = path.read_bytes()
        is_tiff = encoded.startswith(TIFF_MAGIC)
        values = imagecodecs.tiff_decode(encoded) if is_tiff else iio.imread(encoded)
    except (OSError, ValueError, RuntimeError, LookupError) as error:  # the last two: imagecodecs
        raise AngiogramError(
            path, f"cannot be read as a mask ({error})", "Export it as a TIFF or PNG image."
        ) from error
    if values.ndim != 2:
        raise AngiogramError(
            path,
            f"has shape {values.shape}; a mask has one channel",
            "Export it with one value a pixel, 0 outside and 1 (or 255) inside.",
        )
    return np.asarray(values != 0)
