"""Write results whole or not at all.

Every file is written under a hidden name in its folder and renamed when it is complete: a
full disk or a crash leaves the earlier file, never half of the new one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_npa.errors import SaveError
from napari_npa.types import Gray, Mask

_ELSEWHERE = "Save to another folder."
_FREE_SPACE = "Free some space or save to another disk; nothing half-written was left behind."

# Reason and remedy by the system's error number.
_PLAIN_WORDS: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("disk full", _FREE_SPACE),
    errno.EDQUOT: ("your disk quota is used up", _FREE_SPACE),
    errno.EFBIG: ("the file is larger than this disk or account allows", _FREE_SPACE),
    errno.EROFS: ("the disk is read-only", _ELSEWHERE),
    errno.EACCES: (
        "no permission to write there",
        "Close the file in other programs, or save to another folder.",
    ),
    errno.EPERM: ("no permission to write there", _ELSEWHERE),
    errno.ENOENT: ("the folder does not exist", "Create the folder first, or choose another."),
    errno.ENOTDIR: ("the folder is a file", "Choose a folder."),
    errno.EISDIR: ("a folder has that name", "Choose another file name."),
    errno.ENAMETOOLONG: ("the name is too long", "Choose a shorter file name."),
    errno.EIO: ("the disk reported a fault", "Check the disk, or save to another one."),
}

_NOT_SUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY}
"""What systems answer where a file cannot be flushed to the disk."""

# The hidden names of `atomic`: a random UUID, and the suffix of a file that we write.
_PARTIAL = re.compile(
    r"\.[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}\.(ckpt|csv|json|md|parquet|png|safetensors|svg|tif)",
    re.ASCII,
)

Encoded = bytes | memoryview
"""Content of a file."""

LEFT_BEHIND_SECONDS = 3600
"""A hidden file of this age is no longer being written."""


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Write a file whole or not at all.

    Parameters
    ----------
    path
        Path of the file; an existing file is replaced.

    Yields
    ------
    Path
        A hidden name in the same folder, with the same suffix; no such file exists yet. What
        the block writes there is moved to `path` when the block ends, and removed if it
        raises. A link is refused: whoever made it may lead the file anywhere.

    Raises
    ------
    SaveError
        The system refused: disk full, read-only, no permission, no such folder; or `path` is
        a link. Any other exception of the block passes through unchanged.
    """
    path = Path(path)
    refuse_link(path)
    partial = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        with _plain_errors(path):
            yield partial
            flush_to_disk(partial)
            partial.replace(path)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_together(contents: Mapping[Path, Encoded]) -> None:
    """Write several files, none of which is put in its place before all are complete.

    Parameters
    ----------
    contents
        What to write, by path. Existing files are replaced, in this order; a link is replaced
        itself, not what it points to.

    Raises
    ------
    SaveError
        As for :func:`atomic`. The files before the one that it names may be replaced.
    """
    partials = {path: path.with_name(f".{uuid.uuid4().hex}{path.suffix}") for path in contents}
    try:
        for path, partial in partials.items():
            with _plain_errors(path):
                partial.write_bytes(contents[path])
                flush_to_disk(partial)
        for path, partial in partials.items():
            with _plain_errors(path):
                partial.replace(path)
    finally:
        for partial in partials.values():
            with suppress(OSError):
                partial.unlink(missing_ok=True)


def refuse_link(path: Path) -> None:
    """Refuse to write to a link: in a folder that somebody sent it may lead anywhere.

    Raises
    ------
    SaveError
        It is one.
    """
    if os.path.islink(path):  # noqa: PTH114 - Path.is_symlink raises without permission
        raise SaveError(
            path,
            "is a link to another file, and nothing was written through it",
            "Remove the link, or give the file that it leads to.",
        )


@contextmanager
def _plain_errors(path: Path) -> Iterator[None]:
    """Say in plain words what the system refused."""
    try:
        yield
    except OSError as error:
        reason, remedy = _PLAIN_WORDS.get(
            error.errno or 0, (f"{error.strerror or error}".lower(), _ELSEWHERE)
        )
        raise SaveError(path, f"could not be written: {reason}", remedy) from error


