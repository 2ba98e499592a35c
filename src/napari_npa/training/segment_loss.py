"""Segment-level loss: every part of an outline counts alike, however thin it is.

After Yan, Yang and Cheng (DOI 10.1109/TBME.2018.2828137), who compare the thickness of each
segment of the skeleton in prediction and annotation: pixel-wise losses are ruled by thick parts.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import skeletonize
from torch import Tensor

from napari_npa.types import Mask

SEARCH_PIXELS = 4.0
"""How far beyond the annotated border a prediction still belongs to a segment."""

EIGHT = np.ones((3, 3), int)


def search_ranges(mask: Mask) -> NDArray[np.int64]:
    """Skeleton segments of a mask and the pixels that belong to each.

    Parameters
    ----------
    mask : (rows, columns) bool
        Annotation.

    Returns
    -------
    ranges : (rows, columns) int64
        Number of the segment whose skeleton is nearest, from 1; 0 farther from it than half
        its thickness and `SEARCH_PIXELS`.
    """
    skeleton = skeletonize(mask)
    neighbours = ndimage.convolve(skeleton.astype(int), EIGHT, mode="constant") - 1
    crossings = skeleton & (neighbours > 2)
    segments, count = ndimage.label(skeleton & ~ndimage.binary_dilation(crossings, EIGHT), EIGHT)
    if not count:  # only crossings: all one segment
        segments, count = ndimage.label(skeleton, EIGHT)
    if not count:
        return np.zeros(mask.shape, np.int64)
    away, nearest = ndimage.distance_transform_edt(segments == 0, return_indices=True)
    half_thickness = ndimage.distance_transform_edt(mask)
    within = away <= half_thickness[tuple(nearest)] + SEARCH_PIXELS
    return np.where(within, segments[tuple(nearest)], 0).astype(np.int64)


def segment_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Mean mismatch of thickness over the segments of a batch.

    A segment's thickness is the area in its search range over its length, for the prediction
    the sum of the probabilities; the mismatch is ``|predicted - annotated| / annotated``, at
    most 1.

    Parameters
    ----------
    logits, target : (N, 1, rows, columns) float
        Target 0 or 1.

    Returns
    -------
    loss
        In [0, 1]; 0 without any segment.
    """
    probability = torch.sigmoid(logits)
    mismatches = []
    for image, truth in zip(probability[:, 0], target[:, 0], strict=True):
        ranges = search_ranges(truth.detach().cpu().numpy() > 0.5)
        if not ranges.any():
            continue
        of = torch.from_numpy(ranges).to(image.device).flatten()
        empty = image.new_zeros(int(ranges.max()) + 1)
        predicted = empty.index_add(0, of, image.flatten())[1:]
        annotated = empty.index_add(0, of, truth.flatten().to(image.dtype))[1:]
        # The lengths of both are the same and cancel.
        mismatches.append(((predicted - annotated).abs() / annotated).clamp(max=1))
    return torch.cat(mismatches).mean() if mismatches else logits.sum() * 0
