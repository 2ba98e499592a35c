"""Methods without a network: they find what stands out inside a region by its gray levels.

They help where the network fails, because they know nothing but the pixels in the region. Each
works on the close-up, reduced where the region is large. Their evidence means the same: 0.5 is
the method's own decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.special import expit
from skimage.filters import threshold_otsu
from skimage.segmentation import (
    inverse_gaussian_gradient,
    morphological_geodesic_active_contour,
    random_walker,
)
from skimage.transform import resize

from napari_npa.imaging.raster import reduced
from napari_npa.refine.close_up import CloseUp
from napari_npa.refine.proposal import Proposal
from napari_npa.refine.region import Region
from napari_npa.types import Gray, Mask, Window

CONTEXT = 8
"""Canvas pixels included around the region, because smoothing needs neighbours."""

WORK_SIDE = 512
"""Longest side of the working grid, pixels; larger regions are reduced to it."""

SLOW_SIDE = 256
"""The same for methods that pass over the grid many times."""

SMOOTHING = 1.5
"""Standard deviation of the Gaussian over the gray levels, pixels of the working grid."""

LEAST_SPREAD = 1e-4
"""Standard deviation of gray, on a scale where white is 1, below which a region counts as uniform:
an 8-bit step is 0.004."""

SPREADS = 0.5
"""Standard deviations of gray, or of what stands for it, over which evidence rises from 0.5
to 0.73, so that the outline follows the slider over its whole length."""

LOCAL_MM = 2.0
"""Standard deviation of the Gaussian that makes the local threshold of the surroundings,
millimetres (measured: 1 and 4 are worse by up to 0.03)."""

EDGE_MM = 0.15
"""Distance from the contour over which evidence rises from 0.5 to 0.73, millimetres: about
two vessel widths."""

EDGE_SIGMA = 2.0
"""Scale of the edges that stop the contour, pixels."""

CONTOUR_STEPS = 20
"""Steps of the contour, of at most a pixel each (measured: 60 give the same)."""

CLUSTER_STEPS = 20
"""Rounds of k-means."""

TEXTURE_CEILING = 0.06
"""Stronger detail counts as this much; otherwise vessels would drown out the capillaries."""

TEXTURE_SIGMA = 5.0
"""Pixels of the working grid over which the strength of detail is averaged."""

WALKER_STIFFNESS = 3000.0
"""How strongly a step of gray holds the walker back, 1 / variance of gray (measured: 300 is worse
by 0.02 to 0.04; at 10 000 the equations are too stiff to be solved well)."""

SOLVER_TOLERANCE = 1e-5
"""Relative residual at which the walker's equations count as solved."""

CHANCE_TOLERANCE = np.inf
"""How far the walker's probabilities may lie outside [0, 1] without a warning: they are clipped
in any case, and the areas of small images are seen so enlarged that they lie outside."""


class Method(Protocol):
    """One of the functions below."""

    def __call__(self, close_up: CloseUp, region: Region, *, bright: bool = False) -> Proposal:
        """Find what stands out in a region.

        Parameters
        ----------
        close_up
            The angiogram.
        region
            Where to look.
        bright
            Look for the bright side instead of the dark one: gradable retina, not non-perfusion.

        Returns
        -------
        proposal
            Its evidence is 0 everywhere if the region is uniform or outside the close-up.
        """


def threshold(close_up: CloseUp, region: Region, *, bright: bool = False) -> Proposal:
    """Find what is darker than the gray that best divides the region in two (Otsu 1979).

    Evidence is a logistic function of the distance from that level; see :class:`Method`.
    """
    patch = _patch(close_up, region, WORK_SIDE, bright)
    if patch.uniform:
        return patch.nothing()
    return patch.proposal(patch.below(patch.gray, patch.level))


def local_threshold(close_up: CloseUp, region: Region, *, bright: bool = False) -> Proposal:
    """Find what is darker than its own surroundings.

    Evidence is a logistic function of the distance from the local mean of the region's gray;
    see :class:`Method`.
    """
    patch = _patch(close_up, region, WORK_SIDE, bright)
    if patch.uniform:
        return patch.nothing()
    sigma = LOCAL_MM / patch.pixel_mm
    weights = gaussian_filter(patch.known.astype(np.float32), sigma)
    sums = gaussian_filter(np.where(patch.known, patch.gray, np.float32(0)), sigma)
    mean = np.where(weights > 1e-3, sums / np.maximum(weights, np.float32(1e-3)), patch.level)
    return patch.proposal(patch.below(patch.gray, mean))


def contour(close_up: CloseUp, region: Region, *, bright: bool = False) -> Proposal:
    """Find the dark side of an outline that is drawn to edges.

    A morphological geodesic active contour (Marquez-Neila 2014) from Otsu's outline. Evidence is
    a logistic function of the distance from it, inside more; see :class:`Method`.
    """
    patch = _patch(close_up, region, SLOW_SIDE, bright)
    if patch.uniform:
        return patch.nothing()
    edges = inverse_gaussian_gradient(patch.raw, sigma=EDGE_SIGMA)
    dark = morphological_geodesic_active_contour(
        edges, CONTOUR_STEPS, patch.gray <= patch.level, smoothing=2
    ).astype(np.bool_)
    # Where the parts of a region are small, the contour may swallow or leave out all of it.
    if dark.all() or not dark.any():
        dark = patch.gray <= patch.level
    depth = distance_transform_edt(dark) - distance_transform_edt(~dark)
    return patch.proposal(np.asarray(expit(depth * patch.pixel_mm / EDGE_MM), np.float32))


