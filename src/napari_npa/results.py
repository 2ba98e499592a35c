"""What is written for a segmented angiogram: masks, overlay, record, and a row of the table."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from napari_npa.contrast import normalise_contrast
from napari_npa.errors import SaveError
from napari_npa.measure import ischemic_index
from napari_npa.segmentation import Segmentation
from napari_npa.session import require_image
from napari_npa.writing import write_json, write_mask, write_png, write_probability, write_text

TABLE = "ischemia.csv"
"""Name of the table with a row an image."""

SOFTWARE = ("napari-npa", "torch", "numpy", "scikit-image")
"""Distributions whose versions stand in each record."""

OVERLAY_SIDE = 2000
"""Longest side of an overlay picture, pixels; it is for looking, the masks are for measuring."""

NPA_COLOUR = np.array([230, 60, 40], np.float32)
RETINA_COLOUR = np.array([60, 200, 90], np.uint8)
NPA_OPACITY = np.float32(0.4)


@dataclass(frozen=True)
class Row:
    """A row of the table; empty where an image failed."""

    image: str
    isi: float | None = None
    npa_pixels: int | None = None
    retina_pixels: int | None = None
    model: str = ""
    seconds: float | None = None
    status: str = "ok"
    message: str = ""


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
    npa: NDArray[np.bool_] | None = None,
    retina: NDArray[np.bool_] | None = None,
    probability: bool = False,
    session: Mapping[str, Any] | None = None,
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
    )
    make_folder(folder)
    base = folder / _own_stem(folder, stem, angiogram.sha256)
    files = {
        "npa": base.with_name(f"{base.name}_npa.tif"),
        "retina": base.with_name(f"{base.name}_retina.tif"),
        "overlay": base.with_name(f"{base.name}_overlay.png"),
    }
    write_mask(files["npa"], area)
    write_mask(files["retina"], gradable)
    write_png(files["overlay"], overlay(angiogram.pixels, area, gradable))
    if probability:
        files["probability"] = base.with_name(f"{base.name}_probability.tif")
        write_probability(files["probability"], segmentation.probability)
    files["record"] = record_path(base)
    edited = npa is not None or retina is not None
    record = _record(segmentation, row, edited=edited)
    if session is not None:
        record["session"] = dict(session)
    write_json(files["record"], record)
    return WrittenResult(tuple(files.values()), row)


def overlay(
    pixels: NDArray[np.float32], npa: NDArray[np.bool_], retina: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Draw the areas on the contrast-normalised angiogram, at most 2000 pixels a side.

    Returns
    -------
    picture : (rows, columns, 3) uint8
        Non-perfusion filled red, gradable retina outlined green.
    """
    step = -(-max(pixels.shape) // OVERLAY_SIDE)
    thinned = (slice(None, None, step), slice(None, None, step))
    pixels, npa, retina = pixels[thinned], npa[thinned], retina[thinned]
    gray = np.repeat(255 * normalise_contrast(pixels, retina)[..., None], 3, axis=2)
    gray[npa] = (1 - NPA_OPACITY) * gray[npa] + NPA_OPACITY * NPA_COLOUR
    picture = np.round(gray).astype(np.uint8)
    picture[retina & ~binary_erosion(retina, iterations=2)] = RETINA_COLOUR
    return picture


def write_table(folder: Path, rows: Sequence[Row]) -> Path:
    """Write ``ischemia.csv`` with a row an image.

    Raises
    ------
    SaveError
        The table could not be written.
    """
    text = StringIO()
    writer = csv.DictWriter(text, [f.name for f in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    path = folder / TABLE
    write_text(path, text.getvalue())
    return path


def record_path(base: Path) -> Path:
    """Where the record of an image goes, given the beginning of its file names."""
    return base.with_name(f"{base.name}_npa.json")


def make_folder(folder: Path) -> None:
    """Make a results folder, and those above it.

    Raises
    ------
    SaveError
        It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SaveError(
            folder, f"cannot be made ({error.strerror})", "Choose another folder."
        ) from error


def _own_stem(folder: Path, stem: str, sha256: str) -> str:
    """`stem`, or one of this image's own where another image holds that name."""
    record = record_path(folder / stem)
    if not record.exists():
        return stem
    try:
        holder = json.loads(record.read_text("utf-8"))["image"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        holder = None  # not a record of ours: leave it alone
    return stem if holder == sha256 else f"{stem}_{sha256[:8]}"


def _record(segmentation: Segmentation, row: Row, *, edited: bool) -> dict[str, Any]:
    return {
        "isi": row.isi,
        "npa_pixels": row.npa_pixels,
        "retina_pixels": row.retina_pixels,
        "image": {"name": row.image, "sha256": segmentation.angiogram.sha256},
        "model": {"name": segmentation.model, "sha256": segmentation.model_sha256},
        "threshold": segmentation.threshold,
        "edited": edited,
        "device": segmentation.device,
        "notes": list(segmentation.notes),
        "software": {name: version(name) for name in SOFTWARE},
        "seconds": row.seconds,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "intended_use": "research use only",
    }
