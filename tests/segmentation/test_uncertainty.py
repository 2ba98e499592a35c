"""Uncertainty of a segmentation, and the regions in doubt that matter most."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit, logit

from napari_npa.segmentation.uncertainty import SEARCH_SIDE, doubtful_regions, uncertainty

probabilities = arrays(
    np.float32, (5, 7), elements=st.floats(0, 1, width=32, allow_subnormal=False)
)
thresholds = st.floats(0.01, 0.99)


def everywhere(shape):
    return np.ones(shape, bool)


def test_a_pixel_at_the_threshold_is_all_uncertain_and_a_sure_one_not_at_all():
    found = uncertainty(np.array([[0, 0.3, 1]], np.float32), 0.3)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[0, 1, 0]])


def test_at_a_threshold_of_a_half_uncertainty_is_twice_the_chance_to_be_wrong():
    found = uncertainty(np.array([[0.1, 0.25, 0.5, 0.75, 0.9]], np.float32), 0.5)
    np.testing.assert_allclose(found, [[0.2, 0.5, 1, 0.5, 0.2]], atol=1e-6)


def test_the_threshold_shifts_the_odds():
    # Odds of 1 to 9 against a threshold of odds 1 to 3: 3 to 9, a probability of 1 in 4.
    found = uncertainty(np.array([[0.1]], np.float32), 0.25)
    np.testing.assert_allclose(found, [[0.5]], atol=1e-6)


@given(probabilities, thresholds)
def test_uncertainty_is_that_of_the_shifted_logit(probability, threshold):
    with np.errstate(divide="ignore"):
        calibrated = expit(logit(probability.astype(float)) - logit(threshold))
    expected = 1 - np.abs(2 * calibrated - 1)
    np.testing.assert_allclose(uncertainty(probability, threshold), expected, atol=2e-5)


@given(probabilities, st.floats(0.001, 1))
def test_uncertainty_lies_between_0_and_1_and_leaves_the_probability_alone(probability, threshold):
    before = probability.copy()
    found = uncertainty(probability, threshold)
    assert ((found >= 0) & (found <= 1)).all()
    np.testing.assert_array_equal(probability, before)


def test_an_image_of_several_blocks_is_computed_throughout():
    probability = np.linspace(0, 1, 700 * 900, dtype=np.float32).reshape(700, 900)
    np.testing.assert_allclose(
        uncertainty(probability, 0.5), 1 - np.abs(2 * probability - 1), atol=1e-6
    )


@pytest.mark.parametrize("threshold", [0, -0.1, 1.1, np.nan])
def test_a_threshold_that_is_none_is_refused(threshold):
    with pytest.raises(ValueError, match="threshold"):
        uncertainty(np.zeros((2, 2), np.float32), threshold)


def test_the_region_with_more_expected_errors_comes_first():
    probability = np.zeros((20, 10), np.float32)
    probability[2:4, 1:3] = 0.5  # 4 pixels, each wrong with 0.5: 2 of 200
    probability[10:13, 4:8] = 0.75  # 12 pixels, each wrong with 0.25: 3 of 200
    first, second = doubtful_regions(probability, everywhere((20, 10)), 0.5)
    assert first.window == (slice(10, 13), slice(4, 8))
    assert first.centre == pytest.approx((11, 5.5))
    assert first.expected_isi_error == pytest.approx(3 / 200)
    assert second.window == (slice(2, 4), slice(1, 3))
    assert second.centre == pytest.approx((2.5, 1.5))
    assert second.expected_isi_error == pytest.approx(2 / 200)


def test_only_gradable_retina_is_in_doubt():
    probability = np.full((6, 6), 0.5, np.float32)
    retina = np.zeros((6, 6), bool)
    retina[1:3, 1:5] = True
    (region,) = doubtful_regions(probability, retina, 0.5)
    assert region.window == (slice(1, 3), slice(1, 5))
    assert region.expected_isi_error == pytest.approx(0.5)
    assert doubtful_regions(probability, np.zeros((6, 6), bool), 0.5) == []


def test_corners_connect_and_no_more_than_asked_for_are_given():
    probability = np.zeros((9, 9), np.float32)
    probability[[0, 1], [0, 1]] = 0.5
    probability[4, 4] = probability[8, 8] = 0.5
    assert len(doubtful_regions(probability, everywhere((9, 9)), 0.5)) == 3
    (largest,) = doubtful_regions(probability, everywhere((9, 9)), 0.5, count=1)
    assert largest.window == (slice(0, 2), slice(0, 2))


def test_a_large_image_is_searched_on_a_reduction_and_answered_in_its_own_pixels():
    side = 2 * SEARCH_SIDE
    probability = np.zeros((side, side), np.float32)
    probability[100:140, 300:360] = 0.5
    (region,) = doubtful_regions(probability, everywhere((side, side)), 0.5)
    assert region.window == (slice(100, 140), slice(300, 360))
    assert region.centre == pytest.approx((119.5, 329.5))
    assert region.expected_isi_error == pytest.approx(40 * 60 / 2 / side**2)


def test_windows_of_a_reduction_that_does_not_divide_the_image_stay_inside_it():
    probability = np.full((1001, 37), 0.5, np.float32)
    (region,) = doubtful_regions(probability, everywhere((1001, 37)), 0.5)
    assert region.window == (slice(0, 1001), slice(0, 37))
    assert region.expected_isi_error == pytest.approx(0.5)


@given(probabilities, arrays(bool, (5, 7)), thresholds)
def test_regions_are_apart_and_together_never_more_than_all_expected_errors(
    probability, retina, threshold
):
    regions = doubtful_regions(probability, retina, threshold, count=50)
    effects = [region.expected_isi_error for region in regions]
    assert effects == sorted(effects, reverse=True)
    if retina.any():
        assert sum(effects) <= uncertainty(probability, threshold)[retina].mean() / 2 + 1e-5
    for region in regions:
        (top, bottom), (left, right) = ((s.start, s.stop) for s in region.window)
        assert 0 <= top <= region.centre[0] + 1e-6 <= bottom - 1 + 2e-6 <= 4.1
        assert 0 <= left <= region.centre[1] + 1e-6 <= right - 1 + 2e-6 <= 6.1


@given(probabilities, thresholds, st.integers(1, 3))
def test_a_turned_eye_has_the_same_doubts(probability, threshold, turns):
    whole = everywhere(probability.shape)
    turned = np.ascontiguousarray(np.rot90(probability, turns))
    before, after = (
        [region.expected_isi_error for region in doubtful_regions(p, r, threshold)]
        for p, r in ((probability, whole), (turned, np.rot90(whole, turns)))
    )
    np.testing.assert_allclose(after, before, atol=1e-6)