def remove_partials(folder: Path) -> None:
    """Remove files of a folder that a killed program left half-written an hour ago or earlier."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _PARTIAL.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                age = time.time() - entry.stat(follow_symlinks=False).st_mtime
                if age > LEFT_BEHIND_SECONDS:
                    Path(entry.path).unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder, and the folders above it.

    Raises
    ------
    SaveError
        The folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SaveError(
            folder, f"cannot be made ({error.strerror})", "Choose another folder."
        ) from error


def write_mask(path: str | Path, mask: Mask) -> None:
    """Write a mask as a deflate-compressed TIFF of 0 and 1.

    Parameters
    ----------
    path
        Path of the file; an existing file is replaced.
    mask : (rows, columns) bool
        True becomes 1, False 0, stored as uint8.

    Raises
    ------
    SaveError
        The file could not be written.
    """
    _write(path, mask_tiff(mask))


def write_gray(path: str | Path, pixels: NDArray[np.uint8]) -> None:
    """Write an 8-bit gray image as a deflate-compressed TIFF.

    Parameters
    ----------
    path
        Path of the file; an existing file is replaced.
    pixels : (rows, columns) uint8
        Gray levels 0..255.

    Raises
    ------
    SaveError
        The file could not be written.
    """
    _require(pixels, np.uint8)
    _write(path, _tiff(pixels))


def write_probability(path: str | Path, probability: Gray) -> None:
    """Write a probability map as a deflate-compressed TIFF, values unchanged.

    Parameters
    ----------
    path
        Path of the file; an existing file is replaced.
    probability : (rows, columns) float32
        Probabilities 0..1.

    Raises
    ------
    SaveError
        The file could not be written.
    """
    _write(path, probability_tiff(probability))


def write_png(path: str | Path, pixels: NDArray[np.uint8]) -> None:
    """Write a gray or colour picture as PNG.

    Parameters
    ----------
    path
        Path of the file; an existing file is replaced.
    pixels : (rows, columns) or (rows, columns, 3) uint8
        Gray levels, or red, green and blue, 0..255.

    Raises
    ------
    SaveError
        The file could not be written.
    """
    _write(path, picture_png(pixels))


def write_text(path: str | Path, text: str) -> None:
    """Write a text as UTF-8, with the line ends of `text`.

    Parameters
    ----------
    path
        Path of the file; an existing file is replaced.
    text
        The whole content.

    Raises
    ------
    SaveError
        The file could not be written.
    """
    _write(path, text.encode("utf-8"))


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write bytes to a file.

    Parameters
    ----------
    path
        Path of the file; an existing file is replaced.
    content
        The whole file.

    Raises
    ------
    SaveError
        The file could not be written.
    """
    _write(path, content)


def write_json(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as indented JSON in UTF-8, with its keys in order.

    Parameters
    ----------
    path
        Path of the file; an existing file is replaced.
    content
        Text, numbers, booleans, None, and lists and mappings of these. JSON has neither NaN
        nor infinity: write None for a value that does not exist.

    Raises
    ------
    SaveError
        The file could not be written.
    """
    _write(path, json_text(content))


def mask_tiff(mask: Mask) -> Encoded:
    """Encode a mask, (rows, columns) bool, as :func:`write_mask` writes it."""
    _require(mask, np.bool_)
    return _tiff(mask.view(np.uint8))


def probability_tiff(probability: Gray) -> Encoded:
    """Encode probabilities, (rows, columns) float32, as :func:`write_probability` writes them."""
    _require(probability, np.float32)
    # No floating-point predictor: it saves space, but ImageJ cannot read it.
    return _tiff(probability)


def picture_png(pixels: NDArray[np.uint8]) -> Encoded:
    """Encode a picture, (rows, columns[, 3]) uint8, as :func:`write_png` writes it."""
    if pixels.ndim == 3 and pixels.shape[2] != 3:
        raise ValueError(f"three colour channels are needed, not {pixels.shape[2]}")
    _require(pixels, np.uint8, dimensions=(2, 3))
    return bytes(
        imagecodecs.png_encode(
            np.ascontiguousarray(pixels),
            # A sixth of the time that Pillow takes, for a file a third larger.
            level=1,
            filter=imagecodecs.PNG.FILTER.SUB,
        )
    )


def json_text(content: Mapping[str, Any]) -> Encoded:
    """Encode a mapping as :func:`write_json` writes it."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def sha256_of(content: Encoded) -> str:
    """SHA-256 of the content of a file, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _require(
    array: NDArray[Any], dtype: type[np.generic], dimensions: tuple[int, ...] = (2,)
) -> None:
    """Refuse an array that would not be stored as its function says."""
    if array.dtype != dtype or array.ndim not in dimensions:
        raise ValueError(
            f"{np.dtype(dtype)} with {' or '.join(map(str, dimensions))} dimensions is needed, "
            f"not {array.dtype} of shape {array.shape}"
        )


def _tiff(array: NDArray[Any]) -> Encoded:
    encoded = BytesIO()
    tifffile.imwrite(
        encoded, array, photometric="minisblack", compression="zlib", metadata=None, software=False
    )
    return encoded.getbuffer()


def _write(path: str | Path, encoded: Encoded) -> None:
    """Write what was encoded in memory, so that every refusal is a plain OSError."""
    with atomic(path) as partial:
        partial.write_bytes(encoded)


def flush_to_disk(path: Path) -> None:
    """Have the system write a file to the disk now, so that a power cut cannot lose it.

    Some network shares and mounted clouds cannot do that: what they do is all that can be had.
    """
    with path.open("rb+") as file:
        try:
            os.fsync(file.fileno())
        except OSError as error:
            if error.errno not in _NOT_SUPPORTED:
                raise
