"""The colours of masks, for all eyes."""

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_npa.results.colours import NPA_COLOUR, RETINA_COLOUR
from napari_npa.results.overlay import NPA_COLOURS, overlay

# Linear RGB as eyes without one kind of cone see it: Machado, Oliveira and Fernandes,
# IEEE Transactions on Visualization and Computer Graphics 15 (2009), severity 1.
EYES = {
    "most": np.eye(3),
    "no red cones": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "no green cones": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "no blue cones": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}

GRAYS = range(10, 190, 10)
"""Levels of an angiogram below the areas; brighter are vessels and leaks only."""


def seen(levels, eyes):
    """Levels 0..255 as these eyes see them, CIELAB."""
    share = np.asarray(levels) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.asarray(EYES[eyes]).T, 0, 1)
    share = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return rgb2lab(share)


def difference(one, other, eyes):
    """CIEDE2000; below about 2 nobody sees it, from 10 at a glance."""
    return float(deltaE_ciede2000(seen(one, eyes), seen(other, eyes)))


@pytest.mark.parametrize("eyes", EYES)
def test_filled_areas_differ_from_every_gray_below_them(eyes):
    assert min(difference(NPA_COLOURS[gray], [gray] * 3, eyes) for gray in GRAYS) > 15


@pytest.mark.parametrize("eyes", EYES)
def test_non_perfusion_and_retina_have_different_colours(eyes):
    assert difference(NPA_COLOUR, RETINA_COLOUR, eyes) > 40
    assert min(difference(NPA_COLOURS[gray], RETINA_COLOUR, eyes) for gray in GRAYS) > 40


def test_an_overlay_has_these_colours():
    pixels = np.full((40, 40), 0.5, np.float32)
    retina = np.zeros((40, 40), bool)
    retina[5:35, 5:35] = True
    npa = np.zeros((40, 40), bool)
    npa[15:20, 15:20] = True
    picture = overlay(pixels, npa, retina)
    assert tuple(picture[5, 20]) == RETINA_COLOUR
    assert tuple(picture[16, 16]) in map(tuple, NPA_COLOURS)
