"""A panel of napari, which ends with its dock."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QWidget


class Connections:
    """What a Qt object hears from what outlives it, as a viewer's layers; cut when it is deleted.

    Qt cuts its own signals then. Those of napari and psygnal would go on calling the Python
    object, whose widgets are gone.

    Parameters
    ----------
    listener
        Whose methods are called; it keeps this object.
    """

    def __init__(self, listener: QObject) -> None:
        self._made: list[tuple[Any, Callable[..., object]]] = []
        listener.destroyed.connect(self.cut)

    def connect(self, signal: Any, slot: Callable[..., object]) -> None:  # noqa: ANN401 - any kind
        """Have a method called from now on."""
        signal.connect(slot)
        self._made.append((signal, slot))

    def disconnect(self, signal: Any, slot: Callable[..., object]) -> None:  # noqa: ANN401
        """Have it not called any more."""
        signal.disconnect(slot)
        self._made.remove((signal, slot))

    def cut(self) -> None:
        """Disconnect all."""
        while self._made:
            signal, slot = self._made.pop()
            signal.disconnect(slot)


class Panel(QWidget):
    """Widget of a dock, deleted once napari has closed the dock.

    napari only takes a closed panel's parent away. From then on it would be Python's to delete,
    on whatever thread the garbage collector finds it; a widget deleted on a worker's thread can
    take napari down, or make it hang.

    Attributes
    ----------
    connections
        To what lives on when the panel is gone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.connections = Connections(self)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """See whether the dock was closed, once napari is done with it."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            QTimer.singleShot(0, partial(_delete_if_closed, self))

    def clear_up(self) -> None:
        """Take out of the viewer what is of no use without the panel, which was just closed."""


def _delete_if_closed(panel: Panel) -> None:
    if panel.parent() is None and not panel.isVisible():  # not in another dock by now
        panel.clear_up()
        panel.deleteLater()
