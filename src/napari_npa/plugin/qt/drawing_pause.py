"""napari waits for a moment with drawing, so that the network has the processor to itself."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from napari.components import ViewerModel
from qtpy.QtCore import QTimer

LONGEST_MS = 150
"""Longest pause: hardly noticed just after the mouse was released."""


def pause_drawing(viewer: ViewerModel) -> None:
    """Do not redraw a viewer's window until :func:`resume_drawing`, or for :data:`LONGEST_MS`.

    Software OpenGL draws on the cores on which the network runs, and Qt paints a window with
    Python's lock held: a region of 512 x 512 then takes 0.17 s, not 0.11 (two cores).
    """
    _let_draw(viewer, False)
    QTimer.singleShot(LONGEST_MS, partial(_let_draw, viewer, True))


def resume_drawing(viewer: ViewerModel) -> None:
    """Draw again, from now on."""
    _let_draw(viewer, True)


def _let_draw(viewer: ViewerModel, on: bool) -> None:
    with suppress(AttributeError, RuntimeError):  # it has no window, or that is closing
        viewer.window._qt_window.setUpdatesEnabled(on)
