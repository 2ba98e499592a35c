"""Base class of the panels: a widget that is deleted with its dock."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QWidget

from napari_npa.plugin.qt.wheel import let_wheel_scroll


class Connections:
    """Connections of a Qt object to signals that outlive it; disconnected when it is deleted.

    Qt disconnects its own signals by itself. Signals of napari and psygnal, such as those of a
    viewer's layers, would go on calling the Python object, whose widgets are gone.

    Parameters
    ----------
    listener
        Object whose methods are connected; it must keep a reference to this one.
    """

    def __init__(self, listener: QObject) -> None:
        self._made: list[tuple[Any, Callable[..., object]]] = []
        listener.destroyed.connect(self.cut)

    def __len__(self) -> int:
        return len(self._made)

    def connect(self, signal: Any, slot: Callable[..., object]) -> None:  # noqa: ANN401 - any kind
        """Connect a method to a signal."""
        signal.connect(slot)
        self._made.append((signal, slot))

    def disconnect(self, signal: Any, slot: Callable[..., object]) -> None:  # noqa: ANN401
        """Disconnect a method from a signal."""
        signal.disconnect(slot)
        self._made.remove((signal, slot))

    def cut(self) -> None:
        """Disconnect all methods."""
        while self._made:
            signal, slot = self._made.pop()
            signal.disconnect(slot)


class Panel(QWidget):
    """Widget in a dock; it is deleted once napari has closed the dock.

    napari only removes the parent of a closed panel. Python would then delete the widget, on
    whichever thread the garbage collector finds it. A widget that is deleted on a worker's thread
    can crash napari or make it hang.

    Attributes
    ----------
    connections
        To objects that outlive the panel.
    """

    def __init__(self) -> None:
        super().__init__()
        self.connections = Connections(self)

    def event(self, event: QEvent) -> bool:
        """Once all controls are there, keep the mouse wheel from changing them."""
        if event.type() == QEvent.Type.Polish:
            let_wheel_scroll(self)
        return super().event(event)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Check whether the dock was closed, once napari is done with it."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            QTimer.singleShot(0, partial(_delete_if_closed, self))

    def clear_up(self) -> None:
        """Remove from the viewer what is of no use without the panel, which was just closed."""


def _delete_if_closed(panel: Panel) -> None:
    if panel.parent() is None and not panel.isVisible():  # not in another dock by now
        panel.clear_up()
        panel.deleteLater()
