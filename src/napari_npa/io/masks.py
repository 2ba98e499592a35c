"""Find the masks of a folder, match them with images, and read them as boolean pixels."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from napari_npa.errors import AngiogramError
from napari_npa.io.decoding import PNG_MAGIC, TIFF_MAGIC
from napari_npa.io.names import PICTURE_FILES, RETINA_ENDING
from napari_npa.types import Mask

MASK_SUFFIXES = (".tif", ".tiff", ".png")
"""Suffixes of masks, in lower case: the formats that keep every value. JPEG does not."""

_OTHER_ENDINGS = (RETINA_ENDING, *(PurePath(file).stem for file in PICTURE_FILES))


def find_masks(folder: Path, ending: str = "", *, recursive: bool = False) -> dict[str, Path]:
    """Find the masks of one kind in a folder.

    Parameters
    ----------
    folder
        Where to look. Hidden files are left out.
    ending
        End of the stems, as :data:`napari_npa.io.names.NPA_ENDING`. Empty: every TIFF or PNG
        file that is not a retina mask, overlay or probability map of a result.
    recursive
        Whether to look in subfolders too.

    Returns
    -------
    masks
        By their path in the folder, without ending and suffix, as :func:`normalised_path`
        writes it. Of files that differ only in suffix, the last by name.

    Raises
    ------
    AngiogramError
        The folder is absent or cannot be read.
    """
    try:
        paths = sorted(folder.iterdir())  # Path.rglob does not report an absent folder
    except OSError as error:
        raise AngiogramError(
            folder, f"cannot be read ({error.strerror})", "Give a folder of masks."
        ) from error
    if recursive:
        paths = sorted(folder.rglob("*"))
    return {
        normalised_path(path.with_name(path.stem.removesuffix(ending)).relative_to(folder)): path
        for path in paths
        if path.suffix.lower() in MASK_SUFFIXES
        and not path.name.startswith(".")
        and path.stem.endswith(ending)
        and (ending or not path.stem.endswith(_OTHER_ENDINGS))
    }


def match_masks(names: Iterable[str], masks: Iterable[str]) -> dict[str, str]:
    """Match masks with images: by path, otherwise by a stem that is unique on both sides.

    Parameters
    ----------
    names
        Images or other masks: paths in their folder, without suffix.
    masks
        Masks, as the keys of :func:`find_masks`.

    Returns
    -------
    matched
        The mask of each name that has one.
    """
    paths = {name: normalised_path(name) for name in names}
    stems = Counter(PurePosixPath(path).name for path in paths.values())
    alike: dict[str, list[str]] = {}
    for mask in masks:
        alike.setdefault(PurePosixPath(mask).name, []).append(mask)
    matched = {}
    for name, path in paths.items():
        stem = PurePosixPath(path).name
        candidates = alike.get(stem, [])
        if path in candidates:
            matched[name] = path
        elif stems[stem] == len(candidates) == 1:
            matched[name] = candidates[0]
    return matched


def normalised_path(path: str | PurePath) -> str:
    r"""Write a path the same way on all systems.

    Windows separates folders by ``\``; macOS decomposes letters such as ``ü``.
    """
    return unicodedata.normalize("NFC", str(path)).replace("\\", "/")


def read_mask(path: Path, shape: tuple[int, ...] | None = None) -> Mask:
    """Read a TIFF or PNG mask; every value except 0 is inside.

    Parameters
    ----------
    path
        The file, identified by its content.
    shape
        Rows and columns of the image; not checked if None.

    Returns
    -------
    mask : (rows, columns) bool

    Raises
    ------
    AngiogramError
        The file is absent, not a single-channel TIFF or PNG image, or of another size than
        the image.
    """
    try:
        values = _decoded(path.read_bytes())
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
    if shape is not None and values.shape != shape:
        (rows, columns), (image_rows, image_columns) = values.shape, shape
        raise AngiogramError(
            path,
            f"has {columns} x {rows} pixels instead of {image_columns} x {image_rows}",
            "Give the mask of this image, at the size of the image.",
        )
    return np.asarray(values != 0)


def _decoded(encoded: bytes) -> NDArray[Any]:
    if encoded.startswith(TIFF_MAGIC):
        return np.asarray(imagecodecs.tiff_decode(encoded))
    if encoded.startswith(PNG_MAGIC):
        return np.asarray(imagecodecs.png_decode(encoded))
    raise ValueError("it is neither TIFF nor PNG")
