"""The table of a folder of results, read anew whenever its file changes."""

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
"""The table is read after a pause between these, and for about so much of the time at most."""


@dataclass(frozen=True)
class ReadTable:
    """A table that was read.

    Attributes
    ----------
    rows
        What it holds.
    images
        Folder of the images, where the last run tells it and it is there.
    seconds
        How long reading took.
    """

    rows: list[Row]
    images: Path | None
    seconds: float


class WatchedTable(QObject):
    """Reads a table in workers: when told to, and when something has written it.

    Parameters
    ----------
    panel
        Qt deletes this object with it, in the GUI thread: it could not stop timers, or the watching
        of a file, on another.
    """

    read = Signal(object)
    """A :class:`ReadTable` of the folder that is watched."""

    failed = Signal(object)
    """An error: the table is there and cannot be read."""

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
        """Read the table of another folder, and watch it."""
        if watched := self._files.files():
            self._files.removePaths(watched)
        self.jobs.abandon()
        self.folder = folder
        self._again.setInterval(LEAST_PAUSE_MS)
        self.look()

    def look(self) -> None:
        """Read the table; at once, or after the reading that is going on."""
        if self.folder is None:
            return
        if self.jobs:
            self._pause()
            return
        self.keep_watching()
        job = Job(partial(read_results, self.folder))
        self.jobs.start(job, self._take, self.failed.emit)

    def keep_watching(self) -> None:
        """Watch the file: a new one may be in its place, or only be there now."""
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
    """Read a folder's table, and what its last run says; runs in a worker.

    Raises
    ------
    SaveError
        The table is there and cannot be read.
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
    except (OSError, ValueError, KeyError, TypeError):
        return None
