"""Of a preview and its image the image is read, and a reader is told which page that was."""

import numpy as np
import pytest

from angiograms import noise, refusal
from clinic import pages
from clinic.pages import EYE, FULL_LATER, PREVIEW, THUMBNAIL
from napari_npa.io.angiogram import angiogram_from_array, read_angiogram
from napari_npa.io.decoding import pixel_count


@pytest.mark.parametrize("kind", FULL_LATER)
def test_the_full_image_is_read_and_not_its_preview(tmp_path, kind):
    write, told = FULL_LATER[kind]
    path = write(tmp_path / "eye.tif")
    angiogram = read_angiogram(path)
    assert np.array_equal(angiogram.pixels, angiogram_from_array(EYE).pixels)
    assert angiogram.notes == (told,)
    assert pixel_count(path) == EYE.size


def test_smaller_versions_after_the_image_change_nothing(tmp_path):
    assert read_angiogram(pages.pyramid(tmp_path / "eye.tif")).notes == ()
    path = pages.written(tmp_path / "pages.tif", EYE, PREVIEW, THUMBNAIL)
    angiogram = read_angiogram(path)
    assert angiogram.pixels.shape == EYE.shape
    assert angiogram.notes == ("first of 3 pages",)


def test_frames_of_one_size_are_a_series_of_which_the_first_is_read(tmp_path):
    cropped = np.ascontiguousarray(EYE[:, 2:])
    path = pages.written(tmp_path / "eye.tif", cropped, EYE, EYE[::-1])
    assert read_angiogram(path).pixels.shape == cropped.shape
    assert read_angiogram(path).notes == ("first of 3 pages",)


def test_a_smaller_first_page_of_another_picture_is_refused(tmp_path):
    path = pages.written(tmp_path / "eye.tif", noise((160, 160), "uint8"), EYE)
    error = refusal(path)
    assert error.reason == "holds different pictures, of 160 x 160 and 320 x 320 pixels"
    assert error.remedy == "Export the page with the angiogram alone."


def test_what_masks_an_image_is_not_the_image(tmp_path):
    path = pages.written(
        tmp_path / "eye.tif", EYE, (np.ones((640, 640), np.bool_), {"subfiletype": 4})
    )
    assert read_angiogram(path).pixels.shape == EYE.shape


def test_a_file_that_was_cut_off_before_its_full_image_is_refused(tmp_path):
    path = pages.written(tmp_path / "eye.tif", PREVIEW, EYE)
    path.write_bytes(path.read_bytes()[: PREVIEW.size + 1000])
    assert refusal(path).reason.startswith(("is damaged", "is incomplete"))
