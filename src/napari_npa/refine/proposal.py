"""What a tool of correction found in a region, for any sensitivity."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from napari_npa.refine.region import Action, Region, corrected
from napari_npa.types import Gray, Mask

NEUTRAL = 0.5
"""Sensitivity at which a tool finds what it was calibrated to find."""


@dataclass(frozen=True, eq=False)
class Proposal:
    """Evidence of a tool in a region; the sensitivity can be chosen afterwards.

    Attributes
    ----------
    region
        Where the tool has looked.
    evidence : (rows, columns) float32
        In [0, 1], on the region's window; a pixel is found where it reaches
        ``1 - sensitivity``, so 0.5 is each tool's own decision. Where it is 0, nothing
        is ever found.
    """

    region: Region
    evidence: Gray

    def found(self, sensitivity: float = NEUTRAL) -> Mask:
        """What is found inside the region, (rows, columns) bool on its window.

        Parameters
        ----------
        sensitivity
            In [0, 1]; more finds more.
        """
        reached = (self.evidence >= np.float32(1 - sensitivity)) & (self.evidence > 0)
        return reached & self.region.inside

    def applied(self, mask: Mask, action: Action, sensitivity: float = NEUTRAL) -> Mask:
        """Mask of the whole image after the correction.

        Parameters
        ----------
        mask : (rows, columns) bool
            Of the image; not changed.

        Returns
        -------
        mask : (rows, columns) bool
            A copy, equal to the input outside the region.
        """
        after = mask.copy()
        window = self.region.window
        after[window] = corrected(mask[window], self.found(sensitivity), self.region.inside, action)
        return after

    def within(self, allowed: Mask) -> Proposal:
        """The same, but nothing is found outside of a mask of the image, (rows, columns) bool."""
        return replace(self, evidence=np.where(allowed[self.region.window], self.evidence, 0))


def shape_itself(region: Region) -> Proposal:
    """All of a region, whatever the angiogram shows there."""
    return Proposal(region, region.inside.astype(np.float32))
