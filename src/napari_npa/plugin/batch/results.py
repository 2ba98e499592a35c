"""The results of a batch: table, overlays, histogram, and the chosen image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_npa.models.names import TITLES
from napari_npa.plugin.batch.histogram import IsiHistogram
from napari_npa.plugin.batch.table import (
    ROW,
    BatchTable,
    ShownRows,
    TableView,
    counts,
    percent,
    state,
)
from napari_npa.plugin.batch.thumbnails import ThumbnailList, Thumbnails
from napari_npa.plugin.qt.status_label import StatusLabel

if TYPE_CHECKING:
    from napari_npa.results.table import Row

OVERLAY_ENDING = "_overlay.png"
"""End of an overlay's file name; a row holds the beginning."""

PREVIEW_SIDE = 180
"""Side of the overlay of the chosen image, pixels."""


class BatchResults(QWidget):
    """Shows the rows of one folder of results; the user chooses one of them."""

    chosen_changed = Signal()
    """Another row is chosen, or the chosen row has changed."""

    open_wanted = Signal()
    """The user double-clicked the chosen image, or pressed Enter on it."""

    def __init__(self) -> None:
        super().__init__()
        self.thumbnails = Thumbnails(self)
        self.table = BatchTable()
        self.shown_rows = ShownRows(self.table)
        for model in (self.table, self.shown_rows):
            model.setParent(self)  # Qt deletes them with it
        self.folder: Path | None = None
        self._build()
        self._lay_out()
        self._connect()

    @property
    def chosen(self) -> Row | None:
        """The chosen row; None: there is none."""
        selected = self.view.selectionModel().selectedRows()
        row: Row | None = selected[0].data(ROW) if selected else None
        return row

    def show_rows(self, rows: Sequence[Row], folder: Path) -> None:
        """Show the rows of a folder of results."""
        if folder != self.folder:
            self.table.show([])
        self.folder = folder
        self.table.show(rows)

    def picture_of(self, row: Row) -> QPixmap | None:
        """Overlay of a row; None while it is being read, empty if there is none."""
        path = self._overlay_path(row)
        return QPixmap() if path is None else self.thumbnails.get(path)

    def _overlay_path(self, row: Row) -> Path | None:
        if self.folder is None or not row.result:
            return None
        return self.folder / f"{row.result}{OVERLAY_ENDING}"

    def _build(self) -> None:
        self.counts = QLabel()
        self.counts.setWordWrap(True)
        self.counts.setToolTip("Images of the table by status, and their median ischemic index.")
        self.histogram = IsiHistogram()
        self.view = TableView(self.shown_rows)
        self.overlays = ThumbnailList(self.shown_rows, self.picture_of)
        self.overlays.setSelectionModel(self.view.selectionModel())
        self.failures_only = QCheckBox("failures only")
        self.failures_only.setToolTip("Show the images that failed; the reason is in the message.")
        self.failures_only.setEnabled(False)
        self.tabs = QTabWidget()
        self.tabs.addTab(self.view, "Table")
        self.tabs.addTab(self.overlays, "Overlays")
        self.tabs.setTabToolTip(0, "A row an image.")
        self.tabs.setTabToolTip(1, "Non-perfusion drawn on each image, in the table's order.")
        self.tabs.setCornerWidget(self.failures_only)
        self.preview = QLabel()
        self.preview.setFixedSize(PREVIEW_SIDE, PREVIEW_SIDE)
        self.preview.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.preview.setToolTip("Overlay of the chosen image: non-perfusion orange, retina blue.")
        self.details = StatusLabel(explained="All that the table says of the chosen image.")
        self.details.setAlignment(Qt.AlignmentFlag.AlignTop)

    def _lay_out(self) -> None:
        chosen = QHBoxLayout()
        chosen.addWidget(self.preview)
        chosen.addWidget(self.details, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.counts)
        layout.addWidget(self.histogram)
        layout.addWidget(self.tabs, 1)
        layout.addLayout(chosen)

    def _connect(self) -> None:
        self.table.changed.connect(self._show_changed)
        self.failures_only.toggled.connect(self.shown_rows.show_failures_only)
        self.thumbnails.came.connect(self._show_pictures)
        self.view.selectionModel().selectionChanged.connect(self._show_chosen)
        # By Enter and, depending on the system, by a click or a double click.
        self.view.activated.connect(self.open_wanted)
        self.overlays.activated.connect(self.open_wanted)
        self.view.doubleClicked.connect(self.open_wanted)
        self.overlays.doubleClicked.connect(self.open_wanted)

    def _show_changed(self, changed: list[Row]) -> None:
        rows = self.table.rows
        indices = [row.isi for row in rows if row.isi is not None]
        self.histogram.show_indices(indices)
        middle = f"; median ISI {percent(median(indices))} %" if indices else ""
        self.counts.setText(f"{counts(rows)}{middle}")
        self.failures_only.setEnabled(bool(rows))
        self.thumbnails.forget(filter(None, map(self._overlay_path, changed)))
        self._show_pictures()

    def _show_pictures(self) -> None:
        self.overlays.viewport().update()
        self._show_chosen()

    def _show_chosen(self) -> None:
        row = self.chosen
        self.histogram.mark(None if row is None else row.isi)
        if row is None:
            self.preview.clear()
            self.details.clear()
        else:
            self.details.setText(_in_words(row))
            self._show_picture(self.picture_of(row))
        self.chosen_changed.emit()

    def _show_picture(self, picture: QPixmap | None) -> None:
        if picture is None:
            self.preview.setText("Reading…")
        elif picture.isNull():
            self.preview.setText("no overlay")
        else:
            fitting = picture.scaled(
                PREVIEW_SIDE,
                PREVIEW_SIDE,
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
            self.preview.setPixmap(fitting)


def _in_words(row: Row) -> str:
    """Everything in a row, one line per fact."""
    lines = [row.image, state(row)]
    if row.isi is not None:
        lines.append(f"Ischemic index {percent(row.isi)} %")
        lines.append(f"{row.npa_pixels:,} of {row.retina_pixels:,} px")
    if row.model:
        threshold = "" if row.threshold is None else f", threshold {row.threshold:.2f}"
        lines.append(f"Model {TITLES.get(row.model, row.model)}{threshold}")
    return "\n".join([*lines, *filter(None, row.message.split("; "))])
