"""The same eye has the same gray levels in every container."""

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from angiograms import refusal
from napari_npa.io.angiogram import angiogram_from_array, read_angiogram


def eye(brightest=255, side=70):
    """8-bit samples from 0 to `brightest`."""
    rng = np.random.default_rng(0)
    samples = rng.integers(0, brightest, (side, side), endpoint=True).astype(np.uint8)
    samples[0, :2] = 0, brightest
    return samples


def in_bits(samples, bits):
    """8-bit samples as a camera of so many bits writes them into 16."""
    return np.round(samples.astype(np.float64) * ((2**bits - 1) / 255)).astype(np.uint16)


@pytest.mark.parametrize("brightest", [255, 200, 140, 127, 90, 40])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("container", ["uint16", "float32"])
def test_an_eye_has_the_same_levels_at_any_number_of_bits(brightest, bits, container):
    samples = eye(brightest)
    expected = angiogram_from_array(samples).pixels
    stored = in_bits(samples, bits).astype(container)
    np.testing.assert_allclose(angiogram_from_array(stored).pixels, expected, atol=0.008)


@pytest.mark.parametrize("brightest", [255, 200, 140, 127, 90, 40])
def test_an_eye_has_the_same_levels_as_floats_up_to_one(brightest):
    samples = eye(brightest)
    expected = angiogram_from_array(samples).pixels
    np.testing.assert_allclose(angiogram_from_array(samples / 255).pixels, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "highest", "white", "note"),
    [
        ("uint8", 255, 255, ()),
        ("uint8", 51, 63.75, ("dim, brightened 4 times",)),
        ("uint8", 5, 255 / 8, ("dim, brightened 8 times",)),
        ("uint16", 16384, 65535 / 2, ("dim, brightened 2 times",)),
        ("uint16", 4095, 4095, ("12-bit values in 16 bits",)),
        ("uint16", 1000, 1023, ("10-bit values in 16 bits",)),
        ("int16", 32766, 32767, ()),
        ("float32", 1.0, 1, ()),
        ("float32", 0.25, 0.25, ("dim, brightened 4 times",)),
        ("float64", 2.0, 2, ("values up to 2, divided by 2",)),
        ("float64", 200.0, 255, ("values up to 200, divided by 255",)),
        ("float64", 4000.0, 4095, ("values up to 4000, divided by 4095",)),
    ],
)
def test_white_is_told_by_the_type_and_the_values(dtype, highest, white, note):
    array = np.zeros((64, 64), dtype)
    array[0, :2] = highest, min(highest, 200) / 2
    angiogram = angiogram_from_array(array)
    expected = np.minimum(array[0, :2].astype(np.float64) / white, 1)
    np.testing.assert_allclose(angiogram.pixels[0, :2], expected, rtol=1e-6)
    assert angiogram.pixels.dtype == np.float32
    assert angiogram.notes == note


@pytest.mark.parametrize(
    ("highest", "white"), [(1.0000000000000004, 1), (1.02, 1), (255.5, 255), (4100, 4095)]
)
def test_resampling_may_pass_white_and_black_a_little(highest, white):
    array = np.zeros((64, 64))
    array[0, :3] = highest, white / 2, -white / 100
    pixels = angiogram_from_array(array).pixels
    assert pixels[0, :3].tolist() == [1, 0.5, 0]


@pytest.mark.parametrize("lowest", [-0.5, -1.0])
def test_values_below_black_are_refused(lowest):
    array = np.linspace(0, 1, 64 * 64).reshape(64, 64)
    array[0, 0] = lowest
    assert "values from" in refusal(array).reason


def test_lettering_of_16_bits_over_an_image_of_12_is_not_taken_for_white():
    samples = in_bits(eye(), 12)
    expected = angiogram_from_array(samples).pixels
    lettered = samples.copy()
    lettered[5:10, 5:30] = 65535
    pixels = angiogram_from_array(lettered).pixels
    assert (pixels[5:10, 5:30] == 1).all()
    pixels[5:10, 5:30] = expected[5:10, 5:30]
    assert np.array_equal(pixels, expected)


@given(bits=st.sampled_from([8, 10, 12, 14, 16]), dim=st.floats(0.2, 1))
def test_inverted_files_are_as_bright_as_plain_ones(tmp_path_factory, bits, dim):
    folder = tmp_path_factory.mktemp("inverted")
    samples = np.round(in_bits(eye(), bits) * dim).astype(np.uint16)
    tifffile.imwrite(folder / "plain.tif", samples, photometric="minisblack")
    tifffile.imwrite(
        folder / "inverted.tif", (2**bits - 1 - samples).astype("uint16"), photometric="miniswhite"
    )
    plain, inverted = (read_angiogram(folder / f"{name}.tif") for name in ("plain", "inverted"))
    np.testing.assert_allclose(plain.pixels, inverted.pixels, atol=0.01)
