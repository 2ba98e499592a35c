"""The line of status of a panel."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

LAST = "What happened last, or what to do next."


class StatusLabel(QLabel):
    """Text that wraps, and that the user can select and copy into a mail.

    Parameters
    ----------
    text
        First text.
    explained
        Tooltip.
    """

    def __init__(self, text: str = "", explained: str = LAST) -> None:
        super().__init__(text)
        self.setWordWrap(True)
        self.setToolTip(explained)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
