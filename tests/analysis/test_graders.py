"""Agreement of two graders, worked out by hand, and which masks are compared."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from graded_folders import SIDE, write_masks
from napari_npa.analysis.graders import compare_graders
from napari_npa.errors import AngiogramError, EvaluationError
from napari_npa.io.names import NPA_ENDING, NPA_FILE, RETINA_ENDING, RETINA_FILE


@pytest.fixture
def folders(tmp_path):
    """Folders of the results and of the second grader's masks."""
    return tmp_path / "results", tmp_path / "second"


def test_two_graders_by_hand(folders):
    results, second = folders
    for stem, share, other in (("a", 0.5, 0.25), ("b", 0.2, 0.2)):
        write_masks(results, stem, share, gradable=1)
        write_masks(second, stem, other)
    write_masks(results, "c", 0.1)
    agreement = compare_graders(results, ["a", "b", "c"], second)
    a, b = agreement.images
    assert (a.image, a.isi_first, a.isi_second, a.difference) == ("a", 50, 25, 25)
    assert a.dice == pytest.approx(2 * 5 / (10 + 5))
    assert (b.dice, b.difference) == (1, 0)
    assert agreement.left_out == 1
    assert agreement.dice.mean == pytest.approx((2 / 3 + 1) / 2)
    assert agreement.bland_altman.bias == 12.5
    # Mean squares by hand: images 306.25, graders and error 156.25 each.
    icc = (306.25 - 156.25) / (306.25 + 156.25)
    assert agreement.intraclass_correlation.value == pytest.approx(icc)


def test_each_index_is_of_the_graders_own_retina_and_dice_of_what_both_call_gradable(folders):
    results, second = folders
    write_masks(results, "a", 0.5, gradable=1)
    npa = np.zeros((SIDE, SIDE), np.uint8)
    npa[:, :5] = 1
    left = np.zeros_like(npa)
    left[:, :10] = 1
    second.mkdir()
    Image.fromarray(255 * npa).save(second / f"a{NPA_ENDING}.png")
    Image.fromarray(255 * left).save(second / f"a{RETINA_ENDING}.png")
    (a,) = compare_graders(results, ["a"], second).images
    assert (a.isi_first, a.isi_second) == (50, 50)
    assert a.dice == pytest.approx(2 * 50 / (100 + 100))  # 10 x 10 and 20 x 5, 10 x 5 in common


def test_masks_are_matched_by_path_first_and_otherwise_by_a_unique_stem(folders):
    results, second = folders
    bases = ["x/a", "y/a", "y/b", "z/c"]
    for base in bases:
        write_masks(results, base, 0.5)
    write_masks(second, "y/a", 0.1)
    write_masks(second, "a", 0.2)  # of which a?
    write_masks(second, "b", 0.3)
    write_masks(second, "1/c", 0.4)
    write_masks(second, "2/c", 0.4)
    agreement = compare_graders(results, bases, second)
    assert {i.image: round(i.isi_second) for i in agreement.images} == {"y/a": 10, "y/b": 30}
    assert agreement.left_out == 2


def test_the_retina_of_a_grader_lies_beside_the_mask(folders):
    results, second = folders
    write_masks(results, "a", 0.5, gradable=1)
    write_masks(second, "1/a", 0.5)
    write_masks(second, "2/b", 0.5, gradable=0.5)
    (second / "2" / f"b{RETINA_FILE}").rename(second / "2" / f"a{RETINA_FILE}")
    (a,) = compare_graders(results, ["a"], second).images
    assert a.difference == 0


def test_masks_of_other_images_are_refused(folders):
    results, second = folders
    write_masks(results, "a", 0.5)
    write_masks(second, "z", 0.5)
    with pytest.raises(EvaluationError) as caught:
        compare_graders(results, ["a"], second)
    assert caught.value.subject == "second"


def test_a_folder_of_masks_that_is_absent_is_refused(folders):
    results, second = folders
    with pytest.raises(AngiogramError) as caught:
        compare_graders(results, ["a"], second)
    assert caught.value.subject == "second"


def test_masks_of_different_sizes_are_refused(folders):
    results, second = folders
    write_masks(results, "a", 0.5, gradable=0.5)
    second.mkdir()
    tifffile.imwrite(second / f"a{NPA_FILE}", np.ones((5, 6), np.uint8))
    with pytest.raises(AngiogramError, match=f"a{NPA_FILE}.* 6 x 5 .* 20 x 20"):
        compare_graders(results, ["a"], second)


def test_retinas_without_a_common_pixel_are_refused(folders):
    results, second = folders
    write_masks(results, "a", 0.5, gradable=0.5)
    write_masks(second, "a", 0.5)
    right = np.zeros((SIDE, SIDE), np.uint8)
    right[:, 10:] = 1
    tifffile.imwrite(second / f"a{RETINA_FILE}", right)
    with pytest.raises(EvaluationError) as caught:
        compare_graders(results, ["a"], second)
    assert caught.value.subject == "a"


def test_progress_counts_the_images_that_both_graded(folders):
    results, second = folders
    for stem in "ab":
        write_masks(results, stem, 0.5)
        write_masks(second, stem, 0.5)
    seen = []
    compare_graders(results, list("abc"), second, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_one_image_has_a_dice_but_no_statistics(folders):
    results, second = folders
    write_masks(results, "a", 0.5)
    write_masks(second, "a", 0.25)
    agreement = compare_graders(results, ["a"], second)
    assert agreement.dice.mean == pytest.approx(2 / 3)
    assert agreement.bland_altman is None
    assert agreement.intraclass_correlation is None
