"""The losses: cross entropy with Dice as published, and the mismatch of segments."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import skeletonize
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from napari_npa.types import Mask

SMOOTH = 1.0
"""Pixels added above and below the Dice ratio: two empty masks then agree perfectly."""

SEARCH_PIXELS = 4.0
"""How far beyond the annotated border a prediction still belongs to a segment."""

EIGHT_NEIGHBOURS = np.ones((3, 3), int)


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Compute ``1 - (2 Σ(P·T) + smooth) / (ΣP + ΣT + smooth)`` over the whole batch.

    Sums run over the batch rather than over each image, since many images have no
    non-perfusion at all.
    """
    probability = torch.sigmoid(logits)
    overlap = (probability * target).sum()
    return 1 - (2 * overlap + SMOOTH) / (probability.sum() + target.sum() + SMOOTH)


def combined_loss(
    logits: Tensor,
    target: Tensor,
    *,
    cross_entropy_share: float,
    class_weight: float,
    known: Tensor | None = None,
) -> Tensor:
    """Compute ``λ · cross entropy + (1 − λ) · Dice``.

    Source: Li et al., DOI 10.3760/cma.j.cn115989-20240415-00110.

    Parameters
    ----------
    logits, target : (N, 1, rows, columns) float
        Target 0 or 1.
    cross_entropy_share
        λ, in [0, 1].
    class_weight
        Weight of a target pixel in the cross entropy; any other pixel weighs 1.
    known : (N,) float or bool
        Which images have a known target; the others count for nothing.
    """
    if known is not None:
        logits, target = logits[known > 0], target[known > 0]
        if not len(logits):
            return logits.sum()
    weight = torch.tensor(class_weight, device=logits.device, dtype=logits.dtype)
    cross_entropy = binary_cross_entropy_with_logits(logits, target, pos_weight=weight)
    return cross_entropy_share * cross_entropy + (1 - cross_entropy_share) * dice_loss(
        logits, target
    )


def segment_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Compute the mean mismatch of thickness over the segments of a batch.

    Every part of an outline counts alike, however thin it is. A segment's thickness is the
    area in its search range divided by its length; for the prediction the area is the sum of
    the probabilities. The mismatch is ``|predicted - annotated| / annotated``, at most 1.

    Parameters
    ----------
    logits, target : (N, 1, rows, columns) float
        Target 0 or 1.

    Returns
    -------
    loss
        In [0, 1]; 0 without any segment.

    Notes
    -----
    After Yan, Yang and Cheng (DOI 10.1109/TBME.2018.2828137), who compare the thickness of
    each segment of the skeleton in prediction and annotation, because thick parts dominate
    pixel-wise losses.
    """
    probability = torch.sigmoid(logits)
    mismatches = []
    for image, truth in zip(probability[:, 0], target[:, 0], strict=True):
        ranges = search_ranges(truth.detach().cpu().numpy() > 0.5)
        if not ranges.any():
            continue
        segment = torch.from_numpy(ranges).to(image.device).flatten()
        empty = image.new_zeros(int(ranges.max()) + 1)
        predicted = empty.index_add(0, segment, image.flatten())[1:]
        annotated = empty.index_add(0, segment, truth.flatten().to(image.dtype))[1:]
        # The lengths of both are the same and cancel.
        mismatches.append(((predicted - annotated).abs() / annotated).clamp(max=1))
    return torch.cat(mismatches).mean() if mismatches else logits.sum() * 0


def search_ranges(mask: Mask) -> NDArray[np.int64]:
    """Find the skeleton segments of a mask and the pixels that belong to each.

    Parameters
    ----------
    mask : (rows, columns) bool
        Annotation.

    Returns
    -------
    ranges : (rows, columns) int64
        Number of the segment with the nearest skeleton, from 1. 0 where that skeleton is
        farther away than half its thickness plus `SEARCH_PIXELS`.
    """
    skeleton = skeletonize(mask)
    neighbours = ndimage.convolve(skeleton.astype(int), EIGHT_NEIGHBOURS, mode="constant") - 1
    crossings = ndimage.binary_dilation(skeleton & (neighbours > 2), EIGHT_NEIGHBOURS)
    segments, count = ndimage.label(skeleton & ~crossings, EIGHT_NEIGHBOURS)
    if not count:  # only crossings: all one segment
        segments, count = ndimage.label(skeleton, EIGHT_NEIGHBOURS)
    if not count:
        return np.zeros(mask.shape, np.int64)
    away, nearest = ndimage.distance_transform_edt(segments == 0, return_indices=True)
    half_thickness = ndimage.distance_transform_edt(mask)
    within = away <= half_thickness[tuple(nearest)] + SEARCH_PIXELS
    return np.where(within, segments[tuple(nearest)], 0).astype(np.int64)
