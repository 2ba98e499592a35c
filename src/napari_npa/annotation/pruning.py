"""Limit the size of the annotation store without removing unsaved work."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from napari_npa.annotation.file import read_summary

SUFFIX = ".annotation"

ASIDE = ".damaged"
"""Suffix of a file that was put aside."""

MOST_FILES = 200
"""Number of annotations kept: some weeks of work of a reading centre."""

MOST_BYTES = 500_000_000
"""Size of all annotations; one at 4000 x 4000 takes about 0.2 MB, and never more than 5."""

UNSAVED_DAYS = 90
"""Age up to which an annotation that was never saved is not removed."""

PARTIAL_DAYS = 1
"""Age from which a partial file was left behind by a crash."""

DAY_SECONDS = 86_400


class _Kept(NamedTuple):
    """A file of the store: time of writing, size in bytes, path, and whether it may be removed."""

    written: float
    size: int
    path: Path
    may_go: bool


def prune(folder: Path, now: float | None = None) -> None:
    """Remove the oldest annotations beyond :data:`MOST_FILES` or :data:`MOST_BYTES`.

    Annotations that were not saved, and files put aside, are kept for :data:`UNSAVED_DAYS` in
    any case.

    Parameters
    ----------
    now
        Seconds since 1970; the current time if None.

    Raises
    ------
    OSError
        The folder cannot be read, or a file cannot be removed.
    """
    now = time.time() if now is None else now
    for partial in folder.glob(f".*{SUFFIX}"):
        if now - last_written(partial) > PARTIAL_DAYS * DAY_SECONDS:
            partial.unlink(missing_ok=True)
    files, size = 0, 0
    for kept in sorted(_all_kept(folder, now), reverse=True):
        files, size = files + 1, size + kept.size
        if kept.may_go and (files > MOST_FILES or size > MOST_BYTES):
            kept.path.unlink(missing_ok=True)


def _all_kept(folder: Path, now: float) -> list[_Kept]:
    found = []
    for path in folder.glob("[!.]*"):
        if not path.name.endswith((SUFFIX, ASIDE)):
            continue
        with suppress(FileNotFoundError):  # another window prunes as well
            status = path.stat()
            summary = read_summary(path) if path.suffix == SUFFIX else None
            is_saved = summary is not None and summary.saved
            is_old = now - status.st_mtime > UNSAVED_DAYS * DAY_SECONDS
            found.append(_Kept(status.st_mtime, status.st_size, path, is_saved or is_old))
    return found


def last_written(path: Path) -> float:
    """Return when a file was written, seconds since 1970; 0 if it is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
