"""What becomes of the two layers of a result when the user removes one of them, or their image."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from weakref import ref

from napari.layers import Labels
from napari.utils.notifications import show_info
from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from napari.components import ViewerModel

BACK = (
    "'{}' is one of the two layers of a result, and was put back: its eye hides it. To remove the "
    "result, remove both."
)


def put_back(viewer: ViewerModel, npa: Labels, retina: Labels) -> None:
    """Put the one of two layers that is missing beside the other, as it was; tell the user."""
    (missing, there) = (npa, retina) if retina in viewer.layers else (retina, npa)
    active = viewer.layers.selection.active
    viewer.layers.insert(viewer.layers.index(there) + (missing is npa), missing)
    viewer.layers.selection.active = active
    show_info(BACK.format(missing.name))


def remove_soon(viewer: ref[ViewerModel], layers: list[Labels]) -> None:
    """Remove layers, but not at once: napari's list of layers may still be removing a row."""
    QTimer.singleShot(0, partial(_remove, viewer, layers))


def _remove(viewer_ref: ref[ViewerModel], layers: list[Labels]) -> None:
    viewer = viewer_ref()
    if viewer is None:
        return
    # After each removal, or batch of them, napari collects garbage for some 0.2 s.
    with viewer.layers.batched_update():
        for layer in layers:
            if layer in viewer.layers:
                viewer.layers.remove(layer)
