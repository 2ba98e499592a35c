"""What another panel asks of the review."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ReviewWish:
    """A folder to be reviewed, and how its images were segmented.

    Attributes
    ----------
    images, output, recursive, at
        As for :func:`napari_npa.plugin.review.preparation.read_queue`.
    model
        Name of embedded weights, or a file.
    two_scales
        Whether ultra-widefield images are looked at twice.
    """

    images: Path
    output: Path
    recursive: bool
    at: str
    model: str | Path
    two_scales: bool
