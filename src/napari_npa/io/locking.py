"""A folder of results is changed by one writer at a time.

Batches, panels and reviews of several people may write into one folder, on several machines. What
one of them finds there must still be true when it writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from napari_npa.errors import SaveError

LOCK = ".napari-npa.lock"
"""Empty file in the folder that the system's lock is on. It stays: a lock on a file that others
remove locks nothing."""

PATIENCE_SECONDS = 60.0
"""A save takes a fraction of a second; a folder that is locked for so long is in trouble."""

POLL_SECONDS = 0.01


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder alone, among the threads, programs and machines that use it.

    The lock ends with the block, or with the program, however that ends. It may be taken again
    within the block. A folder above may be locked within, never one below.

    Parameters
    ----------
    folder
        It must exist. Where it cannot be locked (a read-only folder, a share without locks), the
        block runs all the same: then only the hashes of records tell what was mixed.

    Raises
    ------
    SaveError
        Another program held it for :data:`PATIENCE_SECONDS`.
    """
    # One object a path, with a state for each thread: a thread may enter again.
    lock = FileLock(
        folder.absolute() / LOCK,
        timeout=PATIENCE_SECONDS,
        poll_interval=POLL_SECONDS,
        is_singleton=True,
    )
    try:
        lock.acquire()
    except Timeout as error:
        raise SaveError(
            folder,
            "is held by another program that writes into it",
            "Try again; if that does not help, close the other program.",
        ) from error
    except (OSError, NotImplementedError):
        yield
        return
    try:
        yield
    finally:
        lock.release()
