"""The last correction of a layer: one step to undo, whose sensitivity can still be changed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from napari.layers import Labels

from napari_npa.plugin.layers.steps import Step, write_step
from napari_npa.refine import Action, Correction, Proposal, window_around
from napari_npa.types import Mask, Window


class LayerCorrection:
    """A correction written into a Labels layer.

    Parameters
    ----------
    layer
        Layer of 0 and 1; corrected at once.
    proposals
        At least one; applied in order.
    action
        What to do inside their regions.
    """

    def __init__(self, layer: Labels, proposals: Sequence[Proposal], action: Action) -> None:
        window = window_around(proposal.region for proposal in proposals)
        self.layer = layer
        self.made = Correction(proposals, action, _shown(layer, window), window)
        self._adjustment: Step | None = None
        self._write()

    def adjust(self, sensitivity: float) -> None:
        """Change the sensitivity, and no pixel that the correction does not reach.

        Only while :meth:`is_shown`. Until :meth:`end_adjusting`, all adjustments are one step to
        undo.
        """
        self.made.sensitivity = sensitivity
        self._adjustment = self._write(self._adjustment) or self._adjustment

    def end_adjusting(self) -> None:
        """Let the next adjustment be another step to undo."""
        self._adjustment = None
        self.made.end_step()

    def is_shown(self) -> bool:
        """Whether the layer shows this correction; see :meth:`Correction.is_shown`."""
        return self.made.is_shown(_shown(self.layer, self.made.window))

    def _write(self, onto: Step | None = None) -> Step | None:
        window, mask = self.made.window, self.made.outcome()
        rows, columns = np.nonzero(_shown(self.layer, window) != mask)
        changed = (rows + window[0].start, columns + window[1].start)
        values = mask[rows, columns].astype(np.uint8)
        return write_step(self.layer, changed, values, onto=onto)


def _shown(layer: Labels, window: Window) -> Mask:
    """A window of a layer, as a mask."""
    mask: Mask = np.asarray(layer.data[window]) != 0
    return mask
