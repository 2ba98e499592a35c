"""Find the masks of a folder, match them with images, and read them as boolean pixels."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePath, PurePosixPath

from napari_npa.errors import AngiogramError
from napari_npa.io.decoding import IMAGE_SUFFIXES, decoded
from napari_npa.io.file_bytes import does_not_fit, read_bytes
from napari_npa.io.mask_values import inside
from napari_npa.io.names import PICTURE_FILES, RETINA_ENDING
from napari_npa.types import Mask

_LOSSLESS = (".tif", ".tiff", ".png")

_OTHER_ENDINGS = (RETINA_ENDING, *(PurePath(file).stem for file in PICTURE_FILES))


def find_masks(folder: Path, ending: str = "", *, recursive: bool = False) -> dict[str, Path]:
    """Find the masks of one kind in a folder.

    Parameters
    ----------
    folder
        Where to look. Hidden files are left out.
    ending
        End of the stems, as :data:`napari_npa.io.names.NPA_ENDING`. Empty: every TIFF, PNG
        or JPEG file that is not a retina mask, overlay or probability map of a result.
    recursive
        Whether to look in subfolders too.

    Returns
    -------
    masks
        By their path in the folder, without ending and suffix, as :func:`normalised_path`
        writes it. Of files that differ only in suffix, the one that is not JPEG.

    Raises
    ------
    AngiogramError
        The folder is absent or cannot be read, or holds two masks of one image.
    """
    try:
        paths = list(folder.iterdir())  # Path.rglob does not report an absent folder
    except OSError as error:
        raise AngiogramError(
            folder, f"cannot be read ({error.strerror})", "Give a folder of masks."
        ) from error
    if recursive:
        paths = list(folder.rglob("*"))
    found: dict[str, Path] = {}
    for path in sorted(paths, key=lambda path: (path.suffix.lower() in _LOSSLESS, path)):
        if (
            path.suffix.lower() not in IMAGE_SUFFIXES
            or path.name.startswith(".")
            or not path.stem.endswith(ending)
            or (not ending and path.stem.endswith(_OTHER_ENDINGS))
        ):
            continue
        stem = path.with_name(path.stem.removesuffix(ending)).relative_to(folder)
        before = found.get(normalised_path(stem))
        if before is not None and before.suffix.lower() in _LOSSLESS:
            raise AngiogramError(
                folder,
                f"holds two masks of '{stem.name}': '{before.name}' and '{path.name}'",
                "Leave one of them there; keep results and graders' masks in separate folders.",
            )
        found[normalised_path(stem)] = path
    return found


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
    """Read a mask from a TIFF, PNG or JPEG file, identified by its content.

    Parameters
    ----------
    path
        The file.
    shape
        Rows and columns of the image; not checked if None.

    Returns
    -------
    mask : (rows, columns) bool
        Upright. Of labels every one but 0 is inside, of gray levels the upper half; see
        ``docs/masks.md``.

    Raises
    ------
    AngiogramError
        The file is absent, damaged, too large or of another format; or it is not a mask, or can be
        understood in two ways; or it has another size than the image.
    """
    path = Path(path)
    content = read_bytes(path)
    try:
        stored = decoded(path, content, mask=True)
        mask = inside(path, stored)
    except MemoryError as error:
        raise does_not_fit(path) from error
    if shape is not None and mask.shape != shape:
        (rows, columns), (image_rows, image_columns) = mask.shape, shape
        raise AngiogramError(
            path,
            f"has {columns} x {rows} pixels instead of {image_columns} x {image_rows}",
            "Give the mask of this image, at the size of the image.",
        )
    return mask


def is_mask(path: Path) -> bool:
    """Whether a file can be read as a mask."""
    try:
        read_mask(path)
    except AngiogramError:
        return False
    return True
