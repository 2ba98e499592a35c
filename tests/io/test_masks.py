import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from napari_npa.errors import AngiogramError
from napari_npa.io.masks import read_mask
from napari_npa.io.writing import write_mask

MASK = np.random.default_rng(0).random((70, 90)) > 0.5


@pytest.mark.parametrize("inside", [1, 255])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_masks_of_0_and_1_and_of_0_and_255_are_the_same(tmp_path, inside, suffix):
    path = tmp_path / f"mask{suffix}"
    values = MASK.astype(np.uint8) * np.uint8(inside)
    if suffix == ".png":
        iio.imwrite(path, values)
    else:
        tifffile.imwrite(path, values, compression="lzw")
    np.testing.assert_array_equal(read_mask(path), MASK)


def test_our_own_masks_come_back(tmp_path):
    write_mask(tmp_path / "own.tif", MASK)
    np.testing.assert_array_equal(read_mask(tmp_path / "own.tif"), MASK)


@pytest.mark.parametrize("content", [b"", b"II*\0 and then nothing", b"text"])
def test_what_is_no_mask_is_named(tmp_path, content):
    path = tmp_path / "bad.tif"
    path.write_bytes(content)
    with pytest.raises(AngiogramError, match=r"bad\.tif.*cannot be read as a mask"):
        read_mask(path)


def test_a_colour_picture_is_no_mask(tmp_path):
    iio.imwrite(tmp_path / "picture.png", np.zeros((70, 90, 3), np.uint8))
    with pytest.raises(AngiogramError, match="a mask has one channel"):
        read_mask(tmp_path / "picture.png")
