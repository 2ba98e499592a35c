"""What is written for a segmented angiogram: masks, overlay, record, and a row of the table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_npa.annotation.session import require_image
from napari_npa.errors import SaveError
from napari_npa.imaging.contrast import normalise_contrast
from napari_npa.io.angiogram import Angiogram
from napari_npa.io.names import (
    MASK_FILES,
    NPA_FILE,
    OVERLAY_FILE,
    PICTURE_FILES,
    PROBABILITY_FILE,
    RECORD_FILE,
    RETINA_FILE,
    beside,
    hashed_stem,
)
from napari_npa.io.writing import (
    file_sha256,
    make_folder,
    write_json,
    write_mask,
    write_png,
    write_probability,
)
from napari_npa.measure.ischemia import ischemic_index
from napari_npa.results.table import Row
from napari_npa.segmentation.segmenter import Segmentation
from napari_npa.types import Gray, Mask

SOFTWARE = ("napari-npa", "torch", "numpy", "scikit-image")
"""Distributions whose versions stand in each record."""

OVERLAY_SIDE = 2000
"""Longest side of an overlay picture, pixels; it is for looking, the masks are for measuring."""

NPA_OPACITY = 0.4
NPA_COLOURS = np.round(
    (1 - NPA_OPACITY) * np.arange(256)[:, None] + NPA_OPACITY * np.array([230, 60, 40])
).astype(np.uint8)
"""Colour of non-perfusion by the gray level below it, (256, 3)."""

RETINA_COLOUR = np.array([60, 200, 90], np.uint8)


@dataclass(frozen=True)
class WrittenResult:
    """The files of one image, and its row of the table."""

    files: tuple[Path, ...]
    row: Row


def write_result(
    folder: Path,
    stem: str,
    segmentation: Segmentation,
    *,
    seconds: float,
    npa: Mask | None = None,
    retina: Mask | None = None,
    probability: bool = False,
    session: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> WrittenResult:
    """Write ``<stem>_npa.tif``, ``_retina.tif``, ``_overlay.png`` and ``_npa.json``.

    Parameters
    ----------
    folder
        Made when absent.
    stem
        Beginning of the file names. When files of that stem are there from *another*
        image, eight characters of this image's hash are appended instead of
        overwriting them.
    seconds
        How long the segmentation took.
    npa, retina : (rows, columns) bool, optional
        Corrected masks, in place of the automatic ones.
    probability
        Write ``<stem>_probability.tif`` as well.
    session
        Record of the annotation, from :meth:`Session.as_record`; stands in the JSON file.
    options
        How the result was made, to be told from results made otherwise; stands there too.

    Raises
    ------
    AnnotationError
        The session is of another image; nothing is written.
    SaveError
        A file could not be written; the files before it are whole.
    RetinaError
        The gradable retina is empty.
    """
    angiogram = segmentation.angiogram
    if session is not None:
        require_image(session["image_sha256"], angiogram.sha256, name=angiogram.name)
    gradable = segmentation.retina if retina is None else retina
    area = (segmentation.npa if npa is None else npa) & gradable
    row = Row(
        image=angiogram.name,
        isi=round(ischemic_index(area, gradable, name=angiogram.name), 6),
        npa_pixels=int(np.count_nonzero(area)),
        retina_pixels=int(np.count_nonzero(gradable)),
        model=segmentation.model,
        seconds=round(seconds, 2),
        message="; ".join(segmentation.notes),
        threshold=segmentation.threshold,
        edited=npa is not None or retina is not None,
        sha256=angiogram.sha256,
        result=own_stem(folder, stem, angiogram.sha256),
    )
    make_folder(folder)
    base = folder / row.result
    files = {
        "npa": beside(base, NPA_FILE),
        "retina": beside(base, RETINA_FILE),
        "overlay": beside(base, OVERLAY_FILE),
    }
    write_mask(files["npa"], area)
    write_mask(files["retina"], gradable)
    write_png(files["overlay"], overlay(angiogram.pixels, area, gradable))
    if probability:
        files["probability"] = beside(base, PROBABILITY_FILE)
        write_probability(files["probability"], segmentation.probability)
    record = _record(
        row,
        model_sha256=segmentation.model_sha256,
        device=segmentation.device,
        notes=segmentation.notes,
    )
    record["files"] = {path.name: file_sha256(path) for path in files.values()}
    if options is not None:
        record["options"] = dict(options)
    if session is not None:
        record["session"] = dict(session)
    files["record"] = record_path(base)
    write_json(files["record"], record)
    return WrittenResult(tuple(files.values()), row)


def write_ungradable(folder: Path, stem: str, angiogram: Angiogram) -> WrittenResult:
    """Write that a person can judge no part of an angiogram: ``<stem>_npa.json`` alone.

    It tells of no gradable pixel and no index. Masks and overlay of an earlier result of the
    image are removed, so that nobody measures them.

    Parameters
    ----------
    folder, stem
        As for :func:`write_result`.
    angiogram
        The image.

    Raises
    ------
    SaveError
        The record could not be written, or an earlier file not be removed.
    """
    row = Row(
        image=angiogram.name,
        retina_pixels=0,
        status="ungradable",
        message="; ".join(angiogram.notes),
        edited=True,
        sha256=angiogram.sha256,
        result=own_stem(folder, stem, angiogram.sha256),
    )
    make_folder(folder)
    base = folder / row.result
    write_json(record_path(base), _record(row, notes=angiogram.notes) | {"files": {}})
    for ending in (*MASK_FILES, *PICTURE_FILES):
        path = beside(base, ending)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise SaveError(
                path, f"cannot be removed ({error.strerror})", "Remove it yourself: it is outdated."
            ) from error
    return WrittenResult((record_path(base),), row)


def overlay(pixels: Gray, npa: Mask, retina: Mask) -> NDArray[np.uint8]:
    """Draw the areas on the contrast-normalised angiogram, at most 2000 pixels a side.

    Returns
    -------
    picture : (rows, columns, 3) uint8
        Non-perfusion filled red, gradable retina outlined green.
    """
    step = -(-max(pixels.shape) // OVERLAY_SIDE)
    thinned = (slice(None, None, step), slice(None, None, step))
    pixels, npa, retina = pixels[thinned], npa[thinned], retina[thinned]
    gray = (255 * normalise_contrast(pixels, retina) + np.float32(0.5)).astype(np.uint8)
    picture = np.repeat(gray[..., None], 3, axis=2)
    picture[npa] = NPA_COLOURS[gray[npa]]
    picture[_rim(retina)] = RETINA_COLOUR
    return picture


def _rim(mask: Mask) -> Mask:
    """Outermost two pixels of a mask."""
    inner = np.zeros_like(mask)
    inner[2:-2, 2:-2] = mask[4:, 2:-2] & mask[:-4, 2:-2] & mask[2:-2, 4:] & mask[2:-2, :-4]
    return mask & ~inner


@cache
def software_versions() -> Mapping[str, str]:
    """Versions of :data:`SOFTWARE`; looked up once, 8 ms each."""
    return {name: version(name) for name in SOFTWARE}


def record_path(base: Path) -> Path:
    """Where the record of an image goes, given the beginning of its file names."""
    return beside(base, RECORD_FILE)


def own_stem(folder: Path, stem: str, sha256: str) -> str:
    """Beginning of an image's file names: `stem`, or one of its own if another holds that."""
    own = hashed_stem(stem, sha256)
    if record_path(folder / own).exists():
        return own
    if not record_path(folder / stem).exists():
        return stem
    record = read_record(folder / stem)  # None where it is not of ours: leave it alone
    return stem if record is not None and record["image"]["sha256"] == sha256 else own


