"""A panel that scrolls where the screen is too low for it."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

LEAST_HEIGHT = 430
"""Pixels; a higher panel scrolls rather than make napari's window higher than a small screen."""


class Scrolling(QScrollArea):
    """Area as large as its content where there is room.

    Changes of the content that leave its size as it is, as of a line of status, are not passed
    on to napari's window, which takes tens of milliseconds to lay itself out.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self._content = content
        self._last_size = QSize()
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Tell the window when the content needs another size."""
        done = super().eventFilter(watched, event)
        if event.type() == QEvent.Type.LayoutRequest and self.minimumSizeHint() != self._last_size:
            self._last_size = self.minimumSizeHint()
            self.updateGeometry()
        return done

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Size of the content."""
        return self._content.sizeHint()

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Width of the content, and its height up to :data:`LEAST_HEIGHT`."""
        least = self._content.minimumSizeHint()
        height = least.height()
        if height > LEAST_HEIGHT:
            bar = self.verticalScrollBar().sizeHint().width()
            return QSize(least.width() + bar, LEAST_HEIGHT)
        return least


def fill_scrolling(panel: QWidget, layout: QVBoxLayout) -> None:
    """Give a panel a layout of controls, in an area that scrolls."""
    content = QWidget()
    content.setLayout(layout)
    outer = QVBoxLayout(panel)
    outer.setContentsMargins(0, 0, 0, 0)
    outer.addWidget(Scrolling(content))
