"""Shows where the network was unsure: as a layer, and place by place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Image

from napari_npa.plugin.correct.place_marker import PlaceMarker
from napari_npa.plugin.layers.mask_layers import placement
from napari_npa.plugin.layers.shown_image import DERIVED

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_npa.plugin.layers.result_layers import ImageResult
    from napari_npa.segmentation.segmenter import Segmentation
    from napari_npa.segmentation.uncertainty import DoubtfulRegion

NAME = "Uncertainty"

SHARE_OF_VIEW = 0.33
"""Part of the canvas that a doubtful place fills when the view is centred on it."""

LEAST_SIDE = 0.05
"""Least part of the image's side in view: judging a place needs its surroundings."""


class Doubtful:
    """Doubtful places of the result that the user works on.

    Parameters
    ----------
    viewer
        Viewer whose camera goes to them.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self.result: ImageResult | None = None
        self.layer: Image | None = None
        self._found_in: Segmentation | None = None
        self._places: list[DoubtfulRegion] = []
        self._at: int | None = None
        self._left: tuple[tuple[float, ...], float] | None = None
        self._marker = PlaceMarker(viewer)

    def follow(self, result: ImageResult | None) -> None:
        """Turn to another result; show its uncertainty if that of the last one was shown."""
        shown = self._is_shown()
        if result is not self.result:
            self.show(False)
            self._marker.remove()
            self._left = None
            self.result = result
            self.show(shown)

    def show(self, shown: bool) -> None:
        """Add the layer of uncertainty, or remove it."""
        if self.layer is not None and self.layer in self.viewer.layers:
            self.viewer.layers.remove(self.layer)
        self.layer = None
        if not shown or self.result is None:
            return
        from napari_npa.segmentation.uncertainty import uncertainty

        segmentation = self.result.segmentation
        doubt = uncertainty(segmentation.probability, segmentation.threshold)
        doubt *= segmentation.retina
        self.layer = Image(
            doubt,
            name=NAME,
            colormap="magma",
            blending="additive",
            contrast_limits=(0, 1),
            metadata={DERIVED: True},
            **placement(self.result.shown.image),
        )
        active = self.viewer.layers.selection.active
        self.viewer.add_layer(self.layer)
        self.viewer.layers.move(
            self.viewer.layers.index(self.layer), self.viewer.layers.index(self.result.npa)
        )
        self.viewer.layers.selection.active = active

    @property
    def has_left(self) -> bool:
        """Whether the view is at a doubtful place, and can go back."""
        return self._left is not None

    def go(self, step: int) -> str:
        """Centre the view on another place, and frame it; after the last comes the first again.

        Parameters
        ----------
        step
            1: the next; -1: the one before.

        Returns
        -------
        line
            Which place this is, for the user.
        """
        assert self.result is not None
        segmentation = self.result.segmentation
        if segmentation is not self._found_in:
            from napari_npa.segmentation.uncertainty import doubtful_regions

            self._places = doubtful_regions(
                segmentation.probability, segmentation.retina, segmentation.threshold
            )
            self._found_in, self._at = segmentation, None
        if not self._places:
            return "The network was sure everywhere."
        at = (-1 if step > 0 else 0) if self._at is None else self._at
        self._at = (at + step) % len(self._places)
        place = self._places[self._at]
        if self._left is None:
            camera = self.viewer.scene.camera
            self._left = (camera.center, camera.zoom)
        self._centre_on(place)
        self._marker.put(self.result, place.window)
        return (
            f"Doubtful place {self._at + 1} of {len(self._places)}: "
            f"about {100 * place.expected_isi_error:.2f} points of the index."
        )

    def go_back(self) -> None:
        """Show what was in view before the first of the places; without the frame."""
        self._marker.remove()
        if self._left is not None:
            camera = self.viewer.scene.camera
            camera.center, camera.zoom = self._left
            self._left = None

    def _centre_on(self, place: DoubtfulRegion) -> None:
        assert self.result is not None
        layer = self.result.npa
        whole = max(layer.data.shape)
        side = max(LEAST_SIDE * whole, *(span.stop - span.start for span in place.window))
        self.viewer.reset_view()  # to the zoom at which the whole image fits the canvas
        camera = self.viewer.scene.camera
        camera.center = (0.0, *layer.data_to_world(place.centre)[-2:])
        camera.zoom *= max(1.0, SHARE_OF_VIEW * whole / side)

    def _is_shown(self) -> bool:
        return self.layer is not None and self.layer in self.viewer.layers
