import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from drawing import draw_round_angiogram
from napari_npa.imaging.contrast import (
    channels_on_device,
    input_channels,
    logarithmic,
    normalise_contrast,
)


def disc(side=96, seed=0):
    pixels = draw_round_angiogram(side, seed).astype(np.float32) / 255
    return pixels, pixels > 0


@given(gain=st.floats(0.05, 1.0), seed=st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_exposure_does_not_matter(gain, seed):
    pixels, retina = disc(seed=seed)
    dimmed = (np.float32(gain) * pixels).astype(np.float32)
    np.testing.assert_allclose(
        normalise_contrast(dimmed, retina), normalise_contrast(pixels, retina), atol=1e-4
    )


def test_white_is_the_99th_percentile_of_the_retina_not_of_a_bright_lid():
    pixels, retina = disc()
    with_lid = pixels.copy()
    with_lid[:10] = 1.0
    retina = retina.copy()
    retina[:10] = False
    np.testing.assert_array_equal(
        normalise_contrast(with_lid, retina)[10:], normalise_contrast(pixels, retina)[10:]
    )


def test_logarithmic_levels_rise_from_0_to_1_and_spread_the_dark_ones():
    levels = logarithmic(np.arange(256, dtype=np.float32)[None] / 255)[0]
    assert (levels[0], levels[-1]) == (0, pytest.approx(1))
    assert (np.diff(levels) > 0).all()
    assert levels[8] - levels[4] > 10 * (levels[204] - levels[200])


def test_a_quarter_of_white_becomes_its_power():
    pixels = np.full((64, 64), 0.2, np.float32)
    pixels[:4] = 0.05
    stretched = normalise_contrast(pixels, np.ones_like(pixels, bool))
    assert stretched[0, 0] == pytest.approx(0.25**0.6, rel=1e-5)
    assert stretched[-1, -1] == 1


def test_dim_wide_field_image_fills_the_range():
    pixels, retina = disc()
    dim = (0.08 * pixels).astype(np.float32)  # median about 5 of 255
    assert 0.4 < np.median(normalise_contrast(dim, retina)[retina]) < 0.9


def test_empty_retina_falls_back_to_the_image():
    pixels, _ = disc()
    assert normalise_contrast(pixels, np.zeros_like(pixels, bool)).max() == 1


def test_channels_lie_between_0_and_1_and_texture_shows_the_missing_capillaries():
    rng = np.random.default_rng(0)
    stretched = np.full((128, 128), 0.5, np.float32)
    stretched[:, 64:] += rng.normal(0, 0.04, (128, 64)).astype(np.float32)  # capillary net
    channels = input_channels(stretched)
    assert channels.shape == (3, 128, 128)
    assert channels.dtype == np.float32
    assert channels.min() >= 0
    assert channels.max() <= 1
    assert channels[2, :, 80:110].mean() > 5 * channels[2, :, 10:40].mean()


@pytest.mark.parametrize("shape", [(128, 160), (93, 70)])
def test_channels_of_many_images_on_a_device_are_those_of_each(shape):
    images = np.random.default_rng(0).random((3, *shape), np.float32) ** 2
    images[1, : shape[0] // 2] = 0
    together = channels_on_device(torch.from_numpy(images))
    for channels, image in zip(together, images, strict=True):
        np.testing.assert_allclose(channels.numpy(), input_channels(image), atol=2e-4)
