"""The two layers of a result, and the automatic result behind them.

The layers hold what the user sees and edits. :class:`ImageResult` adds what cannot be seen: the
probabilities, and the current threshold of the non-perfusion layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet, ref

import numpy as np
from napari.layers import Image, Labels
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_npa.plugin.layers.counted import CountedLabels
from napari_npa.plugin.layers.mask_layers import LayerNames, npa_layer, retina_layer
from napari_npa.plugin.layers.on_screen import Frame, OnScreen
from napari_npa.plugin.layers.removals import put_back, remove_soon
from napari_npa.plugin.layers.shown_image import ShownImage, angiogram_layers
from napari_npa.plugin.layers.steps import Mark, Step, version_shown, write_mask, write_step
from napari_npa.plugin.look.outline import outline_pixels
from napari_npa.plugin.qt.drawing_context import guard_removals
from napari_npa.types import Mask

if TYPE_CHECKING:
    from pathlib import Path

    from napari.components import ViewerModel

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
    folder
        Where it was saved last, or belongs; None: not known.
    """

    turned = Signal()
    """The masks start from another automatic result or threshold: after an undo or redo, a run, or
    what was put into the layers."""

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
        self.folder: Path | None = None
        self._counted = CountedLabels(npa, retina)
        self._segmentation = segmentation
        self._move: Step | None = None
        npa.events.set_data.connect(self._follow_undo)

    @property
    def segmentation(self) -> Segmentation:
        """Automatic result at the current threshold, which the user's edits start from."""
        return self._segmentation

    def is_whole(self, viewer: ViewerModel) -> bool:
        """Whether its image has the same data, and both layers are still in the viewer."""
        return self.shown.is_current(viewer) and {self.npa, self.retina} <= set(viewer.layers)

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
        self.turned.emit()

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
            self.turned.emit()


