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
from napari_npa.plugin.look.look import OPACITY, Look
from napari_npa.plugin.look.outline import draw_outline_fast
from napari_npa.results.colours import NOT_COUNTED_COLOUR, NPA_COLOUR, RETINA_COLOUR
from napari_npa.types import Mask

if TYPE_CHECKING:
    from napari_npa.plugin.layers.result_layers import ImageResult

COUNTED, NOT_COUNTED = 1, 2
"""Labels of non-perfusion inside the gradable retina, and outside, where it does not count."""

SIDE_PER_BRUSH_PIXEL = 100
"""Side of the image per pixel of the brush: a first size that can be seen."""


def npa_layer(shown: ShownImage, mask: Mask) -> Labels:
    """Layer of non-perfusion in the look chosen last, with a brush of a size that can be seen."""
    layer = _labels("NPA", mask, NPA_COLOUR, OPACITY, shown.image)
    Look.last().give(layer)
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
        "opacity": OPACITY,
    }


def _labels(
    kind: str, mask: Mask, colour: tuple[int, int, int], opacity: float, image: Image
) -> Labels:
    """Layer of a mask, in one colour, at the place of its image."""
    layer = Labels(
        mask.astype(np.uint8),
        name=kind,
        colormap=_one_colour(colour),
        opacity=opacity,
        **placement(image),
    )
    draw_outline_fast(layer)
    return layer


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


def _one_colour(levels: tuple[int, int, int]) -> DirectLabelColormap:
    colour, gray = (np.array([*rgb, 255]) / 255 for rgb in (levels, NOT_COUNTED_COLOUR))
    colours = {None: colour, 0: "transparent", COUNTED: colour, NOT_COUNTED: gray}
    return DirectLabelColormap(color_dict=colours)
