"""Overlays of a batch as small pictures, read off the GUI thread when they come into view."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from qtpy.QtCore import (  # type: ignore[attr-defined]
    QAbstractItemModel,
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSize,
    Qt,
    Signal,
)
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import (
    QListView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from napari_npa.plugin.batch.table import ROW, percent, state
from napari_npa.plugin.qt.jobs import Job, Jobs

if TYPE_CHECKING:
    from napari_npa.results.table import Row
    from napari_npa.types import Progress

SIDE = 256
"""Longest side of a picture in memory, pixels."""

KEPT = 200
"""Most pictures in memory: 50 MB."""

WANTED = 64
"""Most pictures that wait to be read; older requests have been scrolled out of view."""

AT_A_TIME = 4
"""Pictures read by one job: few, so that newer requests need not wait for older ones."""

SHOWN_SIDE = 128
"""Side of a picture in the list, pixels."""

LINE_END = "\u2028"
"""Character at which the text of Qt's items breaks into lines."""

Picture = NDArray[np.uint8]


class Thumbnails(QObject):
    """Small pictures of files; keeps those that were asked for last.

    Parameters
    ----------
    parent
        Object with which Qt deletes this one.
    """

    came = Signal()
    """More of the requested pictures have been read."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.jobs = Jobs()
        self._kept: OrderedDict[Path, QPixmap] = OrderedDict()
        self._wanted: dict[Path, None] = {}
        self._reading: set[Path] = set()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, path: Path) -> QPixmap | None:
        """Picture of a file, empty if it holds none; None while it is being read."""
        if path in self._kept:
            self._kept.move_to_end(path)
            return self._kept[path]
        self._wanted.pop(path, None)
        self._wanted[path] = None  # the latest request is the last in the dict, and read first
        while len(self._wanted) > WANTED:
            del self._wanted[next(iter(self._wanted))]
        self._go_on()
        return None

    def forget(self, paths: Iterable[Path]) -> None:
        """Forget these pictures, whose files may have changed; they are read again on request."""
        for path in paths:
            self._kept.pop(path, None)
            self._reading.discard(path)

    def _go_on(self) -> None:
        if self.jobs or not self._wanted:
            return
        paths = list(self._wanted)[-AT_A_TIME:]
        for path in paths:
            del self._wanted[path]
        self._reading = set(paths)
        job = Job(partial(read_pictures, paths))
        self.jobs.start(job, self._take)
        job.on_end.append(self._go_on)

    def _take(self, pictures: dict[Path, Picture | None]) -> None:
        for path, picture in pictures.items():
            if path in self._reading:
                self._kept[path] = QPixmap() if picture is None else _pixmap(picture)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        self.came.emit()


def read_pictures(paths: Sequence[Path], progress: Progress) -> dict[Path, Picture | None]:
    """Read small pictures, (rows, columns, 3) uint8; None: no such file, or not a picture."""
    return {path: _read(path) for path in paths}


def _read(path: Path) -> Picture | None:
    try:
        # Overlays are PNG. Other decoders would run on whatever has the name of one.
        with Image.open(path, formats=["PNG"]) as file:
            file.thumbnail((SIDE, SIDE), reducing_gap=2.0)
            return np.asarray(file.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _pixmap(picture: Picture) -> QPixmap:
    rows, columns = picture.shape[:2]
    image = QImage(picture.tobytes(), columns, rows, 3 * columns, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image)


class ThumbnailList(QListView):
    """Shows the overlays of a table's rows, in the order of the table.

    Parameters
    ----------
    rows
        Model whose items give a :class:`Row` each.
    picture_of
        Gives the overlay of a row; None while it is being read, empty if there is none.
    """

    def __init__(
        self, rows: QAbstractItemModel, picture_of: Callable[[Row], QPixmap | None]
    ) -> None:
        super().__init__()
        self.setModel(rows)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setIconSize(QSize(SHOWN_SIDE, SHOWN_SIDE))
        self.setGridSize(QSize(SHOWN_SIDE + 12, SHOWN_SIDE + 2 * self.fontMetrics().height() + 16))
        self._delegate = _WithPicture(self, picture_of, QSize(SHOWN_SIDE, SHOWN_SIDE))
        self.setItemDelegate(self._delegate)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setToolTip("Overlays in the order of the table; double-click to open an image.")

    def selectionCommand(  # noqa: N802 - Qt's name
        self, index: QModelIndex | QPersistentModelIndex, event: QEvent | None = None
    ) -> QItemSelectionModel.SelectionFlag:
        """Select whole rows, as the table does."""
        return super().selectionCommand(index, event) | QItemSelectionModel.SelectionFlag.Rows


class _WithPicture(QStyledItemDelegate):
    """Draws an overlay above the name and the index; Qt asks it only for items in view."""

    def __init__(
        self, view: QListView, picture_of: Callable[[Row], QPixmap | None], size: QSize
    ) -> None:
        super().__init__(view)
        self._picture_of = picture_of
        self._size = size
        blank = QPixmap(size)
        blank.fill(Qt.GlobalColor.transparent)
        self._blank = QIcon(blank)

    def initStyleOption(  # noqa: N802 - Qt's
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().initStyleOption(option, index)
        row: Row = index.data(ROW)
        picture = self._picture_of(row)
        name = row.image.rpartition("/")[2]
        name = option.fontMetrics.elidedText(name, Qt.TextElideMode.ElideMiddle, SHOWN_SIDE)
        found = state(row) if row.isi is None else f"ISI {percent(row.isi)} %"
        option.text = f"{name}{LINE_END}{found}"
        option.icon = self._blank
        if picture is not None and not picture.isNull():
            option.icon = QIcon(picture)
            # Else Qt would tint the chosen picture, and orange would no longer be orange.
            option.icon.addPixmap(picture, QIcon.Mode.Selected)
        option.decorationSize = self._size
        option.features |= QStyleOptionViewItem.ViewItemFeature.HasDecoration
