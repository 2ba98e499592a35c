"""Assistants that know nothing but the pixels of a region."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_otsu

from napari_npa.imaging.field_of_view import CAMERA_55
from napari_npa.imaging.letterbox import Letterbox
from napari_npa.refine import classical
from napari_npa.refine.close_up import CloseUp
from napari_npa.refine.region import Region, ellipse_corners, polygon_region, whole_region

SIDE = 200
DOWN, RIGHT = np.ogrid[:SIDE, :SIDE]
FROM_CENTRE = np.hypot(DOWN - 100, RIGHT - 100)
AROUND = polygon_region(ellipse_corners([(55, 55), (55, 145), (145, 145), (145, 55)]), (SIDE, SIDE))

METHODS = {
    "threshold": classical.threshold,
    "local threshold": classical.local_threshold,
    "contour": classical.contour,
    "clusters": classical.clusters,
    "walker": classical.walker,
}

every_assistant = pytest.mark.parametrize("name", sorted(METHODS))


def seen_as(image: np.ndarray, canvas: int = SIDE, gradable: bool = True) -> CloseUp:
    """Close-up of gray levels in [0, 1], without stretching."""
    box = Letterbox(image.shape, canvas)
    stretched = box.apply(image.astype(np.float32))
    return CloseUp(stretched, np.full(stretched.shape, gradable), box, CAMERA_55)


def disc(inside: float = 0.2, outside: float = 0.5, seed: int = 0) -> np.ndarray:
    """Textured gray with a disc of another gray in the middle."""
    texture = gaussian_filter(np.random.default_rng(seed).normal(0, 1, (SIDE, SIDE)), 1)
    return np.clip(np.where(FROM_CENTRE <= 30, inside, outside) + 0.03 * texture, 0, 1)


def dice(found: np.ndarray, wanted: np.ndarray) -> float:
    return 2 * (found & wanted).sum() / (found.sum() + wanted.sum())


@every_assistant
@pytest.mark.parametrize("canvas", [100, SIDE, 333])
def test_a_dark_disc_is_found_inside_the_region(name, canvas):
    found = METHODS[name](seen_as(disc(), canvas), AROUND).found()
    assert dice(found, (FROM_CENTRE <= 30)[AROUND.window]) > 0.9


@every_assistant
def test_the_bright_side_is_found_when_asked_for(name):
    found = METHODS[name](seen_as(disc(0.6, 0.3)), AROUND, bright=True).found()
    assert dice(found, (FROM_CENTRE <= 30)[AROUND.window]) > 0.9


@every_assistant
def test_black_around_the_retina_is_not_its_dark_side(name):
    image = disc()
    image[:, 120:] = 0
    seen = seen_as(image)
    seen.gradable[:, 120:] = False
    found = METHODS[name](seen, AROUND).found()
    left = (slice(None), slice(0, 60))  # of the region's window: columns up to 115
    assert dice(found[left], (FROM_CENTRE <= 30)[AROUND.window][left]) > 0.85


def test_the_threshold_is_otsu_s():
    image = disc()
    region = whole_region((SIDE, SIDE))
    gray = gaussian_filter(image.astype(np.float32), 1.5)
    found = METHODS["threshold"](seen_as(image), region).found()
    np.testing.assert_array_equal(found, gray <= threshold_otsu(gray))


def test_the_local_threshold_is_not_misled_by_vignetting():
    image = disc(0.25, 0.35) * (1.6 - 0.011 * np.abs(RIGHT - 55)).clip(0.4)
    wanted = (FROM_CENTRE <= 30)[AROUND.window]
    by = {
        name: dice(METHODS[name](seen_as(image), AROUND).found(), wanted)
        for name in ("threshold", "local threshold")
    }
    assert by["local threshold"] > by["threshold"] + 0.05


@every_assistant
def test_one_gray_has_no_dark_side(name):
    proposal = METHODS[name](seen_as(np.full((SIDE, SIDE), 0.4)), AROUND)
    assert not proposal.found(1).any()


@every_assistant
@pytest.mark.parametrize("canvas", [64, 333])
def test_a_region_of_one_pixel_is_no_error(name, canvas):
    region = Region((slice(199, 200), slice(0, 1)), np.ones((1, 1), bool))
    proposal = METHODS[name](seen_as(disc(), canvas), region)
    assert proposal.evidence.shape == (1, 1)
    assert np.isfinite(proposal.evidence).all()


@every_assistant
def test_a_region_outside_the_gradable_retina_is_no_error(name):
    proposal = METHODS[name](seen_as(disc(), gradable=False), AROUND)
    assert dice(proposal.found(), (FROM_CENTRE <= 30)[AROUND.window]) > 0.9


@every_assistant
def test_a_region_off_the_canvas_finds_nothing(name):
    image = disc()
    box = Letterbox(image.shape, 64, (slice(60, 140), slice(60, 140)))
    shown = box.apply(image.astype(np.float32))
    seen = CloseUp(shown, np.ones_like(shown, bool), box, CAMERA_55)
    region = Region((slice(0, 20), slice(0, 20)), np.ones((20, 20), bool))
    assert not METHODS[name](seen, region).found(1).any()


@pytest.mark.slow
@every_assistant
def test_a_large_image_takes_seconds(name):
    image = np.kron(disc().astype(np.float32), np.ones((8, 8), np.float32))
    seen = seen_as(image, 1024)
    start = time.process_time()  # what other programs take does not count
    proposal = METHODS[name](seen, whole_region(image.shape))
    assert time.process_time() - start < 5
    assert proposal.found()[800, 800]


@every_assistant
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_more_sensitivity_never_finds_less_and_nothing_outside_the_region(name, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    first = rng.integers(0, SIDE - 1, 2)
    last = np.minimum(first + rng.integers(1, 60, 2), SIDE)
    window = (slice(int(first[0]), int(last[0])), slice(int(first[1]), int(last[1])))
    inside = rng.uniform(size=tuple(last - first)) < data.draw(st.sampled_from([0.1, 1.0]))
    proposal = METHODS[name](
        seen_as(disc(seed=1), data.draw(st.sampled_from([64, SIDE]))),
        Region(window, inside),
        bright=data.draw(st.booleans()),
    )
    assert proposal.evidence.dtype == np.float32
    assert proposal.evidence.min() >= 0
    assert proposal.evidence.max() <= 1
    assert not (proposal.evidence[~inside] > 0).any()
    before = np.zeros(inside.shape, bool)
    for sensitivity in (0, 0.25, 0.5, 0.75, 1):
        found = proposal.found(sensitivity)
        assert not (before & ~found).any()
        before = found
