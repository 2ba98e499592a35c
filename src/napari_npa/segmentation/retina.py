"""The retina that can be judged: where the instrument looked, and where vessels can be seen.

Everything is found on reductions of a fixed size, so that the result does not depend on the
resolution of the export. Lengths are fractions of the field's diameter.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage as ndi
from skimage.morphology import reconstruction

from napari_npa.errors import RetinaError
from napari_npa.imaging.boxes import find_boxes
from napari_npa.imaging.contrast import input_channels, logarithmic
from napari_npa.imaging.field import disk, imaged, rectangular, round_frame, scale_window
from napari_npa.imaging.field_of_view import CAMERA_55, ULTRA_WIDEFIELD, FieldOfView
from napari_npa.imaging.letterbox import Letterbox
from napari_npa.imaging.picture import WORK_SIDE, find_picture, within
from napari_npa.imaging.raster import (
    dilated,
    enlarged,
    eroded,
    filled,
    largest_part,
    opened,
    reduced,
)
from napari_npa.models.inference import Inference, Steps
from napari_npa.models.names import RETINA
from napari_npa.models.weights import Model, load_model
from napari_npa.types import FieldChoice, Gray, Mask, Window

# "Measured" means on the development images: 42 of 55°, two ultra-widefield ones.


EDGE_MARGIN = 0.005
"""Width of the field's blurred edge, diameters (measured: 1 to 2 pixels of 525)."""

LEAST_SEEN = 0.02
"""If less than this share of the field is seen as retina, the image shows none."""

SPUR = 0.04
"""Diameters: outgrowths of the outline less than twice as wide, such as one between a lid and the
shadow of the other, are left out (on 56 simulated eyes that is as good as keeping them)."""

LID_SIDE = 192
"""Longest side of the reduction on which brightness is followed from the border inwards, pixels."""

LID_BRIGHTNESS = 1.5
"""A lid is this many times brighter than the darkest pixel of the brightest path from the border to
the retina (measured: lids 1.6 to 5)."""

LID_SEEN = 0.5
"""A bright band is a lid only if the network sees less than this share of it as retina."""

LID_MARGIN = 0.012
"""Width of the lashes and the blur beside a lid, diameters."""


class Retina(NamedTuple):
    """What an angiogram shows of the retina.

    Attributes
    ----------
    view
        Kind of field of view.
    gradable : (rows, columns) bool
        Retina that can be judged.
    window
        Part of the image that is put on the canvas.
    page : (rows, columns) bool
        What is no angiogram: a page on which a round field lies directly. None: nothing.
    notes
        What was left out of the image, and how the field of view was told.
    """

    view: FieldOfView
    gradable: Mask
    window: Window
    page: Mask | None = None
    notes: tuple[str, ...] = ()

    def cleaned(self, pixels: Gray) -> Gray:
        """The angiogram with black in place of the page, (rows, columns) float32."""
        return pixels if self.page is None else np.where(self.page, np.float32(0), pixels)


def find_retina(
    pixels: Gray,
    *,
    name: str = "image",
    model: Model | None = None,
    field_of_view: FieldChoice = "auto",
) -> Retina:
    """Find the kind of field of view, and the retina on which perfusion can be judged.

    In a 55° image that is the whole round frame without its blurred edge, dark sectors included.
    In an ultra-widefield image a network finds it, without eyelids and sclera. The network has
    learned from simulated eyes, of which it is known how far vessels stand out from the noise.

    Parameters
    ----------
    pixels : (rows, columns) float32
        Angiogram in [0, 1].
    name
        What to call the image in an error.
    model
        Network that finds gradable retina; None: the embedded one.
    field_of_view
        ``55``, ``uwfa``, or ``auto``: told by the outline, see
        :func:`napari_npa.imaging.field.field_of_view`.

    Returns
    -------
    Retina
        `gradable` lies within the field of the instrument; in one piece if ultra-widefield.
        Nothing around the angiogram counts: see :mod:`napari_npa.imaging.picture`.

    Raises
    ------
    RetinaError
        If the image is black, shows two eyes, or is ultra-widefield and shows no vessels.
    """
    window, page = place = find_picture(pixels, name=name)
    picture = place.cut(pixels)
    small = reduced(picture, WORK_SIDE)
    found = _without_boxes(_in_picture(picture, small, name, model, field_of_view), small)
    if page is None and picture.shape == pixels.shape:
        return found
    rows, columns = picture.shape
    note = f"only the picture of {columns} x {rows} pixels in it was judged, not what is around it"
    return Retina(
        found.view,
        _placed(found.gradable, window, pixels.shape, outside=False),
        within(window, found.window),
        None if page is None else _placed(page, window, pixels.shape, outside=True),
        (note, *found.notes),
    )


