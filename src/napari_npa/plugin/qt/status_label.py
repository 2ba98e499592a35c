"""The line of status of a panel."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QResizeEvent, QTextOption
from qtpy.QtWidgets import QFrame, QSizePolicy, QTextEdit

LAST = "What happened last, or what to do next."


class StatusLabel(QTextEdit):
    """Text that wraps, and that the user can select and copy into a mail.

    Unlike a QLabel it breaks long words, such as paths, rather than become wider than its dock.

    Parameters
    ----------
    text
        First text.
    explained
        Tooltip.
    """

    def __init__(self, text: str = "", explained: str = LAST) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.setToolTip(explained)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setStyleSheet("QTextEdit { background: transparent; border: 0; padding: 0; }")
        self.document().setDocumentMargin(1)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setText(text)

    def text(self) -> str:
        """Return what is shown."""
        return self.toPlainText()

    def setText(self, text: str) -> None:  # noqa: N802 - as QLabel's
        """Show a text, of one line or more."""
        if text != self.toPlainText() or not text:
            self.setPlainText(text)
            self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Become as high as the text at the new width."""
        super().resizeEvent(event)
        self._fit()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Height of the text; its width does not matter."""
        return QSize(0, self.height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Height of the text; its width does not matter."""
        return QSize(0, self.height())

    def _fit(self) -> None:
        height = max(round(self.document().size().height()), self.fontMetrics().height())
        if height != self.height():
            self.setFixedHeight(height)
