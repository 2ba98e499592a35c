"""The image of a review in the viewer, and whether its masks are saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Layer

from napari_npa.plugin.layers.result_layers import ImageResult, results_of
from napari_npa.plugin.layers.shown_image import ShownImage

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_npa.plugin.review.preparation import Found, Opened
    from napari_npa.results.result import Result


class ReviewedImage:
    """Layers of one image of a review.

    Parameters
    ----------
    opened
        The angiogram, and its image layer, which is added.
    viewer
        Where to.

    Attributes
    ----------
    angiogram
        As it was read.
    is_on_disk
        Whether masks of it, as shown to begin with or later, are in the folder of results.
    """

    def __init__(self, opened: Opened, viewer: ViewerModel) -> None:
        self.angiogram = opened.angiogram
        self._viewer = viewer
        self._results = results_of(viewer)
        image = viewer.add_layer(Layer.create(*opened.layer))
        self._opened = ShownImage.of(image, viewer)
        self._shown: ImageResult | None = None
        self._saved: Result | None = None
        self.is_on_disk = False

    @property
    def is_open(self) -> bool:
        """Whether the image itself is still in the viewer."""
        return self._opened.image in self._viewer.layers

    @property
    def result(self) -> ImageResult | None:
        """Result in the viewer, if there is one; one of its layers is enough."""
        result = self._results.of(self._opened.image, self._viewer)
        if result is not None:
            return result
        return self._shown if self._present(self._shown) else None

    def show(self, found: Found) -> bool:
        """Show a result, and over it the masks saved earlier as a step to undo.

        Returns
        -------
        shown
            False where the image is gone or changed, or the user has had it segmented
            meanwhile: the result is dropped then.
        """
        if self.result is not None or not self._opened.is_current(self._viewer):
            return False
        self._shown = self._results.show(
            self._opened, found.segmentation, found.seconds, self._viewer
        )
        if found.saved is not None:
            self._shown.put(found.saved.npa, found.saved.retina)
            self.is_on_disk = True
        self._shown.basis = found.basis
        self._saved = self._shown.snapshot()
        return True

    def unsaved(self) -> Result | None:
        """Masks that would be lost with the layers; None if they are as first shown or saved."""
        result = self.result
        if result is None:
            return None
        now, saved = result.snapshot(), self._saved
        if saved is None:
            return now
        same = np.array_equal(now.npa, saved.npa) and np.array_equal(now.retina, saved.retina)
        return None if same else now

    def note_saved(self, result: Result) -> None:
        """Remember that these masks are on disk."""
        self._saved = result
        self.is_on_disk = True

    def note_ungradable(self, basis: str) -> None:
        """Remember that the image is ungradable on disk, without masks.

        Parameters
        ----------
        basis
            Identity of what was saved, see :class:`napari_npa.results.result.Result`.
        """
        result = self.result
        if result is not None:
            result.basis = basis
            self._saved = result.snapshot()
        else:
            self._saved = None
        self.is_on_disk = False

    @property
    def basis(self) -> str:
        """Identity of the saved result that the user has seen; empty: of none."""
        result = self.result or self._shown
        return "" if result is None else result.basis

    def holds_work(self) -> bool:
        """Whether there are saved masks, or corrected ones that are not empty."""
        result = self.result
        if result is None:
            return self.is_on_disk
        snapshot = result.snapshot()
        return bool(snapshot.retina.any()) and (self.is_on_disk or snapshot.edited)

    def remove(self) -> None:
        """Take the layers out of the viewer."""
        results = (self._results.of(self._opened.image, self._viewer), self._shown)
        layers = (*_layers(results[0]), *_layers(results[1]), self._opened.image)
        # After each removal, or batch of them, napari collects garbage for some 0.2 s.
        with self._viewer.layers.batched_update():
            for layer in layers:
                if layer in self._viewer.layers:
                    self._viewer.layers.remove(layer)

    def _present(self, result: ImageResult | None) -> bool:
        return any(layer in self._viewer.layers for layer in _layers(result))


def _layers(result: ImageResult | None) -> tuple[Layer, ...]:
    return (result.npa, result.retina) if result is not None else ()
