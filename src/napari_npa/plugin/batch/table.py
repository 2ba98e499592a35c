"""The table of a batch: its rows, how they are sorted and how they are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import (  # type: ignore[attr-defined]
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_npa.results.table import Row

ROW = Qt.ItemDataRole.UserRole
"""Role under which the model gives the whole :class:`Row`."""

STATE = Qt.ItemDataRole.UserRole + 1
"""Role under which the model gives the :func:`state` of a row."""

STATES = ("failed", "ungradable", "corrected", "ok")
"""States of an image, in the order in which the table sorts them."""

COLOURS = {"failed": "#ff6b60", "ungradable": "#e0a030", "corrected": "#30b0c8"}
"""Colours of states; readable on napari's dark and light themes."""

WIDTHS = (96, 66, 46, 220, 84, 90, 60)
"""First widths of the columns, pixels: how it went, and why, is in view without scrolling."""

NO_VALUE = "–"
"""Shown for what a failed or ungradable image does not have."""

LEAST_HEIGHT = 170
"""Least height of the table, pixels: some five images."""


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes
    ----------
    key
        Identifies the column.
    title, tooltip
        Text of the header, and its explanation.
    value
        Gives the value that a row is sorted by; None comes last in either order.
    text
        Gives the text of a value.
    is_number
        Whether the text is aligned to the right.
    """

    key: str
    title: str
    tooltip: str
    value: Callable[[Row], str | float | None]
    text: Callable[[Any], str] = str
    is_number: bool = False


def state(row: Row) -> str:
    """State of an image, one of :data:`STATES`."""
    return "corrected" if row.edited and row.status == "ok" else row.status


def percent(share: float) -> str:
    """A share in [0, 1] as a percentage, without the sign."""
    return f"{100 * share:.1f}"


COLUMNS = (
    Column(
        "image",
        "Image",
        "File of the angiogram, from the folder of images.",
        lambda row: row.image,
    ),
    Column(
        "status",
        "Status",
        "ok, corrected by hand, ungradable as a reader judged, or failed.",
        lambda row: STATES.index(state(row)),
        lambda at: STATES[at],
    ),
    Column(
        "isi",
        "ISI %",
        "Ischemic index: percent of the gradable retina that is not perfused.",
        lambda row: row.isi,
        percent,
        is_number=True,
    ),
    Column(
        "message",
        "Message",
        "Why it failed, or what a reader of the result should know.",
        lambda row: row.message or None,
    ),
    Column(
        "npa_pixels",
        "NPA px",
        "Non-perfused area, pixels of the image.",
        lambda row: row.npa_pixels,
        "{:,}".format,
        is_number=True,
    ),
    Column(
        "retina_pixels",
        "Retina px",
        "Gradable retina, pixels of the image.",
        lambda row: row.retina_pixels,
        "{:,}".format,
        is_number=True,
    ),
    Column(
        "seconds",
        "Time s",
        "How long the segmentation took, seconds.",
        lambda row: row.seconds,
        "{:.1f}".format,
        is_number=True,
    ),
)
KEYS = [column.key for column in COLUMNS]
STATUS = KEYS.index("status")

Index = QModelIndex | QPersistentModelIndex


class BatchTable(QAbstractTableModel):
    """Rows of a batch, in their original order or sorted by a column."""

    changed = Signal(list)
    """Carries the new and the changed rows; an empty list if rows were only removed."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[str, Row] = {}
        self._shown: list[str] = []
        self._sorted_by: tuple[int, bool] | None = None

    @property
    def rows(self) -> list[Row]:
        """All rows, in their original order."""
        return list(self._rows.values())

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows, and signal only the differences from those shown before."""
        new = _by_key(rows)
        before = self._rows
        changed = [row for key, row in new.items() if before.get(key) != row]
        if before.keys() - new.keys():
            self.beginResetModel()
            self._rows, self._shown = new, list(new)
            self.endResetModel()
        elif changed:
            self._change(new)
            added = [key for key in new if key not in before]
            if added:
                self.beginInsertRows(
                    QModelIndex(), len(self._shown), len(self._shown) + len(added) - 1
                )
                self._shown += added
                self.endInsertRows()
        if changed:
            self._sort()
        if changed or before.keys() - new.keys():
            self.changed.emit(changed)

    def _change(self, new: dict[str, Row]) -> None:
        """Take new rows, and signal which of those already shown have changed."""
        before, self._rows = self._rows, new
        places = [at for at, key in enumerate(self._shown) if new[key] != before[key]]
        if places:
            last = len(COLUMNS) - 1
            self.dataChanged.emit(self.index(places[0], 0), self.index(places[-1], last))

    # What Qt asks

    def rowCount(self, parent: Any = None) -> int:  # noqa: ANN401, N802, D102 - Qt's
        return len(self._shown)

    def columnCount(self, parent: Any = None) -> int:  # noqa: ANN401, N802, D102 - Qt's
        return len(COLUMNS)

    def headerData(  # noqa: N802, D102 - Qt's
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:  # noqa: ANN401
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section].title
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole:
            return f"{COLUMNS[section].tooltip}\nClick to sort."
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401, D102
        if not index.isValid():
            return None
        row, column = self._rows[self._shown[index.row()]], COLUMNS[index.column()]
        if role == ROW:
            return row
        if role == STATE:
            return state(row)
        value = column.value(row)
        if role == Qt.ItemDataRole.DisplayRole:
            return NO_VALUE if value is None else column.text(value)
        if role == Qt.ItemDataRole.TextAlignmentRole and column.is_number:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{row.image}\n{row.message}" if row.message else row.image
        if role == Qt.ItemDataRole.ForegroundRole and index.column() == STATUS:
            colour = COLOURS.get(state(row))
            return QColor(colour) if colour else None
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by the values of a column, not by their text; -1: do not sort any more."""
        is_reverse = order == Qt.SortOrder.DescendingOrder
        self._sorted_by = (column, is_reverse) if column >= 0 else None
        self._sort()

    def _sort(self) -> None:
        if self._sorted_by is None:
            return
        self.layoutAboutToBeChanged.emit()
        held = self.persistentIndexList()
        keys = [self._shown[index.row()] for index in held]
        self._shown = self._order(*self._sorted_by)
        if held:
            places = {key: at for at, key in enumerate(self._shown)}
            now = [
                self.index(places[key], index.column())
                for key, index in zip(keys, held, strict=True)
            ]
            self.changePersistentIndexList(held, now)
        self.layoutChanged.emit()

    def _order(self, column: int, is_reverse: bool) -> list[str]:
        values = {key: COLUMNS[column].value(row) for key, row in self._rows.items()}
        filled = [key for key, value in values.items() if value is not None]
        filled.sort(key=lambda key: _sort_key(values[key]), reverse=is_reverse)
        return filled + [key for key, value in values.items() if value is None]


