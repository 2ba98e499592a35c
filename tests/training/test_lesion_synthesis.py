from pathlib import Path

import numpy as np
import pytest

from drawing import draw_round_angiogram
from napari_npa.simulation import simulate
from napari_npa.training.examples import Example
from napari_npa.training.lesion_synthesis import diseased_variants, find_ground, synthesise_lesions

SIDE = 256
COUNT = 4


def example(image, source="perfused"):
    blank = np.zeros(image.shape, bool)
    return Example(Path("eye.tif"), "eye", source, image, blank)


@pytest.fixture(scope="module")
def perfused():
    """Perfused 55° frame with vessels and a capillary net."""
    return example(simulate("55", SIDE, 3, condition=np.zeros((SIDE, SIDE), bool)).pixels)


@pytest.fixture(scope="module")
def diseased(perfused):
    return diseased_variants(perfused, COUNT, seed=0)


def test_each_variant_has_areas_and_they_differ(diseased, perfused):
    assert len(diseased) == COUNT
    assert sum(variant.npa.any() for variant in diseased) >= COUNT - 1
    assert len({variant.npa.tobytes() for variant in diseased}) >= COUNT - 1
    for variant in diseased:
        assert variant.source == "painted"
        assert variant.patient == perfused.patient
        assert not (variant.npa & (perfused.stretched == 0)).any()


def test_the_areas_lose_their_fine_detail_and_are_no_brighter(diseased, perfused):
    def detail(image, where):
        steps = np.abs(np.diff(image.astype(float), axis=1))
        return steps[where[:, 1:]].mean()

    for variant in diseased:
        if variant.npa.sum() > 200:
            assert detail(variant.stretched, variant.npa) < detail(perfused.stretched, variant.npa)
            inside = variant.stretched[variant.npa].mean()
            assert inside < 1.15 * perfused.stretched[variant.npa].mean()


def test_far_from_the_areas_the_picture_is_untouched(perfused):
    ground = find_ground(perfused.image)
    for seed in range(3):
        image, npa = synthesise_lesions(perfused.image, ground, np.random.default_rng(seed))
        rows, _ = np.nonzero(npa)
        far = np.ones(npa.shape, bool)
        reach = 100  # pixels: wider than the dilated capillaries beside an area
        far[max(0, rows.min() - reach) : rows.max() + reach] = False
        np.testing.assert_allclose(image[far], perfused.image[far], atol=0.01)


def test_the_same_seed_gives_the_same_variants(diseased, perfused):
    again = diseased_variants(perfused, 2, seed=0)
    for one, other in zip(diseased[:2], again, strict=True):
        np.testing.assert_array_equal(one.stretched, other.stretched)
        np.testing.assert_array_equal(one.npa, other.npa)


def test_only_perfused_frames_have_variants(perfused):
    wide = np.zeros((SIDE, SIDE), np.uint8)
    wide[60:200, 20:240] = draw_round_angiogram(SIDE)[60:200, 20:240]
    others = [example(wide), example(perfused.stretched, "labelled")]
    assert [diseased_variants(other, 2, seed=0) for other in others] == [[], []]


def test_a_picture_without_vessels_has_variants_too():
    flat = example(draw_round_angiogram(SIDE) // 4 + np.uint8(20))
    assert len(diseased_variants(flat, 1, seed=0)) == 1
