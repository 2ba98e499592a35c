"""A panel that scrolls where the screen is too low for it."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget


class Scrolling(QScrollArea):
    """Area as large as its content where there is room.

    It also keeps changes of the content's layout, as of a line of status, from being passed on
    to napari's window, which takes tens of milliseconds to lay itself out.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self._content = content
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Size of the content."""
        return self._content.sizeHint()

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Width of the content, and height of a few controls."""
        return QSize(self._content.minimumSizeHint().width(), 150)


def fill_scrolling(panel: QWidget, layout: QVBoxLayout) -> None:
    """Give a panel a layout of controls, in an area that scrolls."""
    content = QWidget()
    content.setLayout(layout)
    outer = QVBoxLayout(panel)
    outer.setContentsMargins(0, 0, 0, 0)
    outer.addWidget(Scrolling(content))
