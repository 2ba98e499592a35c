"""Masks that may stand for the truth: those of graders, and results that a person looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from napari_npa.io.decoding import IMAGE_SUFFIXES
from napari_npa.io.names import MASK_ENDINGS, NPA_ENDING, RETINA_ENDING, beside
from napari_npa.results.approvals import is_approved
from napari_npa.results.saved import SavedResult, hash_of

_WITH_HASH = re.compile(r"(.+)_[0-9a-f]{8}")

REMEDY = "Give the graders' masks; or correct, or approve in the review queue, what is right."


def only_predicted(masks: Iterable[Path]) -> list[Path]:
    """Masks that are results of this program which nobody corrected or approved.

    Compared with such, or trained on them, a network agrees with itself.

    Raises
    ------
    NpaError
        Whether a result was approved cannot be read.
    """
    return [mask for mask in masks if _is_prediction(mask)]


def of_graders(masks: Mapping[str, Path]) -> dict[str, Path]:
    """Masks without the results that were saved beside them under names with a hash.

    Parameters
    ----------
    masks
        As :func:`napari_npa.io.masks.find_masks` returns them.
    """
    own = {stem: found[1] for stem in masks if (found := _WITH_HASH.fullmatch(stem))}
    return {
        stem: mask
        for stem, mask in masks.items()
        if own.get(stem) not in masks or not _is_prediction(mask)
    }


def in_the_way(base: Path) -> Path | None:
    """Mask of somebody else that has the name of a result, but for the suffix.

    Parameters
    ----------
    base
        Folder, and beginning of the result's file names.
    """
    suffixes = (s for suffix in IMAGE_SUFFIXES for s in (suffix, suffix.upper()))
    names = {beside(base, ending + s) for s in suffixes for ending in MASK_ENDINGS}
    ours = {beside(base, f"{ending}.tif") for ending in MASK_ENDINGS}
    present = (path for path in sorted(names - ours) if path.is_file())
    # Where upper and lower case are the same, our own file has the other name too.
    return next((path for path in present if not any(map(path.samefile, _present(ours)))), None)


def _present(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.exists()]


def _is_prediction(mask: Path) -> bool:
    for ending in (NPA_ENDING, RETINA_ENDING):
        if mask.stem.endswith(ending):
            saved = SavedResult.at(mask.with_name(mask.stem.removesuffix(ending)))
            if saved is not None and not saved.edited and mask.name in saved.hashes:
                unchanged = hash_of(mask) == saved.hashes[mask.name]
                return unchanged and not is_approved(mask.parent, saved.sha256)
    return False
