"""A histogram of the ischemic indices of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np
from qtpy.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_npa.results.colours import NPA_COLOUR

BINS = 20
"""Number of bars, 5 % each."""

TICKS = (0, 25, 50, 75, 100)
"""Percentages below the bars."""

HEIGHT = 92
MARGIN = 12
BAR_COLOUR = QColor(*NPA_COLOUR)
"""The colour of non-perfusion in the viewer."""


class IsiHistogram(QWidget):
    """Shows the number of images by ischemic index, and marks the chosen image."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = np.zeros(BINS, int)
        self.median: float | None = None
        self._mark: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Images by ischemic index, 5 % a bar; the dashed line is the median,\n"
            "the triangle the chosen image."
        )

    def show_indices(self, indices: Sequence[float]) -> None:
        """Show how many of these ischemic indices, in [0, 1], fall into each bar."""
        self.counts = np.histogram(indices, BINS, (0, 1))[0]
        self.median = median(indices) if indices else None
        self.update()

    def mark(self, index: float | None) -> None:
        """Point at the index of the chosen image, or at none."""
        self._mark = index
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802, D102 - Qt's
        return QSize(200, HEIGHT)

    def event(self, event: QEvent) -> bool:
        """Show the numbers of the bar under the mouse as a tooltip."""
        if isinstance(event, QHelpEvent) and (text := self.words_at(event.pos())):
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, D102 - Qt's
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = self._area()
        text_colour = self.palette().windowText().color()
        faint = QColor(text_colour)
        faint.setAlphaF(0.5)
        most = max(int(self.counts.max()), 1)
        for at, count in enumerate(self.counts):
            if count:
                height = max(area.height() * float(count) / most, 2.0)
                left, right = self._x(at / BINS), self._x((at + 1) / BINS)
                painter.fillRect(
                    QRectF(left + 1, area.bottom() - height, right - left - 2, height),
                    BAR_COLOUR,
                )
        painter.setPen(QPen(faint, 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        if self.median is not None:
            painter.setPen(QPen(text_colour, 1, Qt.PenStyle.DashLine))
            x = self._x(self.median)
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        painter.setPen(text_colour)
        for tick in TICKS:
            below = QRectF(self._x(tick / 100) - 30, area.bottom() + 3, 60, 16)
            painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, f"{tick} %")
        if self.counts.any():
            corner = QRectF(area.left(), area.top(), area.width(), 16)
            painter.drawText(corner, Qt.AlignmentFlag.AlignRight, f"highest bar: {most:,}")
        if self._mark is not None:
            x, y = self._x(self._mark), area.bottom()
            painter.setBrush(text_colour)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawPolygon([QPointF(x, y - 7), QPointF(x - 5, y + 3), QPointF(x + 5, y + 3)])
        painter.end()

    def _area(self) -> QRectF:
        """Area of the bars within the widget."""
        return QRectF(self.rect()).adjusted(MARGIN + 6, 4, -MARGIN - 6, -20)

    def _x(self, index: float) -> float:
        area = self._area()
        return area.left() + area.width() * index

    def words_at(self, at: QPoint) -> str:
        """Index and number of images of the bar at a point of the widget; empty without one."""
        area = self._area()
        bar = int((at.x() - area.left()) / area.width() * BINS)
        if not (0 <= bar < BINS and self.counts.any()):
            return ""
        count, width = int(self.counts[bar]), 100 // BINS
        images = f"{count:,} image{'s' * (count != 1)}"
        return f"ISI {bar * width} to {(bar + 1) * width} %: {images}"
