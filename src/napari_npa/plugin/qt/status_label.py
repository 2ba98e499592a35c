"""A line in which a panel tells something."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

LAST = "What happened last, or what to do next."


class Told(QLabel):
    """Text that is wrapped, and can be selected to be copied into a mail.

    Parameters
    ----------
    text
        What it tells to begin with.
    explained
        Tooltip.
    """

    def __init__(self, text: str = "", explained: str = LAST) -> None:
        super().__init__(text)
        self.setWordWrap(True)
        self.setToolTip(explained)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
