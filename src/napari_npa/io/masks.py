"""Read a mask from a file, as boolean pixels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import imagecodecs
import imageio.v3 as iio
import numpy as np

from napari_npa.errors import AngiogramError
from napari_npa.io.decoding import TIFF_MAGIC
from napari_npa.types import Mask


def masks_by_stem(paths: Iterable[Path], ending: str, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Masks of one kind among files, by the stem of their angiogram.

    Parameters
    ----------
    ending
        End of the stems, as :data:`NPA_ENDING`; empty: every file.
    suffixes
        Lower-case suffixes of files that count.
    """
    return {
        path.stem.removesuffix(ending): path
        for path in paths
        if path.suffix.lower() in suffixes and path.stem.endswith(ending)
    }


def read_mask(path: Path) -> Mask:
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
