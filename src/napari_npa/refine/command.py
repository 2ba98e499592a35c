"""Correct saved masks from the shell: what the panel does, one correction at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from napari_npa.errors import AngiogramError, NpaError
from napari_npa.imaging.field_of_view import CAMERA_55
from napari_npa.io.angiogram import Angiogram, read_angiogram
from napari_npa.io.masks import read_mask
from napari_npa.refine.growing import grow
from napari_npa.refine.proposal import Proposal
from napari_npa.refine.region import Action, Region, polygon_region
from napari_npa.refine.tile import TileNetwork
from napari_npa.refine.tools import NETWORK, propose
from napari_npa.results.record import WrittenResult, write_result
from napari_npa.segmentation.retina import Retina
from napari_npa.segmentation.segmenter import Segmentation
from napari_npa.types import Mask, Target

Place = tuple[float, float]
"""Row and column, pixels of the image."""


@dataclass(frozen=True)
class Correction:
    """What to correct, where, how.

    Attributes
    ----------
    corners
        Polygon; None where `seed` is given.
    seed
        Place to grow a region from; None where `corners` are given.
    tool, action, target, sensitivity
        See :mod:`napari_npa.refine`.
    """

    corners: tuple[Place, ...] | None
    seed: Place | None
    tool: str = NETWORK
    action: Action = "replace"
    target: Target = "npa"
    sensitivity: float = 0.5


def correct_files(
    image: Path,
    masks: Path,
    output: Path,
    correction: Correction,
    *,
    device: str = "auto",
    tile: str | Path = "tile",
) -> WrittenResult:
    """Correct the masks of an image and write them with overlay and record.

    Parameters
    ----------
    image
        Angiogram.
    masks
        Folder with its ``<stem>_npa.tif`` and ``<stem>_retina.tif``.
    output
        Folder for the corrected result; may be `masks`.
    correction
        What to do.

    Raises
    ------
    AngiogramError
        Image or masks are absent, or of different sizes.
    NpaError
        The correction cannot be made.
    """
    started = perf_counter()
    angiogram = read_angiogram(image)
    npa, retina = (_mask_of(angiogram, image, masks, ending) for ending in ("npa", "retina"))
    network = TileNetwork(device, tile)
    proposal = _proposal(network, angiogram, retina, correction)
    current = npa if correction.target == "npa" else retina
    corrected = proposal.applied(current, correction.action, correction.sensitivity)
    after = {"npa": npa, "retina": retina, correction.target: corrected}
    segmentation = Segmentation(
        probability=after["npa"].astype(np.float32),
        imaged=Retina(CAMERA_55, after["retina"], (slice(0, npa.shape[0]), slice(0, npa.shape[1]))),
        threshold=0.5,
        angiogram=angiogram,
        model=network.model.name,
        model_sha256=network.model.sha256,
        device=device,
        notes=(*angiogram.notes, _in_words(correction)),
    )
    return write_result(
        output,
        image.stem,
        segmentation,
        npa=after["npa"],
        retina=after["retina"],
        seconds=perf_counter() - started,
    )


def _proposal(
    network: TileNetwork, angiogram: Angiogram, retina: Mask, correction: Correction
) -> Proposal:
    seen = network.look(angiogram)
    if correction.seed is not None:
        try:
            return grow(seen, correction.seed, retina=retina)
        except ValueError as error:
            raise NpaError(
                angiogram.name, f"cannot be grown into ({error})", "Give a place in the image."
            ) from error
    region = _region(angiogram, correction)
    [found] = propose(
        correction.tool, network, seen, [region], retina=retina, target=correction.target
    )
    return found


def _region(angiogram: Angiogram, correction: Correction) -> Region:
    rows, columns = angiogram.pixels.shape
    region = polygon_region(correction.corners or (), (rows, columns))
    if region is None:
        raise NpaError(
            angiogram.name,
            f"has no pixel inside the shape; it is {rows} x {columns}",
            "Give rows and columns in pixels of the image.",
        )
    return region


def _mask_of(angiogram: Angiogram, image: Path, masks: Path, ending: str) -> Mask:
    path = masks / f"{image.stem}_{ending}.tif"
    mask = read_mask(path)
    if mask.shape != angiogram.pixels.shape:
        raise AngiogramError(
            path,
            f"is {mask.shape} pixels but the image is {angiogram.pixels.shape}",
            "Give the masks of this image.",
        )
    return mask


def _in_words(correction: Correction) -> str:
    tool = "grow" if correction.seed is not None else correction.tool
    return f"corrected by {tool}: {correction.action}, sensitivity {correction.sensitivity:g}"
