"""Which of the open angiograms is on screen, and which frame of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from napari.layers import Image
from napari.utils.notifications import show_info
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_npa.plugin.layers.shown_image import (
    ShownImage,
    angiogram_layers,
    full_resolution,
    is_mask,
    show_as_gray,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel

HIDING = ("opaque", "translucent", "translucent_no_depth")
"""Ways of blending in which an image hides what lies below it."""

MASK_OPENED = (
    "'{}' is a mask, not an angiogram: it is shown, and not counted. Load masks… in the tab "
    "Segment puts it into the result of its image."
)

Frame = tuple[int, ...]
"""Index of a frame, in the leading axes of a stack; empty for a single image."""


class OnScreen:
    """Follows which angiogram the user looks at: the only one that is worked on.

    That is the image that was opened, chosen or made visible last. An image that would hide it is
    made invisible, so that nobody paints on an eye that cannot be seen. Images that lie beside it,
    or that are blended with it, stay.

    Parameters
    ----------
    viewer
        With the images; it is not kept alive.
    """

    turned = Signal()
    """Another image, another frame of it, or other data of it are on screen now."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = ref(viewer)
        self._is_turning = False
        for image in angiogram_layers(viewer):
            show_as_gray(image)
            self._watch(image)
        self.image = self._topmost()
        self._seen = self._seen_now()
        viewer.layers.events.inserted.connect(self._inserted)
        viewer.layers.events.removed.connect(self._removed)
        viewer.layers.selection.events.active.connect(self._selected)
        viewer.dims.events.point.connect(self._look)

    @property
    def frame(self) -> Frame:
        """Frame of the image that the sliders show."""
        viewer = self._viewer()
        if viewer is None or self.image is None:
            return ()
        return ShownImage.of(self.image, viewer).frame

    def show(self, image: Image | None, frame: Frame | None = None) -> None:
        """Bring an image on screen, at a frame; None: no image, or the frame of the sliders."""
        viewer = self._viewer()
        if viewer is None or (image is not None and image not in viewer.layers):
            return
        self.image = image
        if image is not None:
            self._is_turning = True
            try:
                show_as_gray(image)
                self._uncover(image)
                if frame is not None:
                    self._move_sliders(image, frame)
            finally:
                self._is_turning = False
        self._look()

    def _look(self) -> None:
        """Tell if something else is on screen than before."""
        if self._is_turning or (self.image is not None and self.image not in self._images()):
            return  # it is being removed: that will be told
        now = self._seen_now()
        image, data, frame = self._seen
        if now[0] is not image or now[1] is not data or now[2] != frame:
            self._seen = now
            self.turned.emit()

    def _seen_now(self) -> tuple[Image | None, Any, Frame]:
        data = None if self.image is None else full_resolution(self.image)
        return self.image, data, self.frame

    def _uncover(self, image: Image) -> None:
        for other in self._images():
            if other is not image and _hides(other) and self._lies_over(other, image):
                other.visible = False
        if not image.visible:
            image.visible = True

    def _move_sliders(self, image: Image, frame: Frame) -> None:
        viewer = self._viewer()
        assert viewer is not None
        world = image.data_to_world((*frame, 0, 0))[: len(frame)]
        first = viewer.dims.ndim - image.ndim
        viewer.dims.set_point(range(first, first + len(frame)), world)

    def _topmost(self) -> Image | None:
        """Image that hides all others; else the last one of those that can be seen, or of all."""
        images = self._images()
        for wanted in (_hides, lambda image: image.visible, lambda image: True):
            if found := [image for image in images if wanted(image)]:
                return found[-1]
        return None

    def _images(self) -> list[Image]:
        viewer = self._viewer()
        return [] if viewer is None else angiogram_layers(viewer)

    def _lies_over(self, upper: Image, lower: Image) -> bool:
        """Whether an image is drawn after another, in the same place."""
        viewer = self._viewer()
        assert viewer is not None
        if viewer.layers.index(upper) < viewer.layers.index(lower):
            return False
        (first, last), (other_first, other_last) = (
            np.asarray(layer.extent.world)[:, -2:] for layer in (upper, lower)
        )
        return bool(np.all(first < other_last) and np.all(other_first < last))

    # What the user does

    def _inserted(self, event: Any) -> None:  # noqa: ANN401 - napari's events are untyped
        if event.value in self._images():
            self._watch(event.value)
            if self.image is None or _hides(event.value):
                self.show(event.value)
        elif isinstance(event.value, Image) and is_mask(event.value):
            show_info(MASK_OPENED.format(event.value.name))

    def _removed(self, event: Any) -> None:  # noqa: ANN401
        if isinstance(event.value, Image):
            self._watch(event.value, False)
        if event.value is self.image:
            self.image = None
            self._look()
            # Not at once: napari's list of layers is still removing a row.
            QTimer.singleShot(0, self._show_what_is_left)

    def _show_what_is_left(self) -> None:
        if self.image is None:
            self.show(self._topmost())

    def _selected(self, event: Any) -> None:  # noqa: ANN401
        layer = event.value
        if layer is not self.image and layer in self._images() and _may_hide(layer):
            self.show(layer)

    def _visibility_changed(self, event: Any) -> None:  # noqa: ANN401
        changed: Image = event.source
        if self._is_turning or self.image is None or self.image not in self._images():
            return
        if changed is self.image and not changed.visible:
            topmost = self._topmost()
            if topmost is not None and topmost.visible:
                self.show(topmost)
        elif changed is not self.image and _hides(changed) and self._lies_over(changed, self.image):
            self.show(changed)

    def _watch(self, image: Image, on: bool = True) -> None:
        for event, slot in (
            (image.events.visible, self._visibility_changed),
            (image.events.data, self._look),
        ):
            (event.connect if on else event.disconnect)(slot)


def _may_hide(image: Image) -> bool:
    """Whether what lies below an image cannot be seen while it is visible."""
    return str(image.blending) in HIDING and image.opacity == 1


def _hides(image: Image) -> bool:
    return bool(image.visible) and _may_hide(image)