class Results:
    """Results of the images of one viewer, and the one that the user works on.

    That is the one of the frame on screen. The layers of the others cannot be seen, so that nobody
    paints on them. They are removed with their image.

    Parameters
    ----------
    viewer
        With the images, and for the layers; it is not kept alive.
    """

    chosen = Signal()
    """The user now works on another result, or on none."""

    closed = Signal(object)
    """The image of an :class:`ImageResult` was removed; its layers follow."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = ref(viewer)
        self._kept: dict[tuple[Image, Frame], ImageResult] = {}
        self._hidden: WeakSet[Labels] = WeakSet()
        self._names = LayerNames()
        self._is_arranging = False
        self.current: ImageResult | None = None
        self.on_screen = OnScreen(viewer)
        self.on_screen.turned.connect(self._turn)
        viewer.layers.events.inserted.connect(self._rename)
        viewer.layers.events.removed.connect(self._removed)
        viewer.layers.selection.events.active.connect(self._selected)

    def of(self, image: Image | None, viewer: ViewerModel) -> ImageResult | None:
        """Result of the frame of an image on screen, if its layers and data are still there."""
        if image is None:
            return None
        result = self._kept.get((image, ShownImage.of(image, viewer).frame))
        return result if result is not None and result.is_whole(viewer) else None

    def show(
        self, shown: ShownImage, segmentation: Segmentation, seconds: float, viewer: ViewerModel
    ) -> ImageResult:
        """Show a result: in the layers that the frame has already, else in new ones.

        They come on screen if the frame still is.
        """
        result = self._kept.get((shown.image, shown.frame))
        if result is not None and result.is_whole(viewer):
            result.run_again(segmentation, seconds)
            self._turn()
            return result
        if result is not None:  # of other data that the layer had, or with a layer removed
            self._close([result])
        retina = retina_layer(shown, segmentation.retina)
        npa = npa_layer(shown, segmentation.npa)
        result = ImageResult(shown, npa, retina, segmentation, seconds)
        self._kept[shown.image, shown.frame] = result
        self._add(result, viewer)
        self._turn()
        return result

    def _add(self, result: ImageResult, viewer: ViewerModel) -> None:
        """Put the layers of a new result into the viewer."""
        npa, retina = result.npa, result.retina
        active = viewer.layers.selection.active
        with self._arranging():
            viewer.add_layer(retina)
            # Only now: else napari would find the outline twice.
            retina.contour = outline_pixels(retina.data.shape)
            viewer.add_layer(npa)
            is_on_screen = self.of(self.on_screen.image, viewer) is result
            viewer.layers.selection.active = npa if is_on_screen else active
        self._rename()
        result.shown.image.events.name.connect(self._rename)
        for layer in (npa, retina):
            layer.events.visible.connect(self._made_visible)

    def turn_to(self, result: ImageResult) -> None:
        """Bring the image and the frame of a result on screen."""
        self.on_screen.show(result.shown.image, result.shown.frame)

    # What is on screen

    def _turn(self) -> None:
        """Work on the result that is on screen now, and hide the others."""
        viewer = self._viewer()
        if viewer is None:
            return
        current = self.of(self.on_screen.image, viewer)
        changed, self.current = current is not self.current, current
        with self._arranging():
            self._hide_others(viewer, current)
        if changed:
            self.chosen.emit()

    def _hide_others(self, viewer: ViewerModel, current: ImageResult | None) -> None:
        active = viewer.layers.selection.active
        mode = str(active.mode) if isinstance(active, Labels) else ""
        for result in self._kept.values():
            for layer in (result.npa, result.retina):
                if result is not current and layer.visible:
                    layer.visible = False
                    self._hidden.add(layer)
                elif result is current and layer in self._hidden:
                    self._hidden.discard(layer)
                    layer.visible = True
        before = self._owner(active)
        if before is None or before is current:
            return
        if current is None:
            viewer.layers.selection.active = self.on_screen.image
            return
        # The brush stays in the hand: its place is the same mask of the next frame.
        after = current.npa if active is before.npa else current.retina
        viewer.layers.selection.active = after
        after.mode = mode
        after.brush_size = active.brush_size

    def _selected(self, event: Any) -> None:  # noqa: ANN401 - napari's events are untyped
        owner = self._owner(event.value)
        if owner is not None and owner is not self.current and not self._is_arranging:
            self.turn_to(owner)

    def _made_visible(self, event: Any) -> None:  # noqa: ANN401
        """Turn to a hidden result whose layer the user makes visible."""
        owner = self._owner(event.source)
        if owner is None or owner is self.current or self._is_arranging:
            return
        if event.source.visible:
            self.turn_to(owner)

    def _owner(self, layer: object) -> ImageResult | None:
        results = self._kept.values()
        return next((r for r in results if layer in (r.npa, r.retina)), None)

    @contextmanager
    def _arranging(self) -> Iterator[None]:
        """What happens to the layers meanwhile was not done by the user."""
        was, self._is_arranging = self._is_arranging, True
        try:
            yield
        finally:
            self._is_arranging = was

    # Names, and the end

    def _rename(self, event: object = None) -> None:
        viewer = self._viewer()
        if viewer is not None:
            self._names.give(self._kept.values(), several=len(angiogram_layers(viewer)) > 1)

    def _removed(self, event: Any) -> None:  # noqa: ANN401
        gone = event.value
        if (owner := self._owner(gone)) is not None:
            self._turn()
            QTimer.singleShot(0, partial(_put_back, ref(self), owner))
        self._close([result for key, result in self._kept.items() if key[0] is gone])
        self._rename()

    def put_back(self, result: ImageResult) -> None:
        """Put the one layer of a result that the user has removed into the viewer again.

        Without it there is no index, and nothing to save. Who removes both removes the result.
        """
        viewer = self._viewer()
        if viewer is None or result not in self._kept.values():
            return
        there = {result.npa, result.retina} & set(viewer.layers)
        if not there or not result.shown.is_current(viewer):
            self._close([result])
        elif len(there) == 1:
            with self._arranging():
                put_back(viewer, result.npa, result.retina)
            self._turn()

    def _close(self, results: Sequence[ImageResult]) -> None:
        """Forget results, and remove their layers."""
        if not results:
            return
        self._kept = {key: kept for key, kept in self._kept.items() if kept not in results}
        if self.current in results:
            self.current = None
            self.chosen.emit()
        viewer = self._viewer()
        left = set() if viewer is None else set(viewer.layers)
        for result in results:
            if left & {result.npa, result.retina}:  # else whoever removed them knows it
                self.closed.emit(result)
        layers = [layer for result in results for layer in (result.npa, result.retina)]
        remove_soon(self._viewer, layers)


_RESULTS: WeakKeyDictionary[ViewerModel, Results] = WeakKeyDictionary()


def results_of(viewer: ViewerModel) -> Results:
    """Results of a viewer; all panels share one object."""
    if viewer not in _RESULTS:
        _RESULTS[viewer] = Results(viewer)
        guard_removals(viewer)
    return _RESULTS[viewer]


def _put_back(results_ref: ref[Results], result: ImageResult) -> None:
    results = results_ref()
    if results is not None:
        results.put_back(result)
