"""The frames of a series in one TIFF file, each with its own pixels, hash and name."""

import hashlib

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from drawing import draw_round_angiogram
from napari_npa.errors import AngiogramError
from napari_npa.io.angiogram import count_frames, read_angiogram
from napari_npa.results.saved import stem_of

FRAMES = np.stack([draw_round_angiogram(96, seed) for seed in range(3)])


@pytest.fixture
def series(tmp_path):
    path = tmp_path / "series.tif"
    tifffile.imwrite(path, FRAMES, photometric="minisblack")
    return path


def test_each_frame_has_its_pixels_and_its_hash(series):
    assert count_frames(series) == 3
    found = [read_angiogram(series, frame=at) for at in range(3)]
    for angiogram, pixels in zip(found, FRAMES, strict=True):
        np.testing.assert_array_equal(angiogram.pixels, pixels / np.float32(255))
    of_file = hashlib.sha256(series.read_bytes()).hexdigest()
    assert [angiogram.sha256 for angiogram in found] == [
        of_file,
        *(hashlib.sha256(f"{of_file} frame {at}".encode()).hexdigest() for at in (2, 3)),
    ]
    assert [angiogram.notes for angiogram in found] == [
        *(("first of 3 pages",), ("frame 2 of 3",), ("frame 3 of 3",)),
    ]


def test_the_names_of_later_frames_have_their_number(series):
    stems = [stem_of(read_angiogram(series, frame=at)) for at in range(3)]
    assert stems == ["series", "series_f002", "series_f003"]


def test_a_preview_is_no_frame(tmp_path):
    path = tmp_path / "previewed.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(FRAMES[0, ::4, ::4], photometric="minisblack")
        for frame in FRAMES[:2]:
            file.write(np.kron(frame, np.ones((4, 4), np.uint8)), photometric="minisblack")
    assert count_frames(path) == 2
    second = read_angiogram(path, frame=1)
    np.testing.assert_array_equal(second.pixels[::4, ::4], FRAMES[1] / np.float32(255))


def test_frames_stored_with_zero_as_white_are_inverted_each(tmp_path):
    path = tmp_path / "inverted.tif"
    tifffile.imwrite(path, 255 - FRAMES, photometric="miniswhite")
    np.testing.assert_array_equal(read_angiogram(path, frame=2).pixels, FRAMES[2] / np.float32(255))


def test_a_frame_that_is_not_there_is_refused(series, tmp_path):
    with pytest.raises(AngiogramError, match=r"'series\.tif' has no frame 4: there are 3"):
        read_angiogram(series, frame=3)
    iio.imwrite(tmp_path / "eye.png", FRAMES[0])
    assert count_frames(tmp_path / "eye.png") == 1
    with pytest.raises(AngiogramError, match=r"'eye\.png' has no frame 2"):
        read_angiogram(tmp_path / "eye.png", frame=1)