def _without_boxes(found: Retina, small: Gray) -> Retina:
    """Take boxes that were burned in out of what is gradable."""
    boxes = find_boxes(small)
    if not boxes.any():
        return found
    boxes = enlarged(boxes, found.gradable.shape)
    if not (boxes & found.gradable).any():
        return found
    note = "a box of one gray level in the field is not gradable"
    return found._replace(gradable=found.gradable & ~boxes, notes=(*found.notes, note))


def _placed(mask: Mask, window: Window, shape: tuple[int, ...], *, outside: bool) -> Mask:
    placed = np.full(shape, outside)
    placed[window] = mask
    return placed


def _in_picture(
    pixels: Gray, small: Gray, name: str, model: Model | None, field_of_view: FieldChoice
) -> Retina:
    """Find the retina in an angiogram around which is nothing but black."""
    field = imaged(small, name)
    circle = round_frame(field)
    if circle is not None and field_of_view != "uwfa":
        inner = circle._replace(radius=circle.radius * (1 - 2 * EDGE_MARGIN))
        frame = scale_window(disk(circle, field.shape, field.shape), CAMERA_55, pixels.shape)
        return Retina(CAMERA_55, disk(inner, field.shape, pixels.shape), frame)
    diameter = 2 * float(np.sqrt(np.count_nonzero(field) / np.pi))
    inside = eroded(field, EDGE_MARGIN * diameter)
    if field_of_view == "55" or (field_of_view == "auto" and rectangular(field)):
        window = scale_window(field, CAMERA_55, pixels.shape)
        return Retina(CAMERA_55, enlarged(inside, pixels.shape), window)
    seen = _sight(pixels, field, model) & inside
    gradable = seen & ~_lids(small, inside, seen, diameter)
    whole = opened(filled(gradable), SPUR * diameter)
    if np.count_nonzero(whole) < LEAST_SEEN * np.count_nonzero(field):
        raise RetinaError(
            name,
            "shows no retinal vessels, so that no part of it can be judged",
            "Choose a later or sharper frame, or draw the gradable retina by hand.",
        )
    window = scale_window(field, ULTRA_WIDEFIELD, pixels.shape)
    return Retina(ULTRA_WIDEFIELD, enlarged(largest_part(whole), pixels.shape), window)


def retina_weights() -> str:
    """Return the SHA-256 of the weights that find the retina of ultra-widefield images."""
    return _embedded().model.sha256


def gradable_retina(pixels: Gray, *, name: str = "image") -> Mask:
    """Find the retina on which perfusion can be judged; see :func:`find_retina`."""
    return find_retina(pixels, name=name).gradable


def _sight(pixels: Gray, field: Mask, model: Model | None) -> Mask:
    """Find what the network sees as gradable, on the grid of the reduced field."""
    network = _embedded() if model is None else Inference(model, torch.device("cpu"))
    side = network.model.canvas_for(ULTRA_WIDEFIELD)
    whole, small = (
        Letterbox(shape, side, scale_window(field, ULTRA_WIDEFIELD, shape))
        for shape in (pixels.shape, field.shape)
    )
    channels = torch.from_numpy(input_channels(logarithmic(whole.apply(pixels))))[None]
    found, _, _ = network.probability(channels, Steps(None, network.steps), target="retina")
    return np.asarray(small.invert(found).numpy() > network.model.threshold)


@cache
def _embedded() -> Inference:
    """Load the network that comes with the package; it is small enough for the processor."""
    return Inference(load_model(RETINA), torch.device("cpu"))


def _lids(small: Gray, inner: Mask, near: Mask, diameter: float) -> Mask:
    """Find bright bands that reach in from the border: eyelid and sclera.

    From the border, the bright posterior pole is reached only across darker ground. Morphological
    reconstruction gives each pixel the least brightness along the brightest path from the border
    to it: on a lid that is the pixel's own, on the retina that of the darker ground.
    """
    coarse = reduced(small, LID_SIDE)
    inside = reduced(inner.astype(np.float32), LID_SIDE) > 0.5
    ground = np.where(inside, ndi.percentile_filter(coarse, 30, size=5), 0)
    border = inside & ~eroded(inside, 3)
    ways = reconstruction(np.where(border, ground, 0), ground)
    retina = inside & (reduced(near.astype(np.float32), LID_SIDE) > 0.5)
    if not retina.any():
        return np.zeros(inner.shape, np.bool_)
    bands, count = ndi.label(ways > LID_BRIGHTNESS * np.median(ways[retina]))
    # If the pole is overexposed, a bright path may lead from the border to it after all.
    is_lid = ndi.mean(retina, bands, np.arange(count + 1)) < LID_SEEN
    is_lid[0] = False  # label of what is in no band
    return dilated(enlarged(is_lid[bands], inner.shape), LID_MARGIN * diameter)
