"""Read a mask from a file, as boolean pixels."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_npa.errors import AngiogramError

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


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
        with path.open("rb") as file:
            is_tiff = file.read(4) in TIFF_MAGIC
        values = tifffile.imread(path) if is_tiff else iio.imread(path)
    except (OSError, ValueError, tifffile.TiffFileError) as error:
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
