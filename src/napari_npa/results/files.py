"""The files of one result: encoded, put in their place, removed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from napari_npa.errors import SaveError
from napari_npa.io.names import NPA_FILE, OVERLAY_FILE, PROBABILITY_FILE, RETINA_FILE
from napari_npa.io.writing import (
    Encoded,
    json_text,
    mask_tiff,
    picture_png,
    probability_tiff,
    write_json,
    write_together,
)
from napari_npa.results.overlay import overlay
from napari_npa.results.record import Record, as_json, record_path
from napari_npa.results.result import Result
from napari_npa.results.saved import hash_of


def encoded_files(result: Result, *, probability: bool) -> dict[str, Encoded]:
    """Encode the files of a result but the record, by the ends of their names."""
    area = result.npa & result.retina
    picture = overlay(result.angiogram.pixels, area, result.retina)
    data = {
        NPA_FILE: mask_tiff(area),
        RETINA_FILE: mask_tiff(result.retina),
        OVERLAY_FILE: picture_png(picture),
    }
    if probability and result.automatic is not None:
        data[PROBABILITY_FILE] = probability_tiff(result.automatic.probability)
    return data


def put_in_place(base: Path, record: Record, data: Mapping[Path, Encoded]) -> None:
    """Write the files of a result; one that a kill interrupts can be recognised as incomplete."""
    old = {path.name: sha256 for path in data if (sha256 := hash_of(path))}
    pending = msgspec.structs.replace(record, replaces=old)
    # The record goes first: beside other masks, its hashes show that the save was not finished.
    write_together({record_path(base): json_text(as_json(pending)), **data})
    write_json(record_path(base), as_json(record))


def remove_files(paths: Iterable[Path]) -> None:
    """Remove files that are outdated.

    Raises
    ------
    SaveError
        The system refused.
    """
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise SaveError(
                path, f"cannot be removed ({error.strerror})", "Remove it yourself: it is outdated."
            ) from error
