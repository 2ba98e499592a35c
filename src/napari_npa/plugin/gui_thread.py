"""Calls from other threads into the GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from qtpy.QtCore import QCoreApplication, QObject, Signal  # type: ignore[attr-defined]


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


@cache
def _messenger() -> _Messenger:
    app = QCoreApplication.instance()
    if app is None:
        raise GuiGoneError
    messenger = _Messenger()
    messenger.moveToThread(app.thread())
    return messenger


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
