"""Masks are found and matched by name, and read as boolean pixels of the size asked for."""

import numpy as np
import pytest

from napari_npa.errors import AngiogramError
from napari_npa.io.masks import find_masks, match_masks, read_mask
from napari_npa.io.names import (
    NPA_ENDING,
    NPA_FILE,
    OVERLAY_FILE,
    PROBABILITY_FILE,
    RECORD_FILE,
    RETINA_FILE,
)
from napari_npa.io.writing import write_mask

MASK = np.random.default_rng(0).random((70, 90)) > 0.5


# Finding


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_masks_of_one_kind_are_found_by_the_stem_of_their_image(tmp_path):
    masks = [f"a{NPA_FILE}", f"b{NPA_ENDING}.PNG", f"c{NPA_ENDING}.jpg"]
    others = ["a.tif", f"a{RETINA_FILE}", f"a{RECORD_FILE}", f"c{NPA_ENDING}.bmp", "._e_npa.tif"]
    touch(tmp_path, *masks, *others, f"visit 1/f{NPA_FILE}")
    found = find_masks(tmp_path, NPA_ENDING)
    assert found == {stem: tmp_path / name for stem, name in zip("abc", masks, strict=True)}


def test_a_mask_that_kept_every_value_goes_before_a_jpeg(tmp_path):
    touch(tmp_path, f"a{NPA_FILE}", f"a{NPA_ENDING}.jpg", f"b{NPA_ENDING}.PNG")
    touch(tmp_path, f"b{NPA_ENDING}.jpg")
    found = find_masks(tmp_path, NPA_ENDING)
    assert [found[stem].suffix for stem in "ab"] == [".tif", ".PNG"]


def test_masks_of_subfolders_are_found_by_their_path(tmp_path):
    touch(tmp_path, f"a{NPA_FILE}", f"visit 1/left/a{NPA_FILE}")
    assert find_masks(tmp_path, NPA_ENDING, recursive=True).keys() == {"a", "visit 1/left/a"}


def test_without_an_ending_every_image_is_found_that_is_nothing_else_of_a_result(tmp_path):
    touch(tmp_path, *(f"a{end}" for end in (RETINA_FILE, OVERLAY_FILE, PROBABILITY_FILE, ".tif")))
    assert find_masks(tmp_path) == {"a": tmp_path / "a.tif"}


@pytest.mark.parametrize("recursive", [False, True])
def test_an_absent_folder_is_refused(tmp_path, recursive):
    with pytest.raises(AngiogramError) as caught:
        find_masks(tmp_path / "absent", recursive=recursive)
    assert caught.value.subject == "absent"


# Matching


def test_a_mask_at_the_path_of_the_image_goes_before_one_with_its_stem():
    assert match_masks(["x/a", "y/a"], ["a", "y/a"]) == {"y/a": "y/a"}
    assert match_masks(["a"], ["a", "x/a"]) == {"a": "a"}


def test_a_stem_matches_where_it_is_unique_on_both_sides():
    assert match_masks(["x/a", "x/b"], ["a", "y/b", "z/b", "c"]) == {"x/a": "a"}


@pytest.mark.parametrize("name", ["Müller/a", "Mu\u0308ller/a", "Müller\\a"])
def test_a_path_is_the_same_as_windows_or_macos_writes_it(name):
    assert match_masks([name], ["Müller/a", "b/a"]) == {name: "Müller/a"}


def test_a_mask_is_found_as_windows_or_macos_wrote_it(tmp_path):
    touch(tmp_path, f"Mu\u0308ller{NPA_FILE}")
    assert find_masks(tmp_path, NPA_ENDING).keys() == {"Müller"}


# Reading


def test_our_own_masks_come_back(tmp_path):
    write_mask(tmp_path / "own.tif", MASK)
    np.testing.assert_array_equal(read_mask(tmp_path / "own.tif", MASK.shape), MASK)


def test_a_mask_of_another_size_is_refused_with_both_sizes(tmp_path):
    write_mask(tmp_path / "own.tif", MASK)
    with pytest.raises(AngiogramError, match=r"own\.tif.* 90 x 70 .* 70 x 90"):
        read_mask(tmp_path / "own.tif", (90, 70))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"II*\0", "is damaged, incomplete"),
        (b"II*\0 and then nothing", "is damaged, incomplete"),
        (b"\x89PNG\r\n\x1a\n", "is damaged, incomplete"),
        (b"\xff\xd8\xff", "is damaged, incomplete"),
        (b"text", "is not an image of a known format"),
    ],
    ids=["empty", "TIFF header", "damaged TIFF", "PNG header", "JPEG", "text"],
)
def test_a_file_that_is_not_a_mask_is_refused_as_an_angiogram_would_be(tmp_path, content, reason):
    path = tmp_path / "bad.tif"
    path.write_bytes(content)
    with pytest.raises(AngiogramError) as caught:
        read_mask(path)
    assert caught.value.reason.startswith(reason)


def test_an_absent_mask_is_refused(tmp_path):
    with pytest.raises(AngiogramError, match=r"absent\.tif"):
        read_mask(tmp_path / "absent.tif")
