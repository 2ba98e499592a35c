import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_npa.imaging.letterbox import Letterbox

sides = st.integers(20, 300)


@given(rows=sides, columns=sides, canvas=st.sampled_from([64, 96, 128]))
@settings(max_examples=40, deadline=None)
def test_a_mask_comes_back_to_its_place(rows, columns, canvas):
    mask = np.zeros((rows, columns), np.float32)
    mask[rows // 4 : rows // 2, columns // 4 : columns // 2] = 1
    box = Letterbox(mask.shape, canvas)
    on_canvas = box.apply(mask)
    back = box.invert(torch.from_numpy(on_canvas)).numpy()
    assert on_canvas.shape == (canvas, canvas)
    assert back.shape == mask.shape
    pixel = max(mask.shape) / canvas  # an image pixel can move by about a canvas pixel
    centroid = np.argwhere(mask > 0.5).mean(axis=0)
    back_mask = back > 0.5
    if back_mask.any():
        assert np.abs(np.argwhere(back_mask).mean(axis=0) - centroid).max() <= max(1.0, pixel)


def test_an_image_of_the_canvas_size_is_not_touched():
    image = np.random.default_rng(0).random((64, 64), np.float32)
    box = Letterbox((64, 64), 64)
    np.testing.assert_array_equal(box.apply(image), image)
    np.testing.assert_array_equal(box.invert(torch.from_numpy(image)).numpy(), image)


def test_a_tall_image_is_centred_on_black():
    image = np.ones((200, 100), np.float32)
    on_canvas = Letterbox(image.shape, 64).apply(image)
    np.testing.assert_allclose(on_canvas[:, 16:48], 1, atol=1e-5)
    assert on_canvas[:, :16].max() == on_canvas[:, 48:].max() == 0


def test_one_pixel_wide_image_survives():
    box = Letterbox((500, 1), 64)
    assert box.invert(torch.from_numpy(box.apply(np.ones((500, 1), np.float32)))).shape == (500, 1)


def test_only_the_window_is_put_on_the_canvas_and_comes_back_to_its_place():
    image = np.zeros((100, 120), np.float32)
    window = (slice(20, 84), slice(50, 114))
    image[window] = np.random.default_rng(0).random((64, 64))
    box = Letterbox(image.shape, 64, window)
    np.testing.assert_array_equal(box.apply(image), image[window])
    np.testing.assert_array_equal(box.invert(torch.from_numpy(box.apply(image))), image)
