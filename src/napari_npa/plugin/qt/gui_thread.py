"""Calls from other threads into the GUI thread, and what must be deleted in it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import RLock
from typing import TypeVar
from weakref import finalize

from qtpy.QtCore import QCoreApplication, QObject, Signal  # type: ignore[attr-defined]

Owned = TypeVar("Owned", bound=QObject)


class GuiGoneError(Exception):
    """Qt has closed down: nobody is left to be told."""


class _Messenger(QObject):
    """The one Qt object that other threads touch.

    It lives as long as Qt: an object that one thread deletes while another still emits its
    signals, or is found by Python's garbage collector on a worker's thread, takes napari down.
    """

    posted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.posted.connect(self._call)

    def _call(self, function: Callable[[], object]) -> None:
        function()


_messengers: list[_Messenger] = []
_making = RLock()  # may be entered again: making one may collect garbage, and so call from here


def _messenger() -> _Messenger:
    """The messenger, made when it is first asked for: by one thread, or calls to a second are lost.

    Raises
    ------
    GuiGoneError
        Qt has closed down.
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
    """Have a function called in the GUI thread, soon; callable from any thread.

    Raises
    ------
    GuiGoneError
        Qt has closed down.
    """
    try:
        _messenger().posted.emit(function)
    except RuntimeError:  # the object in C++ is deleted
        raise GuiGoneError from None


def deleted_in_gui(thing: Owned, owner: object) -> Owned:
    """Have a Qt object deleted in the GUI thread once its owner in Python is gone.

    Python's garbage collector may find the owner on a worker's thread, and Qt cannot stop a timer
    or the watching of a file from there: napari would hang, asking for ever about a file that
    is closed.

    Parameters
    ----------
    thing
        A timer or watcher; made in the GUI thread, without a parent.
    owner
        Whose end ends it.

    Returns
    -------
    thing
    """
    thing.setParent(QCoreApplication.instance())
    finalize(owner, _delete_soon, thing)
    return thing


def _delete_soon(thing: QObject) -> None:
    with suppress(GuiGoneError, RuntimeError):  # Qt has closed down, and deleted it
        call_in_gui(thing.deleteLater)
