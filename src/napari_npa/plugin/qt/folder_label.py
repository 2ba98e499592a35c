"""Names a folder in a panel."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSizePolicy
from superqt import QElidingLabel


class FolderLabel(QElidingLabel):
    """Path of a folder, of which a narrow dock shows the end: the folder's own name.

    Parameters
    ----------
    explained
        Tooltip.
    """

    def __init__(self, explained: str) -> None:
        super().__init__("–")
        self.setElideMode(Qt.TextElideMode.ElideLeft)
        self.setToolTip(explained)
        # A long path must not widen the dock.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
