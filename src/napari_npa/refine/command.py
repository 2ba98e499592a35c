"""Correct saved masks from the shell: what the panel does, one correction at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_npa.errors import NpaError
from napari_npa.io.angiogram import Angiogram, read_angiogram
from napari_npa.refine.growing import grow
from napari_npa.refine.proposal import Proposal
from napari_npa.refine.region import Action, Region, polygon_region
from napari_npa.refine.tile import TileNetwork
from napari_npa.refine.tools import NETWORK, propose
from napari_npa.results.folder import ResultFolder
from napari_npa.results.saved import SavedResult
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
) -> SavedResult:
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
    angiogram = read_angiogram(image)
    result = ResultFolder(masks).load(angiogram, image.stem)
    proposal = _proposal(TileNetwork(device, tile), angiogram, result.retina, correction)
    mask = proposal.applied(
        result.mask(correction.target), correction.action, correction.sensitivity
    )
    after = result.corrected(correction.target, mask, _in_words(correction))
    return ResultFolder(output).save(after, image.stem)


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


def _in_words(correction: Correction) -> str:
    tool = "grow" if correction.seed is not None else correction.tool
    return f"corrected by {tool}: {correction.action}, sensitivity {correction.sensitivity:g}"
