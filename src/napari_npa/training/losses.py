"""The published loss: a balance of cross entropy and Dice."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

SMOOTH = 1.0
"""Pixels added above and below the Dice ratio: two empty masks then agree perfectly."""


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """``1 - (2 Σ(P·T) + smooth) / (ΣP + ΣT + smooth)`` over the whole batch.

    Summed over the batch rather than an image at a time, since many images have
    no non-perfusion at all.
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
    """``λ · cross entropy + (1 − λ) · Dice``.

    Source: Li et al., DOI 10.3760/cma.j.cn115989-20240415-00110.

    Parameters
    ----------
    logits, target : (N, 1, rows, columns) float
        Target 0 or 1.
    cross_entropy_share
        λ, in [0, 1].
    class_weight
        Weight of a target pixel in the cross entropy; of any other pixel 1.
    known : (N,) float or bool
        Images whose target is known; the others count for nothing.
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
