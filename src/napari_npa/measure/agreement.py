"""How well two masks of one image agree, and what that comes to over many images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt
from scipy.special import fdtri

from napari_npa.types import Mask

HAUSDORFF_PERCENTILE = 95.0
"""Of the distances from one outline to the other; the largest alone hangs on a single pixel."""

LIMITS_OF_AGREEMENT = 1.96
"""Standard deviations about the mean difference that hold 95 % (Bland and Altman 1986)."""

UPPER_TAIL = 0.975
"""Quantile that bounds a two-sided interval of 95 %."""

ROUNDING = 1e-13
"""Share of the largest rating below which a deviation is rounding, not a difference."""


@dataclass(frozen=True)
class Agreement:
    """Pixel counts of one image: who calls how many pixels non-perfused.

    All ratios are in [0, 1]. A class that neither mask shows counts as agreed upon (1); one
    that only one of them shows as missed (0). ``mean_…`` is over the two classes, perfused
    and not (Li et al., DOI 10.3760/cma.j.cn115989-20240415-00110).
    """

    both: int
    predicted_only: int
    annotated_only: int
    neither: int

    @property
    def dice(self) -> float:
        """``2·both / (predicted + annotated)``."""
        return _ratio(2 * self.both, 2 * self.both + self.predicted_only + self.annotated_only)

    @property
    def flagged(self) -> float:
        """Share of the pixels called non-perfused: the predicted ischemic index."""
        return (self.both + self.predicted_only) / max(self.pixels, 1)

    @property
    def annotated(self) -> float:
        """Share of the pixels annotated as non-perfused."""
        return (self.both + self.annotated_only) / max(self.pixels, 1)

    @property
    def pixels(self) -> int:
        """All pixels compared."""
        return self.both + self.predicted_only + self.annotated_only + self.neither

    @property
    def accuracy(self) -> float:
        """Share of the pixels on which both agree."""
        return _ratio(self.both + self.neither, self.pixels)

    @property
    def mean_iou(self) -> float:
        """Intersection over union."""
        differ = self.predicted_only + self.annotated_only
        return fmean(_ratio(same, same + differ) for same in (self.both, self.neither))

    @property
    def mean_precision(self) -> float:
        """``TP / (TP + FP)``."""
        return fmean(
            (
                _found(self.both, self.predicted_only, self.annotated_only),
                _found(self.neither, self.annotated_only, self.predicted_only),
            )
        )

    @property
    def mean_recall(self) -> float:
        """``TP / (TP + FN)``, which the source also calls mean pixel accuracy (mPA)."""
        return fmean(
            (
                _found(self.both, self.annotated_only, self.predicted_only),
                _found(self.neither, self.predicted_only, self.annotated_only),
            )
        )


def compare(predicted: Mask, annotated: Mask, region: Mask | None = None) -> Agreement:
    """Count the pixels of two masks.

    Parameters
    ----------
    predicted, annotated : (rows, columns) bool
        Non-perfusion.
    region : (rows, columns) bool
        Where to compare, as the gradable retina; everywhere if None.
    """
    if region is not None:
        predicted, annotated = predicted[region], annotated[region]
    both = int(np.count_nonzero(predicted & annotated))
    predicted_only = int(np.count_nonzero(predicted)) - both
    annotated_only = int(np.count_nonzero(annotated)) - both
    neither = predicted.size - both - predicted_only - annotated_only
    return Agreement(both, predicted_only, annotated_only, neither)


def pooled(agreements: Sequence[Agreement]) -> Agreement:
    """Counts of several images together: large areas weigh more than small ones."""
    return Agreement(
        both=sum(a.both for a in agreements),
        predicted_only=sum(a.predicted_only for a in agreements),
        annotated_only=sum(a.annotated_only for a in agreements),
        neither=sum(a.neither for a in agreements),
    )


def hausdorff95(predicted: Mask, annotated: Mask) -> float | None:
    """95th percentile of the distances between two outlines, the larger of both directions.

    Parameters
    ----------
    predicted, annotated : (rows, columns) bool
        Masks; their outlines are their outermost pixels.

    Returns
    -------
    distance
        Pixels; 0 when both are empty, None when only one is: there is no distance then.
    """
    if not predicted.any() and not annotated.any():
        return 0.0
    if not predicted.any() or not annotated.any():
        return None
    rows, columns = np.nonzero(predicted | annotated)
    window = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
    outlines = [mask & ~binary_erosion(mask) for mask in (predicted[window], annotated[window])]
    away = [distance_transform_edt(~outline) for outline in outlines]
    return max(
        float(np.percentile(away[other][outlines[own]], HAUSDORFF_PERCENTILE))
        for own, other in ((0, 1), (1, 0))
    )


@dataclass(frozen=True)
class Summary:
    """Distribution of one figure over images."""

    mean: float
    deviation: float
    median: float
    quartiles: tuple[float, float]

    @classmethod
    def of(cls, values: Iterable[float]) -> Summary:
        """Summarise at least one value; the standard deviation of one alone is 0."""
        listed = list(values)
        low, median, high = (float(q) for q in np.percentile(listed, (25, 50, 75)))
        return cls(fmean(listed), _deviation(listed), median, (low, high))


@dataclass(frozen=True)
class BlandAltman:
    """Agreement of two measurements of the same things (Bland and Altman 1986).

    Attributes
    ----------
    bias
        Mean of the differences, first minus second.
    limits
        Limits of agreement: bias ± 1.96 standard deviations of the differences.
    """

    bias: float
    limits: tuple[float, float]

    @classmethod
    def of(cls, first: Sequence[float], second: Sequence[float]) -> BlandAltman:
        """Compare paired values, at least one pair."""
        differences = [a - b for a, b in zip(first, second, strict=True)]
        bias = fmean(differences)
        reach = LIMITS_OF_AGREEMENT * _deviation(differences)
        return cls(bias, (bias - reach, bias + reach))


_ROUNDING = 1e-12
"""Share of all variance below which some of it is a rounding error."""


@dataclass(frozen=True)
class IntraclassCorrelation:
    """Agreement of raters who all rated the same things: ICC(2,1), absolute agreement.

    Attributes
    ----------
    value
        Share of the variance that lies between the things rated, not between the raters and
        not in error; 1 where all raters say the same. Below 0 the raters differ more on one
        thing than the things differ.
    interval
        95 % confidence interval; None where the value is below 0, where its approximation
        does not hold.

    Notes
    -----
    Two-way random effects, a single rating (Shrout and Fleiss 1979, DOI
    10.1037/0033-2909.86.2.420). McGraw and Wong 1996 (DOI 10.1037/1082-989X.1.1.30) call it
    ICC(A,1); the interval is theirs.
    """

    value: float
    interval: tuple[float, float] | None

    @classmethod
    def of(cls, *raters: Sequence[float]) -> IntraclassCorrelation | None:
        """Compare the ratings of two or more raters.

        Parameters
        ----------
        raters
            For each rater the ratings, all in the same order of the things rated.

        Returns
        -------
        correlation
            None where it is not defined: fewer than two things, or things that do not differ.
        """
        ratings = np.stack([np.asarray(rater, np.float64) for rater in raters], axis=1)
        n, k = ratings.shape
        if n < 2 or k < 2:
            return None
        between, judge, error = _mean_squares(ratings)
        # n k times the estimated variances: of the things, and of a single rating.
        shared = n * (between - error)
        total = n * (between + (k - 1) * error) + k * (judge - error)
        rounding = _ROUNDING * (between + judge + error)
        if between <= rounding and (error <= rounding or total <= n * k * rounding):
            return None
        if judge == error == 0:
            return cls(1.0, (1.0, 1.0))
        value = shared / total
        if value < 0:
            return cls(value, None)
        # Degrees of freedom after Satterthwaite. The weights are those of McGraw and Wong times
        # n(1 - ICC), which cancels.
        a = k * value * judge
        b = (n * (1 - value) + k * value * (n - 1)) * error
        freedom = (a + b) ** 2 / (a**2 / (k - 1) + b**2 / ((n - 1) * (k - 1)))
        rest = k * judge + (k * n - k - n) * error
        below = float(fdtri(n - 1, freedom, UPPER_TAIL))
        above = float(fdtri(freedom, n - 1, UPPER_TAIL))
        low = n * (between - below * error) / (below * rest + n * between)
        high = n * (above * between - error) / (rest + n * above * between)
        return cls(value, (low, high))


def _mean_squares(ratings: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean squares between things (rows), between raters (columns), and of the error.

    In units of the largest rating; 0 where nothing but rounding differs.
    """
    n, k = ratings.shape
    ratings = ratings / (np.abs(ratings).max() or 1)
    mean = ratings.mean()
    thing, rater = ratings.mean(1, keepdims=True) - mean, ratings.mean(0, keepdims=True) - mean
    squares = (
        k * (thing**2).sum() / (n - 1),
        n * (rater**2).sum() / (k - 1),
        ((ratings - mean - thing - rater) ** 2).sum() / ((n - 1) * (k - 1)),
    )
    between, judge, error = (float(s) if s > ROUNDING**2 else 0.0 for s in squares)
    return between, judge, error


def _deviation(values: list[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _found(hit: int, wrong: int, other_wrong: int) -> float:
    """``hit / (hit + wrong)``; without either, right only if there is no `other_wrong`."""
    if hit + wrong == 0:
        return float(other_wrong == 0)
    return hit / (hit + wrong)
