"""Reads the table of a folder of results whenever its file changes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from qtpy.QtCore import QFileSystemWatcher, QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_npa.io.names import TABLE
from napari_npa.plugin.qt.jobs import Job, Jobs
from napari_npa.results.table import read_table

if TYPE_CHECKING:
    from napari_npa.results.table import Row
    from napari_npa.types import Progress

LEAST_PAUSE_MS, MOST_PAUSE_MS = 400, 4000
READING_SHARE = 0.1
"""The pause before the next reading lies between these, milliseconds; within them, reading takes no
more than about this share of the time."""


@dataclass(frozen=True)
class ReadTable:
    """A table as it was read.

    Attributes
    ----------
    rows
        Its rows.
    images
        Folder of the images, if the last run recorded it and it exists.
    seconds
        How long reading took.
    """

    rows: list[Row]
    images: Path | None
    seconds: float


class WatchedTable(QObject):
    """Reads a table in workers: on request, and when the file has changed.

    Parameters
    ----------
    panel
        Panel with which Qt deletes this object, in the GUI thread: timers and file watchers cannot
        be stopped from another.
    """

    read = Signal(object)
    """Carries a :class:`ReadTable` of the watched folder."""

    failed = Signal(object)
    """Carries an error: the table exists but cannot be read."""

    def __init__(self, panel: QObject) -> None:
        super().__init__(panel)
        self.jobs = Jobs()
        self.folder: Path | None = None
        self._files = QFileSystemWatcher(self)
        self._files.fileChanged.connect(self._pause)
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(LEAST_PAUSE_MS)
        self._again.timeout.connect(self.look)

    def watch(self, folder: Path) -> None:
        """Read the table of a folder, and watch that from now on."""
        if watched := self._files.files():
            self._files.removePaths(watched)
        self.jobs.abandon()
        self.folder = folder
        self._again.setInterval(LEAST_PAUSE_MS)
        self.look()

    def look(self) -> None:
        """Read the table, at once or after the current reading."""
        if self.folder is None:
            return
        if self.jobs:
            self._pause()
            return
        self.keep_watching()
        job = Job(partial(read_results, self.folder))
        self.jobs.start(job, self._take, self.failed.emit)

    def keep_watching(self) -> None:
        """Watch the file again: it may have been replaced, or only now exist."""
        if self.folder is not None and not self._files.files():
            self._files.addPath(str(self.folder / TABLE))

    def _take(self, table: ReadTable) -> None:
        pause = round(1000 * table.seconds / READING_SHARE)
        self._again.setInterval(min(max(pause, LEAST_PAUSE_MS), MOST_PAUSE_MS))
        self.read.emit(table)

    def _pause(self) -> None:
        self.keep_watching()
        if not self._again.isActive():
            self._again.start()


def read_results(folder: Path, progress: Progress) -> ReadTable:
    """Read a folder's table and the record of its last run; runs in a worker.

    Raises
    ------
    SaveError
        The table exists but cannot be read.
    """
    start = perf_counter()
    rows = read_table(folder)
    seconds = perf_counter() - start
    return ReadTable(rows, _images(folder), seconds)


def _images(folder: Path) -> Path | None:
    from napari_npa.io.names import MANIFEST

    try:
        source = json.loads((folder / MANIFEST).read_text("utf-8"))["source"]
        images = Path(source)
        return images if images.is_dir() else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
