"""The mask that is corrected, and its Dice after a change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_npa.refine import Region
from napari_npa.types import Mask, Window


@dataclass(frozen=True, eq=False)
class Change:
    """New content of a window of the mask."""

    window: Window
    after: Mask


class Board:
    """A mask and the truth, of which Dice after a change is counted in its window only."""

    def __init__(self, mask: Mask, truth: Mask, judged: Mask) -> None:
        self.mask, self.truth, self.judged = mask.copy(), truth, judged
        self.annotated = np.count_nonzero(truth & judged)
        self.both = np.count_nonzero(mask & truth & judged)
        self.predicted = np.count_nonzero(mask & judged)

    @property
    def dice(self) -> float:
        return self._dice(0, 0)

    def dice_after(self, change: Change) -> float:
        return self._dice(*self._gained(change))

    def make(self, change: Change) -> None:
        both, predicted = self._gained(change)
        self.both += both
        self.predicted += predicted
        self.mask[change.window] = change.after

    def filled(self, region: Region, value: bool) -> Change:
        """All of a region set or cleared."""
        return Change(region.window, np.where(region.inside, value, self.mask[region.window]))

    def dice_inside(self, change: Change, inside: Mask) -> float:
        """Dice in a part of the window: what somebody sees who looks there."""
        truth = self.truth[change.window] & inside
        after = change.after & inside
        counted = np.count_nonzero(truth) + np.count_nonzero(after)
        return 2 * np.count_nonzero(truth & after) / counted if counted else 1.0

    def _gained(self, change: Change) -> tuple[int, int]:
        judged, truth = self.judged[change.window], self.truth[change.window]
        before, after = self.mask[change.window] & judged, change.after & judged
        both = np.count_nonzero(after & truth) - np.count_nonzero(before & truth)
        return both, np.count_nonzero(after) - np.count_nonzero(before)

    def _dice(self, both: int, predicted: int) -> float:
        counted = self.predicted + predicted + self.annotated
        return float(2 * (self.both + both) / counted) if counted else 1.0
