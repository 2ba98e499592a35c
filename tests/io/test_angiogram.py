"""Angiograms become gray levels worked out by hand, with the identity of their source."""

import hashlib
import tracemalloc

import numpy as np
import pytest
import tifffile
from PIL import Image

from angiograms import FULL_SCALE, gradient, noise, refusal
from napari_npa.io import gray_levels as gray_levels_module
from napari_npa.io.angiogram import angiogram_from_array, as_angiogram, read_angiogram


def test_transparent_pixels_are_black():
    array = np.dstack([gradient(), np.full_like(gradient(), 255)])
    array[10, 20] = 200, 0
    array[10, 21] = 51, 1
    pixels = angiogram_from_array(array).pixels
    assert pixels[10, 20] == 0
    assert pixels[10, 21] == np.float32(0.2)


@pytest.mark.parametrize(
    ("shape", "notes"),
    [
        ((1, 70, 90), ()),
        ((70, 90, 1), ()),
        ((1, 70, 90, 1), ()),
        ((5, 70, 90), ("first of 5 frames",)),
        ((2, 5, 70, 90), ("first of 10 frames",)),
    ],
)
def test_the_first_frame_of_an_array_is_taken(shape, notes):
    array = noise(shape, "uint8")
    angiogram = angiogram_from_array(array)
    assert np.array_equal(angiogram.pixels, array.reshape(-1, 70, 90)[0] / np.float32(255))
    assert angiogram.notes == notes


@pytest.mark.slow
def test_an_image_of_12000_by_12000_is_read_in_bounded_memory(tmp_path):
    path = tmp_path / "montage.tif"
    side = 12_000
    image = np.zeros((side, side), np.uint8)
    image[::100, ::100] = 255
    tifffile.imwrite(path, image, photometric="minisblack", compression="zlib")
    del image
    tracemalloc.start()
    pixels = read_angiogram(path).pixels
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert pixels[100, 100] == 1
    bytes_of_samples_and_pixels = side * side * (1 + 4)
    assert peak < 1.1 * bytes_of_samples_and_pixels


def test_images_larger_than_one_block_are_read_whole(monkeypatch):
    monkeypatch.setattr(gray_levels_module, "SAMPLES_AT_ONCE", 1000)
    for dtype in FULL_SCALE:
        array = np.dstack([noise((101, 97), dtype)] * 3)
        expected = array[..., 0] / np.float64(FULL_SCALE[dtype])
        np.testing.assert_allclose(angiogram_from_array(array).pixels, expected, rtol=2e-7)


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path):
    path = tmp_path / "eye.tif"
    tifffile.imwrite(path, gradient())
    angiogram = read_angiogram(str(path))
    assert angiogram.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (angiogram.name, angiogram.path) == ("eye.tif", path)


def test_the_hash_of_an_array_depends_on_content_type_and_shape_only():
    def sha256(array):
        return angiogram_from_array(array).sha256

    array = gradient(80, 80)
    assert sha256(array) == sha256(np.asfortranarray(array))
    other = array.copy()
    other[40, 40] += 1
    kinds = [array, other, array.astype(np.uint16), array[None], array.T[::-1]]
    assert len({sha256(kind) for kind in kinds}) == len(kinds)


def test_an_angiogram_does_not_follow_its_array():
    array = noise((64, 64), "float32")
    angiogram = angiogram_from_array(array)
    before = angiogram.pixels.copy()
    array[:] = 0
    assert np.array_equal(angiogram.pixels, before)


def test_any_form_of_an_image_is_accepted(tmp_path):
    path = tmp_path / "eye.png"
    Image.fromarray(gradient()).save(path)
    angiogram = as_angiogram(path)
    assert as_angiogram(angiogram) is angiogram
    assert np.array_equal(as_angiogram(str(path)).pixels, angiogram.pixels)
    assert np.array_equal(as_angiogram(gradient()).pixels, angiogram.pixels)
    assert as_angiogram(gradient()).name == "array"


def test_an_angiogram_prints_without_its_pixels():
    assert "pixels" not in repr(angiogram_from_array(gradient()))


def test_every_real_image_is_read(data):
    paths = [path for path in data.rglob("*") if path.suffix in {".jpg", ".png"}]
    paths = [path for path in paths if not path.stem.endswith("_npa")]
    assert len(paths) > 50
    for path in paths:
        angiogram = read_angiogram(path)
        with Image.open(path) as image:
            assert angiogram.pixels.shape == (image.height, image.width)
        assert angiogram.notes == ()


def test_a_mask_is_not_taken_for_an_angiogram(data, tmp_path):
    for path in data.rglob("*_npa.png"):
        assert refusal(path).reason == "is a mask, not an angiogram"
    for values in ((0, 1), (0, 255), (3, 7)):
        mask = np.full((70, 90), values[0], np.uint8)
        mask[20:40, 30:50] = values[1]
        Image.fromarray(mask).save(tmp_path / "mask.png")
        assert refusal(tmp_path / "mask.png").reason == "is a mask, not an angiogram"


def test_the_wide_field_png_files_are_tiff_inside(data):
    for path in (data / "uwfa").glob("uwfa_*.png"):
        assert np.array_equal(read_angiogram(path).pixels, tifffile.imread(path) / np.float32(255))
