"""The two layers of a result, and the automatic result behind them.

The layers hold what the user sees and edits. :class:`ImageResult` adds what cannot be seen: the
probabilities, and the current threshold of the non-perfusion layer.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image, Labels
from psygnal import Signal

from napari_npa.plugin.layers.mask_layers import npa_layer, outline_pixels, retina_layer
from napari_npa.plugin.layers.shown_image import ShownImage
from napari_npa.plugin.qt.drawing_context import guard_removals
from napari_npa.types import Mask

if TYPE_CHECKING:
    from napari.components import LayerList, ViewerModel

    from napari_npa.results.result import Result
    from napari_npa.segmentation.segmenter import Segmentation
    from napari_npa.types import Target

VERSIONS_KEPT = 100
"""As many as the steps that napari can undo."""


class ImageResult:
    """Result of one image: its layers and the automatic result behind them.

    Parameters
    ----------
    shown
        Image that was segmented.
    npa, retina
        Layers of 0 and 1, which the user edits.
    segmentation
        Automatic result, at the threshold of the layer.
    seconds
        How long the segmentation took.

    Attributes
    ----------
    basis
        Identity of the saved result that the layers show or were last saved as, see
        :class:`napari_npa.results.result.Result`; empty: they were not saved.
    """

    undone = Signal()
    """An undo or redo has led to another automatic result or threshold."""

    def __init__(
        self,
        shown: ShownImage,
        npa: Labels,
        retina: Labels,
        segmentation: Segmentation,
        seconds: float,
    ) -> None:
        self.shown = shown
        self.npa = npa
        self.retina = retina
        self.seconds = seconds
        self.basis = ""
        # One per step that can be undone, as in the layer's own history.
        self._versions = [segmentation]
        self._at = 0
        self._drag: ExitStack | None = None
        self._before_drag = 0
        npa.events.set_data.connect(self._follow_undo)

    @property
    def segmentation(self) -> Segmentation:
        """Automatic result at the current threshold, which the user's edits start from."""
        return self._versions[self._at]

    def layer(self, target: Target) -> Labels:
        """Layer of non-perfusion, or of the gradable retina."""
        return self.npa if target == "npa" else self.retina

    def masks(self) -> tuple[Mask, Mask]:
        """Non-perfusion and retina as they are now, with all edits."""
        return np.asarray(self.npa.data) != 0, np.asarray(self.retina.data) != 0

    def snapshot(self) -> Result:
        """Return the result as it is now, for a worker to use while the user paints on."""
        from napari_npa.results.result import Result

        automatic = Result.of(self.segmentation, seconds=self.seconds)
        return replace(automatic.with_masks(*self.masks()), basis=self.basis)

    def hand_made_pixels(self) -> int:
        """Number of pixels of the non-perfusion layer that differ from the automatic result."""
        return int(np.count_nonzero(self.masks()[0] != self.segmentation.npa))

    def run_again(self, segmentation: Segmentation, seconds: float) -> None:
        """Put a new automatic result into the layers; it can be undone in each."""
        self._add_version(segmentation)
        self.seconds = seconds
        _write(self.npa, segmentation.npa)
        _write(self.retina, segmentation.retina)

    def put(self, npa: Mask, retina: Mask) -> None:
        """Put corrected masks, (rows, columns) bool, into the layers; undoable in each."""
        _write(self.npa, npa)
        _write(self.retina, retina)

    def move_threshold(self, threshold: float) -> int:
        """Change only the pixels between the old and the new threshold.

        All other pixels stay as they are, and with them the strokes elsewhere.

        Returns
        -------
        hand_made
            Pixels between the thresholds that the user had already changed; from now
            on they follow the threshold.
        """
        moved = self.segmentation.at_threshold(threshold)
        before, after = self.segmentation.npa, moved.npa
        changed = np.nonzero(before != after)
        hand_made = np.count_nonzero((self.npa.data[changed] != 0) == after[changed])
        self._add_version(moved)
        self.npa.data_setitem(changed, after[changed].astype(np.uint8))
        return int(hand_made)

    def begin_drag(self) -> None:
        """Gather the following moves of the threshold into one step to undo."""
        self.end_drag()
        self._drag = ExitStack()
        self._drag.enter_context(self.npa.block_history())
        self._before_drag = self._at

    def end_drag(self) -> None:
        """Close the step that :meth:`begin_drag` opened."""
        if self._drag is None:
            return
        self._drag.close()
        self._drag = None
        current = self.segmentation
        del self._versions[self._before_drag + 1 :]
        self._at = self._before_drag
        self._add_version(current)

    def _add_version(self, segmentation: Segmentation) -> None:
        """Go to a new version; equal masks are one version, since they are no step to undo."""
        if np.array_equal(segmentation.npa, self.segmentation.npa):
            self._versions[self._at] = segmentation
            return
        self._versions = [*self._versions[: self._at + 1], segmentation][-VERSIONS_KEPT:]
        self._at = len(self._versions) - 1

    def _follow_undo(self) -> None:
        """After an undo or redo, find the version that the layer shows now."""
        was_at = self._at
        while neighbours := [at for at in (self._at - 1, self._at + 1) if self._is_shown(at)]:
            self._at = neighbours[0]
        if self._at != was_at:
            self.undone.emit()

    def _is_shown(self, at: int) -> bool:
        """Whether the layer is more like that version than like the current one."""
        if self._drag is not None or not 0 <= at < len(self._versions):
            return False
        other = self._versions[at].npa
        differing = other != self.segmentation.npa
        agreeing = np.count_nonzero((self.npa.data[differing] != 0) == other[differing])
        return bool(agreeing > np.count_nonzero(differing) / 2)


