"""The two layers of a result, and the automatic result they began as.

The layers hold what the user sees and edits; :class:`ImageResult` adds what cannot be
seen: the probabilities, and which threshold the non-perfusion layer stands at.
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
"""As many as napari keeps steps to undo."""


class ImageResult:
    """Result of one image: its layers and the automatic result behind them.

    Parameters
    ----------
    shown
        The image the result is of.
    npa, retina
        Layers of 0 and 1; the user edits them.
    segmentation
        Automatic result, at the threshold the layer was made with.
    seconds
        How long it took.

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
        # One for each undoable change, as in the layer's own history.
        self._versions = [segmentation]
        self._at = 0
        self._drag: ExitStack | None = None
        self._before_drag = 0
        npa.events.set_data.connect(self._follow_undo)

    @property
    def segmentation(self) -> Segmentation:
        """Automatic result that the non-perfusion layer began as."""
        return self._versions[self._at]

    def layer(self, target: Target) -> Labels:
        """Layer of non-perfusion, or of the gradable retina."""
        return self.npa if target == "npa" else self.retina

    def masks(self) -> tuple[Mask, Mask]:
        """Non-perfusion and retina as they are now, edits included."""
        return np.asarray(self.npa.data) != 0, np.asarray(self.retina.data) != 0

    def snapshot(self) -> Result:
        """Return the result as it is now, for a worker to use while the user paints on."""
        from napari_npa.results.result import Result

        automatic = Result.of(self.segmentation, seconds=self.seconds)
        return replace(automatic.with_masks(*self.masks()), basis=self.basis)

    def hand_made_pixels(self) -> int:
        """How many pixels of the non-perfusion layer differ from the automatic result."""
        return int(np.count_nonzero(self.masks()[0] != self.segmentation.npa))

    def run_again(self, segmentation: Segmentation, seconds: float) -> None:
        """Put a new automatic result into the layers; undoable in each."""
        self._add_version(segmentation)
        self.seconds = seconds
        _write(self.npa, segmentation.npa)
        _write(self.retina, segmentation.retina)

    def put(self, npa: Mask, retina: Mask) -> None:
        """Put corrected masks, (rows, columns) bool, into the layers; undoable in each."""
        _write(self.npa, npa)
        _write(self.retina, retina)

    def move_threshold(self, threshold: float) -> int:
        """Give the pixels between the old and the new threshold their new label.

        All others stay as they are, so strokes elsewhere are kept.

        Returns
        -------
        hand_made
            Pixels between the thresholds that the user had changed already; from now
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
        """Stand at a new version; equal masks are one version, being no step to undo."""
        if np.array_equal(segmentation.npa, self.segmentation.npa):
            self._versions[self._at] = segmentation
            return
        self._versions = [*self._versions[: self._at + 1], segmentation][-VERSIONS_KEPT:]
        self._at = len(self._versions) - 1

    def _follow_undo(self) -> None:
        """After an undo or redo, find the version the layer has gone back, or on, to."""
        was_at = self._at
        while neighbours := [at for at in (self._at - 1, self._at + 1) if self._is_shown(at)]:
            self._at = neighbours[0]
        if self._at != was_at:
            self.undone.emit()

    def _is_shown(self, at: int) -> bool:
        """Whether the layer looks more like that version than like the current one."""
        if self._drag is not None or not 0 <= at < len(self._versions):
            return False
        other = self._versions[at].npa
        differing = other != self.segmentation.npa
        agreeing = np.count_nonzero((self.npa.data[differing] != 0) == other[differing])
        return bool(agreeing > np.count_nonzero(differing) / 2)


class Results:
    """Results of the images of one viewer, and which of them the user works on."""

    chosen = Signal()
    """Another result is worked on, or none."""

    def __init__(self, layers: LayerList) -> None:
        self._by_image: dict[Image, ImageResult] = {}
        self.current: ImageResult | None = None
        layers.events.removed.connect(self._forget)

    def choose(self, result: ImageResult | None) -> None:
        """Work on a result, or on none."""
        if result is not self.current:
            self.current = result
            self.chosen.emit()

    def of(self, image: Image | None, viewer: ViewerModel) -> ImageResult | None:
        """Find the result of an image, if its layers are there and the image is still the same."""
        result = self._by_image.get(image) if image is not None else None
        if result is None or not result.shown.is_current(viewer):
            return None
        return result if {result.npa, result.retina} <= set(viewer.layers) else None

    def show(
        self, shown: ShownImage, segmentation: Segmentation, seconds: float, viewer: ViewerModel
    ) -> ImageResult:
        """Show a result: in the image's layers if it has some, else in new ones."""
        result = self.of(shown.image, viewer)
        if result is not None:
            result.run_again(segmentation, seconds)
            self.choose(result)
            return result
        retina = retina_layer(shown, segmentation.retina, viewer)
        npa = npa_layer(shown, segmentation.npa, viewer)
        viewer.add_layer(retina)
        # Not before: napari would draw the outline twice, a second each on 16 million pixels.
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
    """Results of a viewer: one object, whichever panels are open."""
    if viewer not in _RESULTS:
        _RESULTS[viewer] = Results(viewer.layers)
        guard_removals(viewer)
    return _RESULTS[viewer]


def _write(layer: Labels, mask: Mask) -> None:
    """Make a layer equal to a mask; undoable."""
    changed = np.nonzero((np.asarray(layer.data) != 0) != mask)
    layer.data_setitem(changed, mask[changed].astype(np.uint8))