def clusters(close_up: CloseUp, region: Region, *, bright: bool = False) -> Proposal:
    """Find the darker of two groups of pixels that are alike in gray and texture (k-means).

    Evidence is the distance from the brighter group's centre as a share of the distances from
    both; see :class:`Method`.
    """
    patch = _patch(close_up, region, WORK_SIDE, bright)
    if patch.uniform:
        return patch.nothing()
    features = _features(patch)
    samples = features[patch.known]
    dark = patch.gray[patch.known] <= patch.level
    start = np.stack([samples[dark].mean(axis=0), samples[~dark].mean(axis=0)])
    centres, _ = kmeans2(samples, start, iter=CLUSTER_STEPS, minit="matrix", missing="warn")
    if centres[0, 0] > centres[1, 0]:
        centres = centres[::-1]
    near, far = (np.linalg.norm(features - centre, axis=-1) for centre in centres)
    share = far / np.maximum(near + far, np.finfo(np.float32).tiny)
    return patch.proposal(share.astype(np.float32))


def walker(close_up: CloseUp, region: Region, *, bright: bool = False) -> Proposal:
    """Find where a random walker reaches surely dark pixels before surely bright ones.

    Evidence is the probability of that (Grady 2006); see :class:`Method`.
    """
    patch = _patch(close_up, region, SLOW_SIDE, bright)
    if patch.uniform:
        return patch.nothing()
    dark = patch.gray <= patch.level
    sure_dark = np.median(patch.gray[dark & patch.known])
    sure_bright = np.median(patch.gray[~dark & patch.known])
    labels = np.where(patch.gray <= sure_dark, 1, np.where(patch.gray >= sure_bright, 2, 0))
    if labels.all():
        return patch.proposal((labels == 1).astype(np.float32))
    chances = random_walker(
        patch.gray,
        labels,
        beta=WALKER_STIFFNESS,
        mode="cg_j",
        tol=SOLVER_TOLERANCE,
        return_full_prob=True,
        prob_tol=CHANCE_TOLERANCE,
    )
    return patch.proposal(np.asarray(chances[0], np.float32))


def _features(patch: _Patch) -> Gray:
    """Gray and texture, each in its own standard deviations, (rows, columns, 2) float32."""
    detail = np.abs(patch.raw - patch.gray)
    texture = gaussian_filter(np.minimum(detail, TEXTURE_CEILING), TEXTURE_SIGMA)
    return np.stack(
        [
            values / max(float(values[patch.known].std()), LEAST_SPREAD)
            for values in (patch.gray, texture)
        ],
        axis=-1,
    )


@dataclass(frozen=True, eq=False)
class _Patch:
    """A region on the working grid."""

    close_up: CloseUp
    region: Region
    window: Window
    raw: Gray
    gray: Gray
    known: Mask
    level: float
    spread: float
    bright: bool

    @property
    def uniform(self) -> bool:
        """Whether there is nothing to tell apart."""
        return self.spread < LEAST_SPREAD

    @property
    def pixel_mm(self) -> float:
        """Side of a pixel of the working grid, millimetres."""
        whole = max(span.stop - span.start for span in self.window)
        return float(self.close_up.pixel_mm * whole / max(self.gray.shape))

    def below(self, values: Gray, level: Gray | float) -> Gray:
        return np.asarray(expit((level - values) / (SPREADS * self.spread)), np.float32)

    def nothing(self) -> Proposal:
        return Proposal(self.region, np.zeros(self.region.inside.shape, np.float32))

    def proposal(self, dark: Gray) -> Proposal:
        """Evidence on the image's grid, from darkness in [0, 1] on the working grid."""
        sides = tuple(span.stop - span.start for span in self.window)
        found = 1 - dark if self.bright else dark
        if sides != found.shape:
            found = resize(found, sides, order=1, mode="edge", anti_aliasing=False)
        evidence = self.close_up.image_values(
            found.astype(np.float32, copy=False), self.window, self.region.window
        )
        np.clip(evidence, 0, 1, out=evidence)
        evidence[~self.region.inside] = 0
        return Proposal(self.region, evidence)


def _patch(close_up: CloseUp, region: Region, side: int, bright: bool) -> _Patch:
    """Reduce a region to the working grid, and divide its gray levels in two."""
    window = close_up.canvas_window(region.window, CONTEXT)
    inside = close_up.canvas_mask(region.inside, region.window, window)
    # The black around the retina must not pass for its dark side.
    judged = inside & close_up.gradable[window]
    known = judged if judged.any() and not bright else inside
    raw = reduced(close_up.stretched[window], side)
    known = reduced(known.astype(np.float32), side) > 0
    gray = gaussian_filter(raw, SMOOTHING)
    levels = gray[known]
    spread = float(levels.std()) if levels.size else 0.0
    level = float(threshold_otsu(levels)) if spread >= LEAST_SPREAD else 0.0
    return _Patch(close_up, region, window, raw, gray, known, level, spread, bright)
