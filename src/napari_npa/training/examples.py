"""The training set: angiograms on the network's canvas, with their masks, in memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_npa.errors import TrainingError
from napari_npa.imaging.contrast import logarithmic, normalise_contrast
from napari_npa.imaging.field import field_of_view, instrument_field, scale_window
from napari_npa.imaging.letterbox import Letterbox
from napari_npa.imaging.raster import reduced
from napari_npa.io.angiogram import read_angiogram
from napari_npa.io.decoding import IMAGE_SUFFIXES
from napari_npa.io.masks import masks_by_stem, read_mask
from napari_npa.io.names import MASK_ENDINGS
from napari_npa.segmentation.retina import find_retina
from napari_npa.types import Gray, Mask, Target, Window

Source = Literal["labelled", "perfused", "painted", "simulated"]


@dataclass(frozen=True)
class Example:
    """One training image.

    Attributes
    ----------
    path, patient, source
        Where it is from; `patient` is what sets are split by.
    stretched : (canvas, canvas) uint8
        Gray levels as the network is fed with, 0 to 255.
    npa : (canvas, canvas) bool
        Non-perfusion.
    retina : (canvas, canvas) bool, or None
        Gradable retina where it was outlined; unknown otherwise.
    """

    path: Path
    patient: str
    source: Source
    stretched: NDArray[np.uint8]
    npa: Mask
    retina: Mask | None = None

    @property
    def image(self) -> Gray:
        """Gray levels in [0, 1], (canvas, canvas) float32."""
        return np.divide(self.stretched, 255, dtype=np.float32)

    def part(self, window: Window) -> Example:
        """The example, cut down to some rows and columns."""
        return replace(
            self,
            stretched=self.stretched[window],
            npa=self.npa[window],
            retina=None if self.retina is None else self.retina[window],
        )

    def halved(self) -> Example:
        """The example as it looks on a canvas half as wide."""
        side = len(self.npa) // 2
        return replace(
            self,
            stretched=np.round(reduced(self.stretched.astype(np.float32), side)).astype(np.uint8),
            npa=_half_of_it(self.npa, side),
            retina=None if self.retina is None else _half_of_it(self.retina, side),
        )


@dataclass(frozen=True)
class LabelledFile:
    """An angiogram, its masks, and whose it is.

    Attributes
    ----------
    mask
        Non-perfusion; None: perfused, nothing to outline.
    retina
        Gradable retina; None: to be found.
    """

    image: Path
    mask: Path | None
    patient: str
    source: Source
    retina: Path | None = None


def labelled_files(images: Path, masks: Path, patient_pattern: str) -> list[LabelledFile]:
    """Angiograms of a folder that have a mask ``<stem>_npa.*``, sorted by name."""
    return _paired(images, masks, patient_pattern, "labelled")


def perfused_files(folder: Path, patient_pattern: str) -> list[LabelledFile]:
    """Angiograms of a folder, all without non-perfusion, sorted by name."""
    return [
        LabelledFile(path, None, patient_of(path, patient_pattern), "perfused")
        for path in angiograms(folder)
    ]


def simulated_files(folder: Path) -> list[LabelledFile]:
    """Simulated angiograms and their masks; each is a patient of its own."""
    return _paired(folder, folder, "", "simulated")


def gather_files(
    images: Path | None,
    masks: Path | None,
    perfused: Iterable[Path],
    simulated: Iterable[Path],
    patient_pattern: str,
) -> list[LabelledFile]:
    """All files of a training set.

    Raises
    ------
    TrainingError
        A folder is absent, or holds no angiogram that can be used.
    """
    groups: list[tuple[Path, list[LabelledFile]]] = []
    if images is not None and masks is not None:
        groups.append((images, labelled_files(images, masks, patient_pattern)))
    groups += [(folder, perfused_files(folder, patient_pattern)) for folder in perfused]
    groups += [(folder, simulated_files(folder)) for folder in simulated]
    for folder, files in groups:
        if not files:
            raise TrainingError(
                folder,
                "holds no angiogram to train on",
                "Angiograms are TIFF, PNG or JPEG files, with masks named <stem>_npa.*",
            )
    return [file for _, files in groups for file in files]


def patient_of(path: Path, pattern: str) -> str:
    """What `pattern` finds in the file's stem, else the whole stem."""
    found = re.search(pattern, path.stem) if pattern else None
    return found.group(0) if found else path.stem


def split_by_patient(
    files: Sequence[LabelledFile], held_out: Sequence[str]
) -> tuple[list[LabelledFile], list[LabelledFile]]:
    """Divide files into those to train on and those of held-out patients.

    Parameters
    ----------
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


def load_example(file: LabelledFile, canvases: dict[str, int], target: Target = "npa") -> Example:
    """Read an angiogram and its masks and put them on the canvas for its field of view.

    Parameters
    ----------
    target
        What is to be learned of it: gray levels are stretched by those of the retina, unless
        that is what is looked for.
    """
    pixels = read_angiogram(file.image).pixels
    npa = _mask(file.mask, file.image, pixels.shape)
    outlined = _mask(file.retina, file.image, pixels.shape)
    if outlined is None:
        view, gradable, window = find_retina(pixels, name=file.image.name)
    else:
        field = instrument_field(pixels, name=file.image.name)
        view, gradable = field_of_view(field), outlined
        window = scale_window(field, view, pixels.shape)
    box = Letterbox(pixels.shape, canvases[view.name], window)
    retina = box.apply_mask(gradable)
    scaled = box.apply(pixels)
    stretched = normalise_contrast(scaled, retina) if target == "npa" else logarithmic(scaled)
    return Example(
        file.image,
        file.patient,
        file.source,
        np.round(255 * stretched).astype(np.uint8),
        np.zeros_like(retina) if npa is None else box.apply_mask(npa),
        None if outlined is None else retina,
    )


def _half_of_it(mask: Mask, side: int) -> Mask:
    return np.asarray(reduced(mask.astype(np.float32), side) >= 0.5)


def _mask(path: Path | None, image: Path, shape: tuple[int, int]) -> Mask | None:
    if path is None:
        return None
    mask = read_mask(path)
    if mask.shape != shape:
        raise TrainingError(
            image,
            f"is {shape} pixels but its mask '{path}' is {mask.shape}",
            "Export the mask at the image's own size.",
        )
    return mask


def _paired(images: Path, masks: Path, pattern: str, source: Source) -> list[LabelledFile]:
    npa, retina = (
        masks_by_stem(_entries(masks), ending, IMAGE_SUFFIXES) for ending in MASK_ENDINGS
    )
    return [
        LabelledFile(path, npa[path.stem], patient_of(path, pattern), source, retina.get(path.stem))
        for path in angiograms(images)
        if path.stem in npa
    ]


def angiograms(folder: Path) -> list[Path]:
    """Angiograms of a folder without the masks beside them, sorted by name."""
    return [
        path
        for path in _entries(folder)
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.stem.endswith(MASK_ENDINGS)
    ]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise TrainingError(
            folder, f"cannot be read ({error.strerror})", "Give a folder of images."
        ) from error
