"""The two layers of a result, and the automatic result behind them.

The layers hold what the user sees and edits. :class:`ImageResult` adds what cannot be seen: the
probabilities, and the current threshold of the non-perfusion layer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image, Labels
from psygnal import Signal

from napari_npa.plugin.layers.mask_layers import npa_layer, outline_pixels, retina_layer
from napari_npa.plugin.layers.shown_image import ShownImage
from napari_npa.plugin.layers.steps import Mark, Step, version_shown, write_mask, write_step
from napari_npa.plugin.qt.drawing_context import guard_removals
from napari_npa.types import Mask

if TYPE_CHECKING:
    from napari.components import LayerList, ViewerModel

    from napari_npa.results.result import Result
    from napari_npa.segmentation.segmenter import Segmentation
    from napari_npa.types import Target


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
        self._segmentation = segmentation
        self._move: Step | None = None
        npa.events.set_data.connect(self._follow_undo)

    @property
    def segmentation(self) -> Segmentation:
        """Automatic result at the current threshold, which the user's edits start from."""
        return self._segmentation

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
        self.seconds = seconds
        self.put(segmentation.npa, segmentation.retina, segmentation)

    def put(self, npa: Mask, retina: Mask, segmentation: Segmentation | None = None) -> None:
        """Put masks, (rows, columns) bool, into the layers; undoable in each.

        Parameters
        ----------
        npa, retina
            The masks.
        segmentation
            Automatic result that they start from; None: the current one.
        """
        write_mask(self.npa, npa, self._turn_to(segmentation or self._segmentation))
        write_mask(self.retina, retina)

    def move_threshold(self, threshold: float) -> int:
        """Change only the pixels between the old and the new threshold.

        All other pixels stay as they are, and with them the strokes elsewhere. Until
        :meth:`end_move`, all moves are one step to undo.

        Returns
        -------
        hand_made
            Pixels between the thresholds that the user had already changed; from now
            on they follow the threshold.
        """
        if threshold == self._segmentation.threshold:
            return 0
        before = self._segmentation.npa
        mark = self._turn_to(self._segmentation.at_threshold(threshold))
        after = self._segmentation.npa
        changed = np.nonzero(before != after)
        hand_made = np.count_nonzero((self.npa.data[changed] != 0) == after[changed])
        values = after[changed].astype(np.uint8)
        self._move = write_step(self.npa, changed, values, mark=mark, onto=self._move)
        return int(hand_made)

    def end_move(self) -> None:
        """Let the next move of the threshold be another step to undo."""
        self._move = None

    def _turn_to(self, segmentation: Segmentation) -> Mark | None:
        """Go on from another automatic result; what marks the step that does so."""
        before, self._segmentation = self._segmentation, segmentation
        return Mark.between(before, segmentation) if segmentation is not before else None

    def _follow_undo(self) -> None:
        """After an undo or redo, go back to the automatic result of that time."""
        shown = version_shown(self.npa, self._segmentation)
        if shown is not self._segmentation:
            self._segmentation = shown
            self.undone.emit()


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