class Results:
    """Results of the images of one viewer, and the one that the user works on."""

    chosen = Signal()
    """The user now works on another result, or on none."""

    def __init__(self, layers: LayerList) -> None:
        self._by_image: dict[Image, ImageResult] = {}
        self.current: ImageResult | None = None
        layers.events.removed.connect(self._forget)

    def choose(self, result: ImageResult | None) -> None:
        """Make a result the one that the user works on; None: none."""
        if result is not self.current:
            self.current = result
            self.chosen.emit()

    def of(self, image: Image | None, viewer: ViewerModel) -> ImageResult | None:
        """Result of an image, if its layers are still there and its data the same."""
        result = self._by_image.get(image) if image is not None else None
        if result is None or not result.shown.is_current(viewer):
            return None
        return result if {result.npa, result.retina} <= set(viewer.layers) else None

    def show(
        self, shown: ShownImage, segmentation: Segmentation, seconds: float, viewer: ViewerModel
    ) -> ImageResult:
        """Show a result: in the layers that the image has already, else in new ones."""
        result = self.of(shown.image, viewer)
        if result is not None:
            result.run_again(segmentation, seconds)
            self.choose(result)
            return result
        retina = retina_layer(shown, segmentation.retina, viewer)
        npa = npa_layer(shown, segmentation.npa, viewer)
        viewer.add_layer(retina)
        # Only now: else napari would draw the outline twice, a second each on 16 million pixels.
        retina.contour = outline_pixels(segmentation.retina.shape)
        viewer.add_layer(npa)
        viewer.layers.selection.active = npa
        result = ImageResult(shown, npa, retina, segmentation, seconds)
        self._by_image[shown.image] = result
        self.choose(result)
        return result

    def _forget(self, event: Any) -> None:  # noqa: ANN401 - napari's events are untyped
        self._by_image.pop(event.value, None)
        current = self.current
        if current and event.value in (current.shown.image, current.npa, current.retina):
            self.choose(None)


_RESULTS: WeakKeyDictionary[ViewerModel, Results] = WeakKeyDictionary()


def results_of(viewer: ViewerModel) -> Results:
    """Results of a viewer; all panels share one object."""
    if viewer not in _RESULTS:
        _RESULTS[viewer] = Results(viewer.layers)
        guard_removals(viewer)
    return _RESULTS[viewer]


def _write(layer: Labels, mask: Mask) -> None:
    """Make a layer equal to a mask; this can be undone."""
    changed = np.nonzero((np.asarray(layer.data) != 0) != mask)
    layer.data_setitem(changed, mask[changed].astype(np.uint8))
