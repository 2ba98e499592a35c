"""Which part of an image is put on the canvas."""

import numpy as np

from napari_npa.imaging.field import scale_window
from napari_npa.imaging.field_of_view import CAMERA_55, ULTRA_WIDEFIELD

SHAPE = (1000, 1000)


def field(side):
    """Square field in the middle of an image."""
    mask = np.zeros(SHAPE, np.bool_)
    first = (SHAPE[0] - side) // 2
    mask[first : first + side, first : first + side] = True
    return mask


def test_a_camera_frame_is_cut_out_unless_it_is_as_wide_as_the_image():
    cut = slice(100, 900)
    assert scale_window(field(800), CAMERA_55, SHAPE) == (cut, cut)
    whole = slice(0, 1000)
    assert scale_window(field(980), CAMERA_55, SHAPE) == (whole, whole)


def test_an_ultra_widefield_export_keeps_its_usual_margins_only():
    whole = slice(0, 1000)
    assert scale_window(field(720), ULTRA_WIDEFIELD, SHAPE) == (whole, whole)
    # The field is 0.9 of the window: 540 of 600 pixels.
    cut = slice(200, 800)
    assert scale_window(field(540), ULTRA_WIDEFIELD, SHAPE) == (cut, cut)


def test_the_window_of_a_reduction_is_in_pixels_of_the_image():
    cut = slice(400, 3600)
    assert scale_window(field(800), CAMERA_55, (4000, 4000)) == (cut, cut)
