"""Makes a panel scroll where the screen is too low for it."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

LEAST_HEIGHT = 240
"""Pixels. A higher panel scrolls; otherwise napari's window could outgrow a small screen."""


class Scrolling(QScrollArea):
    """Scroll area that is as large as its content where there is room.

    A change that leaves the size of the content as it is, such as a new line of status, does not
    reach napari's window, whose layout takes tens of milliseconds.
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
        """Update the window's layout when the content needs another size."""
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
    """Put a layout of controls into a panel, in an area that scrolls."""
    content = QWidget()
    content.setLayout(layout)
    outer = QVBoxLayout(panel)
    outer.setContentsMargins(0, 0, 0, 0)
    outer.addWidget(Scrolling(content))
