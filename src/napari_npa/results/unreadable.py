"""Files of a review that cannot be read, and why; each until it changes."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Unreadable(msgspec.Struct):
    """A file as it was when it could not be read.

    Attributes
    ----------
    reason
        Why not.
    size, modified
        Bytes, and nanoseconds since 1970; 0: they cannot be known.
    """

    reason: str
    size: int = 0
    modified: int = 0

    @classmethod
    def now(cls, path: Path, reason: str) -> Unreadable:
        """Note a file as it is now."""
        try:
            found = path.stat()
        except OSError:
            return cls(reason)
        return cls(reason, found.st_size, found.st_mtime_ns)

    def is_same(self, path: Path) -> bool:
        """Whether the file is still as it was; slow where it is on a share."""
        return Unreadable.now(path, self.reason) == self
