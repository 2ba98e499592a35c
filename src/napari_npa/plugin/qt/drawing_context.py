"""Deletes the OpenGL objects of removed layers in the context that they belong to."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from weakref import ref

from napari.components import ViewerModel


def guard_removals(viewer: ViewerModel) -> None:
    """Make a viewer's own context current whenever layers are removed from it.

    On a removal, napari 0.9 sends all waiting OpenGL commands, including those of new layers, to
    whichever context is current: perhaps another viewer's, perhaps none. Objects created there
    are missing when the canvas is next drawn, and Mesa's software OpenGL crashes for lack of them
    in ``glDrawArrays``.
    """
    weakly: ref[Any] = ref(viewer)

    def make_current(event: object) -> None:
        with suppress(AttributeError, RuntimeError):  # it has no window, or that is closing
            weakly().window._qt_viewer.canvas._scene_canvas.set_current()  # type: ignore[union-attr]

    viewer.layers.events.removing.connect(make_current)
