"""One correction of a mask, whose sensitivity can still be changed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_npa.refine.proposal import NEUTRAL, Proposal
from napari_npa.refine.region import Action, corrected
from napari_npa.types import Mask, Window


class Correction:
    """What an action makes of a mask, by what a tool proposed.

    Parameters
    ----------
    proposals
        At least one; applied in order.
    action
        What to do inside their regions.
    before : (rows, columns) bool
        The mask so far, on the window around all regions, see
        :func:`napari_npa.refine.window_around`; not changed.
    window
        That window of the image.
    sensitivity
        In [0, 1], see :meth:`Proposal.found`.
    """

    def __init__(
        self,
        proposals: Sequence[Proposal],
        action: Action,
        before: Mask,
        window: Window,
        sensitivity: float = NEUTRAL,
    ) -> None:
        self.proposals = tuple(proposals)
        self.action = action
        self.before = before
        self.window = window
        self.sensitivity = sensitivity
        self._steps = [sensitivity]

    @property
    def gained(self) -> int:
        """Pixels that the correction adds to the mask; negative if it takes more away."""
        return int(np.count_nonzero(self.outcome())) - int(np.count_nonzero(self.before))

    def outcome(self, sensitivity: float | None = None) -> Mask:
        """Mask on the window after the correction, (rows, columns) bool.

        Parameters
        ----------
        sensitivity
            In [0, 1]; None: the current one.
        """
        chosen = self.sensitivity if sensitivity is None else sensitivity
        mask: Mask = self.before.copy()
        for proposal in self.proposals:
            part = _relative(proposal.region.window, self.window)
            found = proposal.found(chosen)
            mask[part] = corrected(mask[part], found, proposal.region.inside, self.action)
        return mask

    def applied(self, mask: Mask) -> Mask:
        """Copy of a mask of the whole image, (rows, columns) bool, with the outcome in it."""
        after = mask.copy()
        after[self.window] = self.outcome()
        return after

    def end_step(self) -> None:
        """Remember that the current sensitivity is one to which an undo or redo can lead."""
        self._steps.append(self.sensitivity)

    def is_shown(self, mask: Mask) -> bool:
        """Whether a mask is this correction's, with no later change of its surroundings.

        Parameters
        ----------
        mask : (rows, columns) bool
            On the window. If an undo or redo has led to another step of this correction, the
            sensitivity becomes that of the step.
        """
        for sensitivity in (self.sensitivity, *reversed(self._steps)):
            if np.array_equal(mask, self.outcome(sensitivity)):
                self.sensitivity = sensitivity
                return True
        return False


def _relative(window: Window, outer: Window) -> Window:
    rows, columns = (
        slice(span.start - around.start, span.stop - around.start)
        for span, around in zip(window, outer, strict=True)
    )
    return rows, columns
