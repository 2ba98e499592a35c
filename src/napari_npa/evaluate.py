"""How well a segmentation agrees with a mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Agreement:
    """Pixel counts of one image: both say non-perfused, only one of them, in all."""

    both: int
    predicted_only: int
    annotated_only: int
    gradable: int

    @property
    def dice(self) -> float:
        """``2·both / (predicted + annotated)``; 1 when both are empty."""
        marked = 2 * self.both + self.predicted_only + self.annotated_only
        return 2 * self.both / marked if marked else 1.0

    @property
    def flagged(self) -> float:
        """Share of the gradable retina called non-perfused."""
        return (self.both + self.predicted_only) / max(self.gradable, 1)


def agreement(
    predicted: NDArray[np.bool_], annotated: NDArray[np.bool_], retina: NDArray[np.bool_]
) -> Agreement:
    """Count the pixels of two masks, (rows, columns) bool each."""
    return Agreement(
        both=int(np.count_nonzero(predicted & annotated)),
        predicted_only=int(np.count_nonzero(predicted & ~annotated)),
        annotated_only=int(np.count_nonzero(annotated & ~predicted)),
        gradable=int(np.count_nonzero(retina)),
    )


def pooled(agreements: Sequence[Agreement]) -> Agreement:
    """Counts of several images together: large areas weigh more than small ones."""
    return Agreement(
        both=sum(a.both for a in agreements),
        predicted_only=sum(a.predicted_only for a in agreements),
        annotated_only=sum(a.annotated_only for a in agreements),
        gradable=sum(a.gradable for a in agreements),
    )
