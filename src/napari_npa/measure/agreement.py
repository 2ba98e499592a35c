"""Agreement of two masks of one image, and its statistics over many images."""

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
"""Percentile of the distances between two outlines; the largest depends on a single pixel."""

LIMITS_OF_AGREEMENT = 1.96
"""Standard deviations about the mean difference that hold 95 % (Bland and Altman 1986)."""

UPPER_TAIL = 0.975
"""Quantile that bounds a two-sided interval of 95 %."""

RATING_ROUNDING = 1e-13
"""Fraction of the largest rating below which a deviation is a rounding error."""

VARIANCE_ROUNDING = 1e-12
"""Fraction of the total variance below which a variance is a rounding error."""


@dataclass(frozen=True)
class Agreement:
    """Pixel counts of one image: how many pixels each mask, both or neither call non-perfused.

    All ratios are in [0, 1]. A class that is absent from both masks counts as agreement (1), a
    class that only one mask contains as missed (0). ``mean_…`` is over the two classes, perfused
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
        """Fraction of the pixels predicted as non-perfused: the predicted ischemic index."""
        return (self.both + self.predicted_only) / max(self.pixels, 1)

    @property
    def annotated(self) -> float:
        """Fraction of the pixels annotated as non-perfused: the annotated ischemic index."""
        return (self.both + self.annotated_only) / max(self.pixels, 1)

    @property
    def pixels(self) -> int:
        """Number of pixels compared."""
        return self.both + self.predicted_only + self.annotated_only + self.neither

    @property
    def accuracy(self) -> float:
        """Fraction of the pixels on which the masks agree."""
        return _ratio(self.both + self.neither, self.pixels)

    @property
    def mean_iou(self) -> float:
        """Mean intersection over union."""
        differ = self.predicted_only + self.annotated_only
        return fmean(_ratio(same, same + differ) for same in (self.both, self.neither))

    @property
    def mean_precision(self) -> float:
        """Mean of ``TP / (TP + FP)``."""
        return fmean(
            (
                _found(self.both, self.predicted_only, self.annotated_only),
                _found(self.neither, self.annotated_only, self.predicted_only),
            )
        )

    @property
    def mean_recall(self) -> float:
        """Mean of ``TP / (TP + FN)``, which the source also calls mean pixel accuracy (mPA)."""
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
        Masks of non-perfusion.
    region : (rows, columns) bool
        Where to compare, for example the gradable retina; everywhere if None.
    """
    if region is not None:
        predicted, annotated = predicted[region], annotated[region]
    both = int(np.count_nonzero(predicted & annotated))
    predicted_only = int(np.count_nonzero(predicted)) - both
    annotated_only = int(np.count_nonzero(annotated)) - both
    neither = predicted.size - both - predicted_only - annotated_only
    return Agreement(both, predicted_only, annotated_only, neither)


def pooled(agreements: Sequence[Agreement]) -> Agreement:
    """Add the counts of several images, so that large areas weigh more than small ones."""
    return Agreement(
        both=sum(a.both for a in agreements),
        predicted_only=sum(a.predicted_only for a in agreements),
        annotated_only=sum(a.annotated_only for a in agreements),
        neither=sum(a.neither for a in agreements),
    )


def hausdorff95(predicted: Mask, annotated: Mask) -> float | None:
    """Compute the 95th percentile of the distances between two outlines.

    Parameters
    ----------
    predicted, annotated : (rows, columns) bool
        Masks; their outlines are their outermost pixels. Of the two directions, the larger
        percentile counts.

    Returns
    -------
    distance
        Pixels; 0 if both masks are empty, None if only one is and no distance exists.
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
    """Distribution of a figure over images."""

    mean: float
    deviation: float
    median: float
    quartiles: tuple[float, float]

    @classmethod
    def of(cls, values: Iterable[float]) -> Summary:
        """Summarise at least one value; a single one has the standard deviation 0."""
        listed = list(values)
        low, median, high = (float(q) for q in np.percentile(listed, (25, 50, 75)))
        return cls(fmean(listed), _deviation(listed), median, (low, high))


@dataclass(frozen=True)
class BlandAltman:
    """Agreement of two measurements of the same subjects (Bland and Altman 1986).

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


@dataclass(frozen=True)
class IntraclassCorrelation:
    """Agreement of raters who all rated the same subjects: ICC(2,1), absolute agreement.

    Attributes
    ----------
    value
        Fraction of the variance that lies between the subjects, not between the raters and not
        in error; 1 where all raters agree. Below 0, the raters differ more on one subject than
        the subjects differ.
    interval
        95 % confidence interval; None where the value is below 0, as its approximation does not
        hold there.

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
            Ratings of each rater, all in the same order of the subjects.

        Returns
        -------
        correlation
            None where it is not defined: fewer than two subjects, or subjects that do not differ.
        """
        ratings = np.stack([np.asarray(rater, np.float64) for rater in raters], axis=1)
        n, k = ratings.shape
        if n < 2 or k < 2:
            return None
        subjects, rater, error = _mean_squares(ratings)
        # n k times the estimated variances: of the subjects, and of a single rating.
        shared = n * (subjects - error)
        total = n * (subjects + (k - 1) * error) + k * (rater - error)
        rounding = VARIANCE_ROUNDING * (subjects + rater + error)
        if subjects <= rounding and (error <= rounding or total <= n * k * rounding):
            return None
        if rater == error == 0:
            return cls(1.0, (1.0, 1.0))
        value = shared / total
        if value < 0:
            return cls(value, None)
        # Degrees of freedom after Satterthwaite. The weights are those of McGraw and Wong times
        # n(1 - ICC), which cancels out.
        a = k * value * rater
        b = (n * (1 - value) + k * value * (n - 1)) * error
        freedom = (a + b) ** 2 / (a**2 / (k - 1) + b**2 / ((n - 1) * (k - 1)))
        rest = k * rater + (k * n - k - n) * error
        below = float(fdtri(n - 1, freedom, UPPER_TAIL))
        above = float(fdtri(freedom, n - 1, UPPER_TAIL))
        low = n * (subjects - below * error) / (below * rest + n * subjects)
        high = n * (above * subjects - error) / (rest + n * above * subjects)
        return cls(value, (low, high))


def _mean_squares(ratings: NDArray[np.float64]) -> tuple[float, float, float]:
    """Compute the mean squares between subjects (rows), between raters (columns) and of the error.

    In units of the largest rating; 0 where only rounding errors differ.
    """
    n, k = ratings.shape
    ratings = ratings / (np.abs(ratings).max() or 1)
    mean = ratings.mean()
    subject, rater = ratings.mean(1, keepdims=True) - mean, ratings.mean(0, keepdims=True) - mean
    squares = (
        k * (subject**2).sum() / (n - 1),
        n * (rater**2).sum() / (k - 1),
        ((ratings - mean - subject - rater) ** 2).sum() / ((n - 1) * (k - 1)),
    )
    of_subjects, of_raters, of_error = (
        float(s) if s > RATING_ROUNDING**2 else 0.0 for s in squares
    )
    return of_subjects, of_raters, of_error


def _deviation(values: list[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _found(hit: int, wrong: int, other_wrong: int) -> float:
    """Compute ``hit / (hit + wrong)``; without either, 1 if there is no `other_wrong`, else 0."""
    if hit + wrong == 0:
        return float(other_wrong == 0)
    return hit / (hit + wrong)
