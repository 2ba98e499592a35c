"""The angiogram that an image layer shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from napari_npa.io.angiogram import Angiogram
from napari_npa.plugin.layers.compared import angiogram_shown
from napari_npa.plugin.layers.frames import Frames
from napari_npa.plugin.layers.open import PATH
from napari_npa.plugin.layers.origins import decoded_file, origin_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image


PIXELS_READ = 100_000
"""About so many pixels show whether there are more than two values."""

DERIVED = "napari_npa_derived"
"""Key in the metadata of image layers that the panels computed from an angiogram."""


_MASKS: WeakKeyDictionary[Image, tuple[Any, bool]] = WeakKeyDictionary()
"""Whether the layers show masks, with the data by which that was found."""


def angiogram_layers(viewer: ViewerModel) -> list[Image]:
    """Image layers that may be angiograms: no masks, and none that the panels computed from one."""
    from napari.layers import Image

    images = [layer for layer in viewer.layers if isinstance(layer, Image)]
    return [image for image in images if DERIVED not in image.metadata and not is_mask(image)]


def is_mask(image: Image) -> bool:
    """Whether an image layer shows two values: it is a mask that another reader opened."""
    pixels = full_resolution(image)
    known = _MASKS.get(image)
    if known is None or known[0] is not pixels:
        # Data that are not in memory are not read for this.
        known = _MASKS[image] = (pixels, isinstance(pixels, np.ndarray) and _has_two_values(pixels))
    return known[1]


def _has_two_values(pixels: NDArray[Any]) -> bool:
    if pixels.dtype == np.bool_:
        return True
    values = pixels.ravel()  # a view, if the data lie in one piece
    few = values[:: 1 + values.size // PIXELS_READ]
    if not few.size:
        return False
    low, high = few.min(), few.max()
    return bool(low < high and ((few == low) | (few == high)).all())


def full_resolution(image: Image) -> Any:  # noqa: ANN401 - numpy, dask, zarr, …
    """Pixels of an image layer; of a pyramid, those of the first level."""
    return image.data[0] if image.multiscale else image.data


def show_as_gray(image: Image) -> None:
    """Show gray with transparency, which napari takes for a pile of narrow images, as gray."""
    if image.multiscale or image.rgb or image.ndim != 3 or image.data.shape[-1] != 2:
        return
    gray, alpha = np.moveaxis(np.asarray(image.data), -1, 0)
    image.data = np.where(alpha == 0, np.zeros((), gray.dtype), gray)


@dataclass(frozen=True, eq=False)
class ShownImage:
    """What an image layer showed at one moment, such as when a job was started.

    Attributes
    ----------
    image
        The layer.
    pixels
        Its array at that moment; a lazy one is not read yet.
    frame
        Index of the frame on screen, in the leading axes of a stack; else empty.
    """

    image: Image
    pixels: Any
    frame: tuple[int, ...]

    @classmethod
    def of(cls, image: Image, viewer: ViewerModel) -> ShownImage:
        """Note what the layer shows now."""
        point = image.world_to_data(viewer.dims.point)[: image.ndim - 2]
        pixels = full_resolution(image)
        frame = tuple(
            int(np.clip(round(at), 0, size - 1))
            for at, size in zip(point, pixels.shape, strict=False)
        )
        return cls(image, pixels, frame)

    def is_current(self, viewer: ViewerModel) -> bool:
        """Whether the layer is still there and has the same data."""
        return self.image in viewer.layers and full_resolution(self.image) is self.pixels

    def angiogram(self) -> Angiogram:
        """Angiogram that is shown; slow, for a worker, unless one of our panels opened the layer.

        Returns
        -------
        angiogram
            The one that the layer was opened from. Of a layer that something else opened, or
            whose data may have been changed: that of its file if the layer shows that, so that
            the result names the file and its hash; otherwise one of the array. See
            :func:`napari_npa.plugin.layers.compared.angiogram_shown`.

        Raises
        ------
        AngiogramError
            What is shown is not an angiogram.
        """
        opened = origin_of(self.pixels)
        if opened is not None:
            return opened
        if isinstance(self.pixels, Frames):
            return self.pixels.angiogram(self.frame[0])
        at = self.frame_number - 1
        path = self.image.metadata.get(PATH, self.image.source.path)
        stored = None
        if path is not None:
            stored = decoded_file(self.image, self.pixels, Path(path), at)
        shown = angiogram_shown(np.asarray(self.pixels[self.frame]), self.image.name, stored)
        if self.frames == 1 or shown is stored:
            return shown
        note = f"frame {at + 1} of {self.frames}"
        return replace(shown, notes=(*shown.notes, note), frame=at)

    @property
    def frame_number(self) -> int:
        """Number of the frame, from 1; 1 for a single image."""
        return int(np.ravel_multi_index(self.frame, self._leading)) + 1 if self.frame else 1

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return int(np.prod(self._leading))

    @property
    def _leading(self) -> tuple[int, ...]:
        """Numbers of frames along the leading axes of a stack."""
        leading: tuple[int, ...] = self.pixels.shape[: len(self.frame)]
        return leading
