"""Calls functions, and deletes Qt objects, in the GUI thread from any other thread."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import RLock
from typing import TypeVar
from weakref import finalize

from qtpy.QtCore import QCoreApplication, QObject, Signal  # type: ignore[attr-defined]

Owned = TypeVar("Owned", bound=QObject)


class GuiGoneError(Exception):
    """Qt has shut down: no GUI thread is left to call."""


class _Messenger(QObject):
    """The one Qt object that other threads touch.

    It lives as long as Qt does. An object that one thread deletes while another still emits its
    signals, or that Python's garbage collector deletes on a worker's thread, would crash napari.
    """

    posted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.posted.connect(self._call)

    def _call(self, function: Callable[[], object]) -> None:
        function()


_messengers: list[_Messenger] = []
_making = RLock()  # reentrant: making a messenger may collect garbage, which may call this again


def _messenger() -> _Messenger:
    """The messenger, made on first use, and only once: calls through a second would be lost.

    Raises
    ------
    GuiGoneError
        Qt has shut down.
    """
    with _making:
        if not _messengers:
            app = QCoreApplication.instance()
            if app is None:
                raise GuiGoneError
            messenger = _Messenger()
            messenger.moveToThread(app.thread())
            _messengers.append(messenger)
        return _messengers[0]


def call_in_gui(function: Callable[[], object]) -> None:
    """Call a function in the GUI thread as soon as it is free; safe from any thread.

    Raises
    ------
    GuiGoneError
        Qt has shut down.
    """
    try:
        _messenger().posted.emit(function)
    except RuntimeError:  # the C++ object is deleted
        raise GuiGoneError from None


def deleted_in_gui(thing: Owned, owner: object) -> Owned:
    """Delete a Qt object in the GUI thread once its owner in Python is gone.

    Python's garbage collector may find the owner on a worker's thread, from which Qt cannot stop
    a timer or a file watcher: napari would hang, asking about a closed file forever.

    Parameters
    ----------
    thing
        A timer or watcher, made in the GUI thread without a parent.
    owner
        Python object that `thing` must not outlive.

    Returns
    -------
    thing
    """
    thing.setParent(QCoreApplication.instance())
    finalize(owner, _delete_soon, thing)
    return thing


def _delete_soon(thing: QObject) -> None:
    with suppress(GuiGoneError, RuntimeError):  # Qt has shut down, and deleted it
        call_in_gui(thing.deleteLater)
