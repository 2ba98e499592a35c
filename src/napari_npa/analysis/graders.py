"""Inter-grader agreement: masks of a results folder against those of a second grader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_npa.errors import EvaluationError
from napari_npa.io.masks import find_masks, match_masks, read_mask
from napari_npa.io.names import NPA_ENDING, NPA_FILE, RETINA_ENDING, RETINA_FILE, beside
from napari_npa.measure.agreement import BlandAltman, IntraclassCorrelation, Summary, compare
from napari_npa.measure.ischemia import ischemic_index
from napari_npa.types import Mask, Progress


@dataclass(frozen=True)
class ImageAgreement:
    """Agreement of two graders on one image.

    Attributes
    ----------
    image
        Beginning of the file names of its masks.
    dice
        Dice coefficient of the two non-perfused areas, within the retina that both graders
        call gradable.
    isi_first, isi_second
        Ischemic index by each grader, percent of the retina that this grader calls gradable.
    """

    image: str
    dice: float
    isi_first: float
    isi_second: float

    @property
    def difference(self) -> float:
        """First minus second index, percentage points."""
        return self.isi_first - self.isi_second


@dataclass(frozen=True)
class InterGraderAgreement:
    """Agreement of the results with the masks of a second grader.

    Attributes
    ----------
    images
        Images with masks of both graders, at least one.
    left_out
        Number of images that have an index but lack a mask of a grader.
    """

    images: tuple[ImageAgreement, ...]
    left_out: int

    @property
    def dice(self) -> Summary:
        """Dice coefficients of the images."""
        return Summary.of(image.dice for image in self.images)

    @property
    def bland_altman(self) -> BlandAltman | None:
        """Differences of the index, percentage points; None for a single image."""
        return BlandAltman.of(*self._indices) if len(self.images) > 1 else None

    @property
    def intraclass_correlation(self) -> IntraclassCorrelation | None:
        """ICC(2,1) of the index; None where it is not defined."""
        return IntraclassCorrelation.of(*self._indices)

    @property
    def _indices(self) -> tuple[list[float], list[float]]:
        return [i.isi_first for i in self.images], [i.isi_second for i in self.images]


def compare_graders(
    folder: Path, bases: Sequence[str], masks: Path, progress: Progress | None = None
) -> InterGraderAgreement:
    """Compare the masks of a results folder with those of a second grader.

    Parameters
    ----------
    folder
        Results, with masks ``<base>_npa.tif`` and ``<base>_retina.tif``.
    bases
        Beginnings of the file names of the results, relative to the folder.
    masks
        Masks of the second grader: ``<stem>_npa.*``, optionally ``<stem>_retina.*``, TIFF or
        PNG, also in subfolders. See :func:`napari_npa.io.masks.match_masks`.
    progress
        Called after each image.

    Raises
    ------
    EvaluationError
        No image has a second mask, or no pixel is gradable for both graders.
    AngiogramError
        The folder of masks or a mask cannot be read, or masks of one image differ in size.
    """
    npas, retinas = (
        find_masks(masks, ending, recursive=True) for ending in (NPA_ENDING, RETINA_ENDING)
    )
    graded = [
        (base, match)
        for base, match in match_masks(bases, npas).items()
        if beside(folder / base, NPA_FILE).exists()
    ]
    if not graded:
        raise EvaluationError(
            masks,
            f"holds no mask of an image in '{folder.name}'",
            f"Name the masks <stem>{NPA_ENDING}.tif or .png, with the stems of the results.",
        )
    images = []
    for done, (base, match) in enumerate(graded, start=1):
        npa = read_mask(beside(folder / base, NPA_FILE))
        own_retina = beside(folder / base, RETINA_FILE)
        images.append(
            _image_agreement(
                base,
                (npa, read_mask(npas[match], npa.shape)),
                (
                    read_mask(own_retina, npa.shape) if own_retina.exists() else None,
                    read_mask(retinas[match], npa.shape) if match in retinas else None,
                ),
            )
        )
        if progress is not None:
            progress(done, len(graded))
    return InterGraderAgreement(tuple(images), len(bases) - len(graded))


def _image_agreement(
    image: str, npa: tuple[Mask, Mask], retinas: tuple[Mask | None, Mask | None]
) -> ImageAgreement:
    """Compare two graders; one who outlined no retina is taken to agree with the other's."""
    whole = np.ones(npa[0].shape, np.bool_)
    first, second = (next((m for m in (r, *retinas) if m is not None), whole) for r in retinas)
    both = first & second
    if not both.any():
        raise EvaluationError(
            image,
            "has no retina that both graders call gradable",
            "Check that both masks are of this image.",
        )
    areas = npa[0] & first, npa[1] & second
    isi_first, isi_second = (
        100 * ischemic_index(area, retina, name=image)
        for area, retina in zip(areas, (first, second), strict=True)
    )
    return ImageAgreement(image, compare(*areas, both).dice, isi_first, isi_second)
