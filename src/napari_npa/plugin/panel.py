"""A panel of napari that ends with its dock."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QWidget


class Panel(QWidget):
    """Widget that is deleted once napari has closed its dock.

    napari only takes a closed panel's parent away. From then on it would be Python's to delete,
    on whatever thread the garbage collector finds it; a panel deleted on a worker's thread can
    take napari down.
    """

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """See whether the dock was closed, once napari is done with it."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            QTimer.singleShot(0, partial(_delete_if_closed, self))


def _delete_if_closed(panel: Panel) -> None:
    if panel.parent() is None and not panel.isVisible():  # not in another dock by now
        panel.deleteLater()
