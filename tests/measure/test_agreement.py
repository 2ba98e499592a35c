import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist
from scipy.stats import f as f_distribution
from skimage.segmentation import find_boundaries
from sklearn import metrics

from napari_npa.measure.agreement import (
    Agreement,
    BlandAltman,
    IntraclassCorrelation,
    Summary,
    compare,
    hausdorff95,
    pooled,
)

masks = arrays(bool, (7, 9))


def test_dice_by_hand():
    predicted = np.array([[1, 1, 0, 0]], bool)
    annotated = np.array([[0, 1, 1, 1]], bool)
    counts = compare(predicted, annotated)
    assert counts == Agreement(both=1, predicted_only=1, annotated_only=2, neither=0)
    assert counts.dice == pytest.approx(2 * 1 / (2 + 3))
    assert (counts.flagged, counts.annotated) == (0.5, 0.75)


def test_two_empty_masks_agree():
    empty = np.zeros((3, 3), bool)
    counts = compare(empty, empty)
    assert counts.dice == counts.mean_iou == counts.mean_precision == counts.mean_recall == 1


def test_a_class_that_only_one_mask_shows_is_missed():
    everything = np.ones((2, 2), bool)
    counts = compare(~everything, everything)
    assert counts.mean_iou == counts.mean_precision == counts.mean_recall == counts.accuracy == 0


@given(predicted=masks, annotated=masks)
def test_dice_is_symmetric_and_pooling_one_image_changes_nothing(predicted, annotated):
    there, back = compare(predicted, annotated), compare(annotated, predicted)
    assert there.dice == back.dice
    assert pooled([there]) == there
    assert there.mean_precision == back.mean_recall


@given(seed=st.integers(0, 2**16), share=st.floats(0.2, 0.8))
def test_figures_are_those_of_the_confusion_matrix(seed, share):
    rng = np.random.default_rng(seed)
    predicted, annotated = (rng.random((2, 20, 20)) < share).astype(bool)
    matrix = np.zeros((2, 2))
    np.add.at(matrix, (annotated.astype(int), predicted.astype(int)), 1)  # rows: the truth
    right = np.diag(matrix)
    counts = compare(predicted, annotated)
    assert counts.mean_recall == pytest.approx((right / matrix.sum(1)).mean())
    assert counts.mean_precision == pytest.approx((right / matrix.sum(0)).mean())
    union = matrix.sum(0) + matrix.sum(1) - right
    assert counts.mean_iou == pytest.approx((right / union).mean())
    assert counts.accuracy == pytest.approx(right.sum() / matrix.sum())


@given(seed=st.integers(0, 2**16), share=st.floats(0.1, 0.9))
def test_figures_are_those_of_scikit_learn(seed, share):
    rng = np.random.default_rng(seed)
    predicted, annotated = (rng.random((2, 20, 20)) < share).astype(bool)
    predicted[0, :2] = annotated[0, 1:3] = [True, False]
    pair = annotated.ravel(), predicted.ravel()
    counts = compare(predicted, annotated)
    assert counts.dice == pytest.approx(metrics.f1_score(*pair))
    assert counts.mean_iou == pytest.approx(metrics.jaccard_score(*pair, average="macro"))
    assert counts.mean_precision == pytest.approx(metrics.precision_score(*pair, average="macro"))
    assert counts.mean_recall == pytest.approx(metrics.recall_score(*pair, average="macro"))
    assert counts.accuracy == pytest.approx(metrics.accuracy_score(*pair))


def test_outside_the_region_nothing_counts():
    rng = np.random.default_rng(0)
    predicted, annotated, region = rng.random((3, 30, 30)) > 0.5
    inside = compare(predicted, annotated, region)
    assert inside == compare(predicted ^ ~region, annotated ^ ~region, region)
    assert inside.pixels == region.sum()


@given(seed=st.integers(0, 2**16))
def test_hausdorff95_is_the_percentile_of_all_distances_between_the_outlines(seed):
    rng = np.random.default_rng(seed)
    predicted, annotated = np.zeros((2, 24, 24), bool)
    for mask in (predicted, annotated):
        top, left = rng.integers(1, 12, 2)
        mask[top : top + rng.integers(2, 10), left : left + rng.integers(2, 10)] = True
    outlines = [np.argwhere(find_boundaries(mask, mode="inner")) for mask in (predicted, annotated)]
    distances = cdist(*outlines)
    expected = max(np.percentile(distances.min(axis), 95) for axis in (0, 1))
    assert hausdorff95(predicted, annotated) == pytest.approx(expected)


def test_hausdorff95_of_empty_masks():
    empty, full = np.zeros((4, 4), bool), np.ones((4, 4), bool)
    assert hausdorff95(empty, empty) == 0
    assert hausdorff95(full, empty) is None


def test_a_summary_by_hand():
    summary = Summary.of([1.0, 2.0, 3.0, 4.0])
    assert summary.mean == summary.median == 2.5
    assert summary.deviation == pytest.approx(np.std([1, 2, 3, 4], ddof=1))
    assert summary.quartiles == (1.75, 3.25)
    assert Summary.of([7.0]).deviation == 0


