"""Agreement of a folder of results with the masks of a second grader."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from napari_npa.analysis.evaluate import MASK_SUFFIXES
from napari_npa.errors import EvaluationError
from napari_npa.io.masks import read_mask
from napari_npa.io.names import NPA_ENDING, RETINA_ENDING
from napari_npa.measure.agreement import BlandAltman, IntraclassCorrelation, Summary, compare
from napari_npa.measure.ischemia import ischemic_index
from napari_npa.types import Mask, Progress


@dataclass(frozen=True)
class GradedTwice:
    """An image that two graders outlined.

    Attributes
    ----------
    image
        Beginning of the names of its masks.
    dice
        Overlap of the two areas, in the retina that both call gradable.
    isi_first, isi_second
        Percent of the retina that the grader calls gradable.
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
class TwoGraders:
    """Agreement of the results with the masks of a second grader.

    Attributes
    ----------
    images
        Those with masks of both, at least one.
    left_out
        How many images with an index lack a mask.
    """

    images: tuple[GradedTwice, ...]
    left_out: int

    @property
    def dice(self) -> Summary:
        """Overlap over the images."""
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
) -> TwoGraders:
    """Compare the masks of a results folder with those of a second grader.

    Parameters
    ----------
    folder
        Results: ``<base>_npa.tif``, ``<base>_retina.tif``.
    bases
        Beginnings of the names of the masks, relative to the folder.
    masks
        The second grader's: ``<stem>_npa.*``, possibly ``<stem>_retina.*``, TIFF or PNG; also
        in folders below. They are matched by their path, else by the stem alone where it is
        unique.
    progress
        Called after each image with the number done and of all.

    Raises
    ------
    EvaluationError
        No image has a second mask, sizes differ, or the graders' retinas do not meet.
    AngiogramError
        A mask is not an image of one channel.
    """
    if not masks.is_dir():
        raise EvaluationError(masks, "is not a folder", "Give the second grader's folder of masks.")
    npa, retina = _masks_below(masks, NPA_ENDING), _masks_below(masks, RETINA_ENDING)
    pairs = [
        (base, second)
        for base, second in _matched(bases, npa).items()
        if _first_mask(folder, base, NPA_ENDING).exists()
    ]
    if not pairs:
        raise EvaluationError(
            masks,
            f"holds no mask of an image in '{folder.name}'",
            "Name the masks <stem>_npa.tif or .png, with the stems of the results.",
        )
    compared = []
    for done, (base, second) in enumerate(pairs, 1):
        own_retina = _first_mask(folder, base, RETINA_ENDING)
        compared.append(
            _graded_twice(
                base,
                (read_mask(_first_mask(folder, base, NPA_ENDING)), read_mask(npa[second])),
                (
                    read_mask(own_retina) if own_retina.exists() else None,
                    read_mask(retina[second]) if second in retina else None,
                ),
            )
        )
        if progress is not None:
            progress(done, len(pairs))
    return TwoGraders(tuple(compared), len(bases) - len(pairs))


def _graded_twice(
    image: str, npa: tuple[Mask, Mask], retina: tuple[Mask | None, Mask | None]
) -> GradedTwice:
    """Compare two graders; who outlined no gradable retina is taken to agree with the other."""
    shapes = {mask.shape for mask in (*npa, *retina) if mask is not None}
    if len(shapes) > 1:
        raise EvaluationError(
            image,
            f"has masks of {' and '.join(map(str, sorted(shapes)))} pixels",
            "Compare masks of one image at one size.",
        )
    whole = np.ones(npa[0].shape, bool)
    own, other = (next((m for m in (r, *retina) if m is not None), whole) for r in retina)
    both = own & other
    if not both.any():
        raise EvaluationError(
            image,
            "has no retina that both graders call gradable",
            "Check that both masks are of this image.",
        )
    areas = npa[0] & own, npa[1] & other
    first, second = (
        100 * ischemic_index(area, region, name=image)
        for area, region in zip(areas, (own, other), strict=True)
    )
    return GradedTwice(image, compare(*areas, both).dice, first, second)


def _matched(bases: Iterable[str], masks: Mapping[str, Path]) -> dict[str, str]:
    """Second masks of first ones: at the same path, else of the same stem where unique."""
    plain = {plain_path(base): base for base in bases}
    firsts = Counter(PurePosixPath(base).name for base in plain)
    seconds: dict[str, list[str]] = {}
    for mask in masks:
        seconds.setdefault(PurePosixPath(mask).name, []).append(mask)
    found = {}
    for name, base in plain.items():
        stem = PurePosixPath(name).name
        alike = seconds.get(stem, [])
        if name in masks:
            found[base] = name
        elif firsts[stem] == len(alike) == 1:
            found[base] = alike[0]
    return found


def _masks_below(folder: Path, ending: str) -> dict[str, Path]:
    """Masks in a folder and those below, by their path in it without the ending."""
    return {
        plain_path(
            (path.parent / path.stem.removesuffix(ending)).relative_to(folder).as_posix()
        ): path
        for path in sorted(folder.rglob(f"*{ending}.*"))
        if path.suffix.lower() in MASK_SUFFIXES and not path.name.startswith(".")
    }


def _first_mask(folder: Path, base: str, ending: str) -> Path:
    return folder / f"{base}{ending}.tif"


def plain_path(name: str) -> str:
    r"""One writing of a path: Windows separates by ``\\``, macOS composes letters otherwise."""
    return unicodedata.normalize("NFC", name).replace("\\", "/")
