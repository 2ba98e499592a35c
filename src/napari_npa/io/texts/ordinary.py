"""Small files of others, read at the door: ordinary ones of a size that they can have."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def ordinary_bytes(path: Path, most: int) -> bytes:
    """Read a file of a results folder whole.

    Neither a link, which may lead anywhere, nor a pipe, which would block for ever, is read.

    Parameters
    ----------
    path
        The file.
    most
        Largest size, bytes.

    Raises
    ------
    OSError
        It is absent, a link, not an ordinary file, larger, or cannot be read.
    """
    kind = path.lstat()
    if stat.S_ISLNK(kind.st_mode):
        raise OSError(errno.ELOOP, "it is a link", str(path))
    if not stat.S_ISREG(kind.st_mode):
        raise OSError(errno.EINVAL, "it is not an ordinary file", str(path))
    # Replaced by a link or a pipe meanwhile, it is not opened either.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(os.open(path, flags | getattr(os, "O_BINARY", 0)), "rb") as file:  # noqa: PTH123
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most >> 20} MiB", str(path))
    return content
