"""The training set: which angiograms have masks, whose they are, and who is held out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from napari_npa.errors import TrainingError
from napari_npa.io.decoding import IMAGE_SUFFIXES
from napari_npa.io.masks import find_masks, match_masks
from napari_npa.io.names import MASK_ENDINGS
from napari_npa.results.truth import REMEDY, only_predicted
from napari_npa.training.config import Source


@dataclass(frozen=True)
class LabelledFile:
    """An angiogram, its masks, and whose it is.

    Attributes
    ----------
    image
        The angiogram.
    mask
        Non-perfusion; None: perfused, nothing to outline.
    patient
        What training sets are split by.
    source
        Where the image comes from.
    retina
        Gradable retina; None: not outlined, so it is found when the image is read.
    """

    image: Path
    mask: Path | None
    patient: str
    source: Source
    retina: Path | None = None


def labelled_files(images: Path, masks: Path, patient_pattern: str) -> list[LabelledFile]:
    """List the angiograms of a folder that have a mask ``<stem>_npa.*``, sorted by name."""
    return _paired(images, masks, patient_pattern, "labelled")


def perfused_files(folder: Path, patient_pattern: str) -> list[LabelledFile]:
    """List the angiograms of a folder, all without non-perfusion, sorted by name."""
    return [
        LabelledFile(path, None, patient_of(path, patient_pattern), "perfused")
        for path in angiograms(folder)
    ]


def simulated_files(folder: Path) -> list[LabelledFile]:
    """List simulated angiograms and their masks; each is a patient of its own."""
    return _paired(folder, folder, "", "simulated")


def gather_files(
    images: Path | None,
    masks: Path | None,
    perfused: Iterable[Path],
    simulated: Iterable[Path],
    patient_pattern: str,
) -> list[LabelledFile]:
    """List all files of a training set.

    Parameters
    ----------
    images, masks
        Folders of labelled angiograms and of their masks; both None: there are none.
    perfused
        Folders of angiograms without non-perfusion.
    simulated
        Folders that ``napari-npa simulate`` has written.
    patient_pattern
        Regular expression that finds the patient in a file's stem.

    Raises
    ------
    TrainingError
        A folder is absent, or holds no angiogram that can be used, or a mask is a prediction.
    """
    groups: list[tuple[Path, list[LabelledFile]]] = []
    if images is not None and masks is not None:
        groups.append((images, labelled_files(images, masks, patient_pattern)))
    groups += [(folder, perfused_files(folder, patient_pattern)) for folder in perfused]
    groups += [(folder, simulated_files(folder)) for folder in simulated]
    if ours := only_predicted(mask for _, files in groups for f in files if (mask := f.mask)):
        raise TrainingError(
            ours[0], "is a result of this program that nobody corrected or approved", REMEDY
        )
    for folder, files in groups:
        if not files:
            raise TrainingError(
                folder,
                "holds no angiogram to train on",
                "Angiograms are TIFF, PNG or JPEG files, with masks named <stem>_npa.*",
            )
    return [file for _, files in groups for file in files]


def patient_of(path: Path, pattern: str) -> str:
    """Return what `pattern` finds in the file's stem, or else the whole stem."""
    found = re.search(pattern, path.stem) if pattern else None
    return found.group(0) if found else path.stem


def split_by_patient(
    files: Sequence[LabelledFile], held_out: Sequence[str]
) -> tuple[list[LabelledFile], list[LabelledFile]]:
    """Divide files into those to train on and those of held-out patients.

    Parameters
    ----------
    files
        The training set.
    held_out
        Patients, shell wildcards allowed: ``patient17``, ``sim_*7``.

    Raises
    ------
    TrainingError
        A pattern fits no patient, or nothing labelled is left to train on.
    """
    patients = {file.patient for file in files}
    for pattern in held_out:
        if not any(fnmatch(patient, pattern) for patient in patients):
            raise TrainingError(
                pattern,
                "is to be held out, but no patient of the training set has that name",
                f"Patients are: {', '.join(sorted(patients)[:12])} …",
            )
    train: list[LabelledFile] = []
    test: list[LabelledFile] = []
    for file in files:
        out = any(fnmatch(file.patient, pattern) for pattern in held_out)
        (test if out else train).append(file)
    if not any(file.mask for file in train):
        raise TrainingError(
            "training set",
            "has no image with a mask left to train on",
            "Give images whose masks are named <stem>_npa.*, or hold out fewer patients.",
        )
    return train, test


def angiograms(folder: Path) -> list[Path]:
    """List the angiograms of a folder without the masks beside them, sorted by name."""
    return [
        path
        for path in _entries(folder)
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.stem.endswith(MASK_ENDINGS)
    ]


def _paired(images: Path, masks: Path, pattern: str, source: Source) -> list[LabelledFile]:
    _entries(masks)  # an absent folder is an error of the training set
    found = angiograms(images)
    npa, retina = (_masks_of(found, masks, ending) for ending in MASK_ENDINGS)
    return [
        LabelledFile(path, npa[path], patient_of(path, pattern), source, retina.get(path))
        for path in found
        if path in npa
    ]


def _masks_of(images: list[Path], masks: Path, ending: str) -> dict[Path, Path]:
    """Masks of one kind, by their images."""
    there = find_masks(masks, ending)
    matched = match_masks((path.stem for path in images), there)
    return {path: there[matched[path.stem]] for path in images if path.stem in matched}


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise TrainingError(
            folder, f"cannot be read ({error.strerror})", "Give a folder of images."
        ) from error
