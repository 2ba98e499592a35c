"""An image that is not an angiogram is refused with the reason and a way out."""

import os
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

from angiograms import FULL_SCALE, gradient, noise, refusal
from napari_npa.io.angiogram import angiogram_from_array


def test_an_absent_file_is_said_to_be_absent(tmp_path):
    assert refusal(tmp_path / "eye.tif").reason == "does not exist"


def test_a_folder_is_said_to_be_a_folder(tmp_path):
    (tmp_path / "eyes").mkdir()
    assert refusal(tmp_path / "eyes").reason == "is a folder, not an image"


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such permission on Windows")
def test_a_file_without_permission_is_said_so(tmp_path):
    path = tmp_path / "closed" / "eye.tif"
    path.parent.mkdir()
    tifffile.imwrite(path, gradient())
    path.parent.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read everything
    try:
        assert refusal(path).reason == "cannot be opened: no permission"
    finally:
        os.seteuid(user)
        path.parent.chmod(0o700)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"Patient 012, right eye, export failed\n" * 20, "is not an image of a known format"),
        (bytes(128) + b"DICM" + bytes(500), "is a DICOM file, which is not read yet"),
        (b"II*\0", "is damaged, incomplete"),
        (b"\x89PNG\r\n\x1a\n", "is damaged, incomplete"),
        (b"\xff\xd8\xff", "is damaged, incomplete"),
    ],
    ids=["empty", "text", "dicom", "only a TIFF header", "only a PNG header", "only JPEG"],
)
def test_other_content_under_an_image_name_is_refused(tmp_path, content, reason):
    (tmp_path / "eye.tif").write_bytes(content)
    assert refusal(tmp_path / "eye.tif").reason.startswith(reason)


def test_an_image_of_one_pixel_is_refused(tmp_path):
    Image.fromarray(np.full((1, 1), 7, np.uint8)).save(tmp_path / "dot.png")
    assert refusal(tmp_path / "dot.png").reason.startswith("has only 1 x 1 pixels")


def test_sixty_four_pixels_on_each_side_are_enough():
    assert angiogram_from_array(gradient(64, 64)).pixels.shape == (64, 64)
    assert "64 x 63" in refusal(gradient(63, 64)).reason


@pytest.mark.parametrize(
    ("level", "reason"), [(0, "is entirely black"), (51, "has one value everywhere")]
)
def test_an_image_without_contrast_is_refused(tmp_path, level, reason):
    Image.fromarray(np.full((64, 64), level, np.uint8)).save(tmp_path / "eye.png")
    assert refusal(tmp_path / "eye.png").reason == reason


@pytest.mark.parametrize("name", ["mask.tif", "mask.png"])
def test_a_mask_of_one_bit_is_refused(tmp_path, name):
    Image.fromarray(gradient() > 80).save(tmp_path / name)
    assert refusal(tmp_path / name).reason == "is a mask, not an angiogram"


def test_a_boolean_array_is_refused_as_a_mask():
    assert refusal(gradient() > 80).reason == "is a mask, not an angiogram"


def test_values_that_are_not_numbers_are_counted(tmp_path):
    array = noise((64, 64), "float32")
    array[0, :2] = np.nan
    array[5, 5] = -np.inf
    tifffile.imwrite(tmp_path / "eye.tif", array)
    error = refusal(tmp_path / "eye.tif")
    assert error.reason == "has 3 values that are not numbers or are infinite"
    assert error.remedy == "Replace them, for example by 0."


@pytest.mark.parametrize(
    ("extreme", "reason"),
    [(-0.5, "has values from -0.5 to 0.9"), (70000.0, "has values from 0.1 to 70000")],
)
def test_floats_out_of_range_are_refused_with_their_range(extreme, reason):
    array = np.full((64, 64), 0.1)
    array[0, :2] = 0.9, extreme
    assert refusal(array).reason == reason


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint32", "complex64", "object"])
def test_other_sample_types_are_refused_by_name(dtype):
    assert refusal(gradient().astype(dtype)).reason == f"has samples of type {dtype}"


def test_negative_integers_are_refused():
    assert refusal(gradient().astype(np.int16) - 1).reason == "has negative values"


@pytest.mark.parametrize("shape", [(), (100,), (0, 100), (0, 100, 100)])
def test_an_array_that_is_no_image_is_refused_by_its_shape(shape):
    assert refusal(np.zeros(shape)).reason == f"has the shape {shape}"


def test_a_difference_that_jpeg_leaves_between_channels_is_still_gray():
    array = np.full((64, 64, 3), 100, np.uint8)
    array[..., 2] = 108
    array[0, :2] = [[0], [200]]
    angiogram = angiogram_from_array(array)
    assert angiogram.pixels[5, 5] == pytest.approx((0.3 * 100 + 0.6 * 100 + 0.1 * 108) / 255)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_one_pixel_in_a_thousand_may_be_coloured_but_not_two(dtype):
    array = np.dstack([noise((100, 100), dtype)] * 3)
    array.reshape(-1, 3)[:10] = np.array([1, 0, 0]) * FULL_SCALE[dtype]
    angiogram_from_array(array)
    array.reshape(-1, 3)[10:20] = np.array([0, 0, 1]) * FULL_SCALE[dtype]
    assert "is a colour photograph" in refusal(array).reason


@pytest.mark.parametrize("name", ["eye.tif", "eye.png", "eye.jpg"])
def test_a_colour_photograph_is_refused(tmp_path, name):
    photograph = np.dstack([gradient(), gradient() // 2, gradient() // 4])
    Image.fromarray(photograph).save(tmp_path / name)
    assert "is a colour photograph" in refusal(tmp_path / name).reason


@pytest.mark.parametrize("name", ["eye.tif", "eye.jpg"])
def test_printing_colours_are_refused(tmp_path, name):
    Image.fromarray(np.dstack([gradient()] * 3)).convert("CMYK").save(tmp_path / name)
    assert "not" in refusal(tmp_path / name).reason
