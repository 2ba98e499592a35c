"""OpenGL objects of removed layers are deleted in the context that they belong to."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from weakref import ref

from napari.components import ViewerModel


def guard_removals(viewer: ViewerModel) -> None:
    """Have a viewer's own context current whenever layers are removed from it.

    napari 0.9 then sends all waiting OpenGL commands, those of new layers too, to whichever
    context happens to be current: another viewer's, or none. Objects made there are missing
    when the canvas is drawn next, and Mesa's software OpenGL dies of it in ``glDrawArrays``.
    """
    weakly: ref[Any] = ref(viewer)

    def make_current(event: object) -> None:
        with suppress(AttributeError, RuntimeError):  # it has no window, or that is closing
            weakly().window._qt_viewer.canvas._scene_canvas.set_current()  # type: ignore[union-attr]

    viewer.layers.events.removing.connect(make_current)
