"""The last correction of a layer: one step to undo, whose sensitivity can still be changed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np
from napari.layers import Labels

from napari_npa.refine import NEUTRAL, Action, Proposal, corrected
from napari_npa.types import Mask, Window


class Correction:
    """Proposals applied to a Labels layer.

    Parameters
    ----------
    layer
        Layer of 0 and 1; corrected at once.
    proposals
        At least one; applied in order.
    action
        What to do inside their regions.
    sensitivity
        In [0, 1], see :meth:`Proposal.found`.
    """

    def __init__(
        self,
        layer: Labels,
        proposals: Sequence[Proposal],
        action: Action,
        sensitivity: float = NEUTRAL,
    ) -> None:
        self.layer = layer
        self.proposals = proposals
        self.action = action
        self.sensitivity = sensitivity
        self.window = _around(proposals)
        self._before = np.asarray(layer.data[self.window]) != 0
        self._tried = [sensitivity]
        self._drag: ExitStack | None = None
        self._write(self._outcome(sensitivity))

    def adjust(self, sensitivity: float) -> None:
        """Do it again with another sensitivity; nothing but the correction is changed.

        Only while :meth:`is_shown`. Undoable on its own.
        """
        self.sensitivity = sensitivity
        if self._drag is None:
            self._tried.append(sensitivity)
        self._write(self._outcome(sensitivity))

    def gained(self) -> int:
        """Pixels that the layer has more than before the correction, or fewer."""
        now = np.count_nonzero(self.layer.data[self.window])
        return int(now) - int(np.count_nonzero(self._before))

    def begin_drag(self) -> None:
        """Gather the following adjustments into one step to undo."""
        self.end_drag()
        self._drag = ExitStack()
        self._drag.enter_context(self.layer.block_history())

    def end_drag(self) -> None:
        """Close the step that :meth:`begin_drag` opened."""
        if self._drag is not None:
            self._drag.close()
            self._drag = None
            self._tried.append(self.sensitivity)

    def is_shown(self) -> bool:
        """Whether the layer shows this correction and no later change of its surroundings.

        After an undo or redo of an adjustment, the sensitivity is the one then shown.
        """
        shown = np.asarray(self.layer.data[self.window]) != 0
        for sensitivity in (self.sensitivity, *reversed(self._tried)):
            if np.array_equal(shown, self._outcome(sensitivity)):
                self.sensitivity = sensitivity
                return True
        return False

    def _outcome(self, sensitivity: float) -> Mask:
        """Mask on the window after the correction."""
        mask: Mask = self._before.copy()
        for proposal in self.proposals:
            part = _relative(proposal.region.window, self.window)
            found = proposal.found(sensitivity)
            mask[part] = corrected(mask[part], found, proposal.region.inside, self.action)
        return mask

    def _write(self, mask: Mask) -> None:
        shown = np.asarray(self.layer.data[self.window]) != 0
        rows, columns = np.nonzero(shown != mask)
        changed = (rows + self.window[0].start, columns + self.window[1].start)
        self.layer.data_setitem(changed, mask[rows, columns].astype(np.uint8))


def _around(proposals: Sequence[Proposal]) -> Window:
    """Smallest window that holds all regions."""
    windows = [proposal.region.window for proposal in proposals]
    rows, columns = (
        slice(
            min(window[axis].start for window in windows),
            max(window[axis].stop for window in windows),
        )
        for axis in (0, 1)
    )
    return rows, columns


def _relative(window: Window, outer: Window) -> Window:
    rows, columns = (
        slice(span.start - around.start, span.stop - around.start)
        for span, around in zip(window, outer, strict=True)
    )
    return rows, columns