def test_bland_altman_by_hand():
    result = BlandAltman.of([12.0, 20.0, 31.0], [10.0, 20.0, 30.0])  # differences 2, 0, 1
    assert result.bias == pytest.approx(1)
    assert result.limits == pytest.approx((1 - 1.96, 1 + 1.96))


# Six subjects, four judges: table 2 of Shrout and Fleiss 1979.
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
)

# Eight wines, four judges: the example of pingouin's `intraclass_corr`.
WINES = np.array(
    [
        [1, 1, 3, 6, 6, 7, 8, 9],
        [2, 3, 8, 4, 5, 5, 7, 9],
        [0, 3, 1, 3, 5, 6, 7, 9],
        [1, 2, 4, 3, 6, 2, 9, 8],
    ]
).T


def mean_squares(ratings):
    """Between rows, between columns, and of the error, from sums of squares."""
    n, k = ratings.shape
    correction = ratings.sum() ** 2 / (n * k)
    rows = (ratings.sum(1) ** 2).sum() / k - correction
    columns = (ratings.sum(0) ** 2).sum() / n - correction
    error = (ratings**2).sum() - correction - rows - columns
    return rows / (n - 1), columns / (k - 1), error / ((n - 1) * (k - 1))


def test_icc_of_shrout_and_fleiss_with_the_interval_that_r_psych_prints():
    result = IntraclassCorrelation.of(*SHROUT_FLEISS.T)
    assert round(result.value, 2) == 0.29
    low, high = result.interval
    assert (round(low, 3), round(high, 2)) == (0.019, 0.76)


def test_icc_of_the_wines_is_that_of_pingouin():
    result = IntraclassCorrelation.of(*WINES.T)
    assert round(result.value, 3) == 0.728
    assert [round(limit, 2) for limit in result.interval] == [0.43, 0.93]


@given(seed=st.integers(0, 2**16), things=st.integers(3, 40), raters=st.integers(2, 5))
def test_icc_is_the_quotient_of_variances_and_its_limits_solve_the_f_test(seed, things, raters):
    rng = np.random.default_rng(seed)
    ratings = (
        rng.normal(0, 2, (things, 1))
        + rng.normal(0, 1, raters)
        + rng.normal(0, 1, (things, raters))
    )
    rows, columns, error = mean_squares(ratings)
    thing, rater = (rows - error) / raters, (columns - error) / things
    result = IntraclassCorrelation.of(*ratings.T)
    assert result.value == pytest.approx(thing / (thing + rater + error))
    if result.value < 0:
        assert result.interval is None
        return

    def weights(icc):  # a and b of McGraw and Wong 1996, table 7
        share = raters * icc / (things * (1 - icc))
        return share, 1 + share * (things - 1)

    a, b = weights(result.value)
    freedom = (a * columns + b * error) ** 2 / (
        (a * columns) ** 2 / (raters - 1) + (b * error) ** 2 / ((things - 1) * (raters - 1))
    )
    low, high = result.interval
    assert low <= result.value <= high
    a, b = weights(low)
    assert f_distribution.cdf(
        rows / (a * columns + b * error), things - 1, freedom
    ) == pytest.approx(0.975)
    a, b = weights(high)
    assert f_distribution.cdf(
        (a * columns + b * error) / rows, freedom, things - 1
    ) == pytest.approx(0.975)


@given(
    ratings=st.lists(st.floats(0, 100), min_size=2, max_size=20, unique=True).filter(
        lambda ratings: max(ratings) - min(ratings) > 1e-6
    ),
    raters=st.integers(2, 4),
)
def test_raters_who_say_the_same_have_an_icc_of_one(ratings, raters):
    result = IntraclassCorrelation.of(*[ratings] * raters)
    assert result == IntraclassCorrelation(1.0, (1.0, 1.0))


@given(arrays(float, st.tuples(st.integers(2, 6), st.integers(2, 4)), elements=st.floats(0, 100)))
@example(np.array([[6e-8, 4.0], [4.0, 0.0]]))  # things that differ by a rounding error
def test_an_icc_is_at_most_one_and_never_nan(ratings):
    result = IntraclassCorrelation.of(*ratings.T)
    if result is not None:
        assert result.value <= 1 + 1e-9
        assert result.interval is None or np.isfinite(result.interval).all()


@pytest.mark.parametrize(
    "raters",
    [
        ([0.3], [0.4]),
        ([0.1, 0.1, 0.1], [0.1, 0.1, 0.1]),
        ([0.1, 0.1, 0.1], [0.2, 0.2, 0.2]),
        ([1.0, 2.0], [2.0, 1.0]),
        ([0.0, 0.0], [0.0, 0.0]),
    ],
)
def test_things_that_do_not_differ_have_no_icc(raters):
    assert IntraclassCorrelation.of(*raters) is None


def test_raters_who_contradict_each_other_have_an_icc_below_0_without_an_interval():
    result = IntraclassCorrelation.of([1.0, 2.0, 4.0], [4.0, 2.0, 1.0])
    assert result.value < 0
    assert result.interval is None
