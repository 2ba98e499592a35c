"""Boxes that were burned into an angiogram, to hide a name or to hold lettering."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from napari_npa.imaging.picture import GRAY_LEVEL
from napari_npa.imaging.raster import dilated
from napari_npa.types import Gray, Mask

EVEN = 1.0
"""Gray levels between which the 3 x 3 pixels around a pixel of a box lie."""

LEAST_BOX = 0.0004
"""Share of the image: a smaller even area is noise."""

NARROWEST_BOX = 6
"""Pixels of the reduction."""

RECTANGLE = 0.9
"""Share of its bounding box that a box fills (measured: 0.91 and more on the boxes of eight wide
images; no even area of 78 angiograms without boxes fills 0.8)."""

BLUR = 2
"""Pixels of the reduction around a box that are mixed with it."""


def find_boxes(small: Gray) -> Mask:
    """Find rectangles of one gray level, whatever the level.

    Parameters
    ----------
    small : (rows, columns) float32
        Angiogram in [0, 1], reduced to :data:`napari_npa.imaging.picture.WORK_SIDE`.

    Returns
    -------
    boxes : (rows, columns) bool
        With what is mixed with them.
    """
    even = ndi.maximum_filter(small, 3) - ndi.minimum_filter(small, 3) <= EVEN * GRAY_LEVEL
    areas, _ = ndi.label(even)
    boxes = np.zeros(small.shape, np.bool_)
    for number, place in enumerate(ndi.find_objects(areas), 1):
        area = areas[place] == number
        if area.size >= LEAST_BOX * small.size and _is_box(area):
            boxes[place] |= area
    return dilated(boxes, 1 + BLUR) if boxes.any() else boxes


def _is_box(area: Mask) -> bool:
    filled = np.count_nonzero(area) >= RECTANGLE * area.size
    return bool(filled and min(area.shape) >= NARROWEST_BOX)
