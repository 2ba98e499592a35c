"""Read the bytes of an image file once: what is hashed is what is decoded."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from napari_npa.errors import AngiogramError
from napari_npa.io.decoding import HEAD_BYTES, require_known_format
from napari_npa.io.stored import MAX_PIXELS

MAX_FILE_BYTES = 3 * MAX_PIXELS
"""Longest file: the largest image that is read, in colour and not compressed."""


def read_bytes(path: Path) -> bytearray:
    """Read an image file whole.

    Parameters
    ----------
    path
        An ordinary file: reading a pipe or a device could block for ever.

    Raises
    ------
    AngiogramError
        It is absent, cannot be read, has a name that no result could have, is too long, or begins
        as no image does that we read.
    """
    _require_unicode(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
            raise AngiogramError(
                path, "is not an ordinary file but a pipe or a device", "Give an image file."
            )
        with path.open("rb") as file:
            require_known_format(path, file.read(HEAD_BYTES))
            file.seek(0)
            content = bytearray(min(os.fstat(file.fileno()).st_size, MAX_FILE_BYTES + 1))
            size = file.readinto(content)
    except OSError as error:
        raise _unopened(path, error) from error
    except MemoryError as error:
        raise does_not_fit(path) from error
    if size > MAX_FILE_BYTES:
        raise AngiogramError(
            path,
            f"has more than {MAX_FILE_BYTES // 10**6} million bytes",
            "Export the image alone, or smaller.",
        )
    del content[size:]  # it became shorter meanwhile
    return content


def does_not_fit(path: Path) -> AngiogramError:
    """The error for an image that needs more memory than there is."""
    return AngiogramError(
        path, "does not fit in memory", "Close other programs, or export it smaller."
    )


def _require_unicode(path: Path) -> None:
    """Refuse a name that can be written neither into a table nor into a record."""
    try:
        path.name.encode()
    except UnicodeEncodeError as error:
        raise AngiogramError(
            path,
            "has a name that is not valid Unicode",
            "Rename it: its name was garbled on the way from another system.",
        ) from error


def _unopened(path: Path, error: OSError) -> AngiogramError:
    if isinstance(error, FileNotFoundError):
        return AngiogramError(path, "does not exist", "Check the name and the folder.")
    # The error does not tell: on Windows, opening a folder gives "no permission". Path.is_dir
    # raises where a folder above may not be entered.
    if os.path.isdir(path):  # noqa: PTH112
        return AngiogramError(path, "is a folder, not an image", "Choose an image in it.")
    if isinstance(error, PermissionError):
        return AngiogramError(
            path, "cannot be opened: no permission", "Ask the owner, or copy the file."
        )
    reason = (error.strerror or str(error)).lower()
    return AngiogramError(path, f"cannot be opened: {reason}", "Check the disk and the name.")
