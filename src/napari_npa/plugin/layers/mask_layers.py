"""Makes the layers of masks: of one colour, at the place of their image."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_npa.io.names import RETINA_ENDING
from napari_npa.plugin.layers.shown_image import ShownImage
from napari_npa.types import Mask

if TYPE_CHECKING:
    from napari_npa.plugin.layers.result_layers import ImageResult

COUNTED, NOT_COUNTED = 1, 2
"""Labels of non-perfusion inside the gradable retina, and outside, where it does not count."""

NPA_COLOUR = "#ff3b30"
NOT_COUNTED_COLOUR = "#98989d"
RETINA_COLOUR = "#30d158"

SIDE_PER_CONTOUR_PIXEL = 700
"""Side of the image, pixels, per pixel of outline; a thinner outline is broken on screen."""

CONTOUR_PIXELS = (2, 4)
"""Least and most width; on 16 million pixels napari draws 4 in one second, 8 in five."""

SIDE_PER_BRUSH_PIXEL = 100
"""Side of the image per pixel of the brush: a first size that can be seen."""


def npa_layer(shown: ShownImage, mask: Mask) -> Labels:
    """Layer of non-perfusion, with a brush of a size that can be seen."""
    layer = _labels("NPA", mask, NPA_COLOUR, 0.4, shown.image)
    layer.brush_size = max(3, max(mask.shape) // SIDE_PER_BRUSH_PIXEL)
    return layer


def retina_layer(shown: ShownImage, mask: Mask) -> Labels:
    """Layer of the gradable retina; set its outline once it is in the viewer."""
    return _labels("Retina", mask, RETINA_COLOUR, 0.9, shown.image)


class LayerNames:
    """Names the layers of results after their kind, and after their image and frame.

    The name of the only image need not be said. Names that the user gave are kept.
    """

    def __init__(self) -> None:
        self._given: WeakKeyDictionary[Labels, str] = WeakKeyDictionary()

    def give(self, results: Iterable[ImageResult], *, several: bool) -> None:
        """Name the layers of all results; `several` images are open, or one."""
        for result in results:
            place = _place(result.shown, several=several)
            for kind, layer in (("NPA", result.npa), ("Retina", result.retina)):
                name = f"{kind} [{place}]" if place else kind
                if layer.name == self._given.get(layer, layer.name) != name:
                    layer.name = name
                    self._given[layer] = layer.name  # napari makes it unique


def _place(shown: ShownImage, *, several: bool) -> str:
    """Image and frame of a result, as far as they must be said."""
    if shown.frames > 1:
        return f"{shown.image.name}, frame {shown.frame_number}"
    return shown.image.name if several else ""


def mask_settings(name: str) -> dict[str, Any]:
    """Settings for a layer of a mask from a file, by its name: those of the layers of results."""
    is_retina = name.endswith(RETINA_ENDING)
    return {
        "colormap": _one_colour(RETINA_COLOUR if is_retina else NPA_COLOUR),
        "opacity": 0.4,
    }


def outline_pixels(shape: tuple[int, ...]) -> int:
    """Width of the outline of the gradable retina, pixels of the image."""
    return int(np.clip(round(max(shape) / SIDE_PER_CONTOUR_PIXEL), *CONTOUR_PIXELS))


def _labels(kind: str, mask: Mask, colour: str, opacity: float, image: Image) -> Labels:
    """Layer of a mask, in one colour, at the place of its image."""
    return Labels(
        mask.astype(np.uint8),
        name=kind,
        colormap=_one_colour(colour),
        opacity=opacity,
        **placement(image),
    )


def placement(image: Image) -> dict[str, Any]:
    """Place of an image in the world, as settings for a layer of its last two axes."""
    return {
        "scale": image.scale[-2:],
        "translate": image.translate[-2:],
        "rotate": np.asarray(image.rotate)[-2:, -2:],
        "shear": np.asarray(image.shear)[-1:],
        "affine": image.affine.affine_matrix[-3:, -3:],
        "units": image.units[-2:],
        "axis_labels": image.axis_labels[-2:],
    }


def _one_colour(colour: str) -> DirectLabelColormap:
    colours = {None: colour, 0: "transparent", COUNTED: colour, NOT_COUNTED: NOT_COUNTED_COLOUR}
    return DirectLabelColormap(color_dict=colours)