def read_record(base: Path) -> dict[str, Any] | None:
    """Record of an image, given the beginning of its file names; None if there is none.

    A file that is not a record of ours, or cannot be read, is none.
    """
    try:
        record = json.loads(record_path(base).read_text("utf-8"))
        ours = isinstance(record["image"]["sha256"], str) and isinstance(record["edited"], bool)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if ours else None


def row_of_record(record: Mapping[str, Any], result: str) -> Row | None:
    """Row of the table that an image's record tells; None where it was damaged."""
    try:
        return Row(
            image=record["image"]["name"],
            isi=record["isi"],
            npa_pixels=record["npa_pixels"],
            retina_pixels=record["retina_pixels"],
            model=record["model"]["name"],
            seconds=record["seconds"],
            status=record.get("status", "ok"),
            message="; ".join(record["notes"]),
            threshold=record["threshold"],
            edited=record["edited"],
            sha256=record["image"]["sha256"],
            result=result,
        )
    except (KeyError, TypeError):
        return None


def _record(
    row: Row, *, model_sha256: str = "", device: str = "", notes: Sequence[str] = ()
) -> dict[str, Any]:
    return {
        "status": row.status,
        "isi": row.isi,
        "npa_pixels": row.npa_pixels,
        "retina_pixels": row.retina_pixels,
        "image": {"name": row.image, "sha256": row.sha256},
        "model": {"name": row.model, "sha256": model_sha256},
        "threshold": row.threshold,
        "edited": row.edited,
        "device": device,
        "notes": list(notes),
        "software": dict(software_versions()),
        "seconds": row.seconds,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "intended_use": "research use only",
    }