class ShownRows(QSortFilterProxyModel):
    """All rows of a table, or only the failed ones.

    It leaves sorting to the table, which sorts 10,000 rows in hundredths of a second. Qt's own
    sorting would call Python for each comparison, and take a second or more.
    """

    def __init__(self, table: BatchTable) -> None:
        super().__init__()
        self.setSourceModel(table)
        self.setFilterRole(STATE)

    def show_failures_only(self, only: bool) -> None:
        """Show the failed images only, or all."""
        self.setFilterFixedString("failed" if only else "")

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort the table."""
        self.sourceModel().sort(column, order)


class TableView(QTableView):
    """The table on screen: one row per image; a click on a header sorts it."""

    def __init__(self, rows: ShownRows) -> None:
        super().__init__()
        self.setModel(rows)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setShowGrid(False)
        self.setMinimumHeight(LEAST_HEIGHT)
        self.verticalHeader().hide()
        # Not resized to its contents: Qt would ask for those of 10,000 rows.
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)
        header = self.horizontalHeader()
        for at, width in enumerate(WIDTHS):
            header.resizeSection(at, width)
        header.setStretchLastSection(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.setToolTip("Click a header to sort, an image to look at it; double-click to open it.")


def counts(rows: Sequence[Row]) -> str:
    """Number of images, in all and by state, in words."""
    found = Counter(state(row) for row in rows)
    parts = [f"{found[word]:,} {word}" for word in reversed(STATES) if found[word]]
    return f"{len(rows):,} image{'s' * (len(rows) != 1)}: {', '.join(parts)}" if rows else ""


def _by_key(rows: Sequence[Row]) -> dict[str, Row]:
    """Rows by image; a second result of the same image by image and result."""
    found: dict[str, Row] = {}
    for row in rows:
        found[f"{row.image}\n{row.result}" if row.image in found else row.image] = row
    return found


def _sort_key(value: str | float | None) -> str | float:
    assert value is not None
    return value.casefold() if isinstance(value, str) else value
