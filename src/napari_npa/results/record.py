"""The record of a result, ``<stem>_npa.json``: its measures, and how its masks were made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from napari_npa.annotation.record import (
    Count,
    Fraction,
    Name,
    Seconds,
    Sha256,
    Weights,
    require_session,
    require_shallow,
)
from napari_npa.io.angiogram import Angiogram
from napari_npa.io.names import RECORD_FILE, beside
from napari_npa.io.texts.ordinary import ordinary_bytes
from napari_npa.measure.ischemia import index_of_counts
from napari_npa.results.result import Provenance, Result
from napari_npa.types import FieldName

FORMAT = 1
"""Number of the format of the records that are written; records before it have none."""

SOFTWARE = ("napari-npa", "torch", "numpy", "scikit-image")
"""Distributions whose versions stand in each record."""

INTENDED_USE = "research use only"

MOST_BYTES = 2**26
"""Size of a record: some hundred thousand edits."""

Hashes = dict[Name, Name]
"""SHA-256 of files, by their names."""


class Identity(msgspec.Struct, frozen=True):
    """Name and SHA-256 of an image."""

    name: Name
    sha256: Sha256


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a result, apart from its masks.

    Attributes
    ----------
    format
        Number of the format; 0: written before there was one.
    status
        ``ungradable``: a person found that no part of the image can be judged; there are no masks.
    isi
        Ischemic index, 0 to 1.
    npa_pixels, retina_pixels
        Non-perfused and gradable pixels.
    image
        The angiogram.
    frame
        Number of the frame of a series, from 2; None: the first, or a single image.
    model, threshold, device, seconds, options, field_of_view
        See :class:`napari_npa.results.result.Provenance`.
    edited
        Whether a person corrected the result, or called it ungradable.
    notes
        What a reader should know.
    software
        Versions by distribution.
    created
        When the result was saved, ISO 8601, UTC.
    intended_use
        A statement.
    files
        Files of the result and their hashes.
    session
        The annotation, see :meth:`napari_npa.annotation.session.Session.as_record`.
    replaces
        Files of the result before and their hashes, while the new ones are being put in their
        place: a program that was killed meanwhile leaves this.
    """

    format: Annotated[int, Meta(ge=0, le=FORMAT)] = 0
    status: Literal["ok", "ungradable"] = "ok"
    isi: Fraction | None = None
    npa_pixels: Count | None = None
    retina_pixels: Count | None = None
    image: Identity
    frame: Annotated[int, Meta(ge=2)] | None = None
    model: Weights = Weights("", "")
    threshold: Fraction | None = None
    edited: bool
    device: Name = ""
    notes: tuple[str, ...] = ()
    software: dict[Name, Name] = {}
    seconds: Seconds | None = None
    created: Name = ""
    intended_use: str = INTENDED_USE
    files: Hashes = {}
    options: dict[str, Any] | None = None
    field_of_view: FieldName | Literal[""] = ""
    session: dict[str, Any] | None = None
    replaces: Hashes | None = None

    @property
    def is_complete(self) -> bool:
        """Whether it holds the measures that its status promises."""
        return self.status == "ungradable" or None not in (
            self.isi,
            self.npa_pixels,
            self.retina_pixels,
        )

    @property
    def provenance(self) -> Provenance:
        """How the automatic masks were made."""
        return Provenance(
            self.model.name,
            self.model.sha256,
            self.threshold,
            self.device,
            self.seconds,
            self.options,
            self.field_of_view,
        )


def record_of(result: Result) -> Record:
    """Record of a result, without its files.

    Raises
    ------
    RetinaError
        No pixel is gradable.
    """
    counts, made = result.counts, result.provenance
    return Record(
        format=FORMAT,
        isi=round(index_of_counts(counts, name=result.angiogram.name), 6),
        npa_pixels=counts.npa,
        retina_pixels=counts.retina,
        image=Identity(result.angiogram.name, result.angiogram.sha256),
        frame=_frame_number(result.angiogram),
        model=Weights(made.model, made.model_sha256),
        threshold=made.threshold,
        edited=result.edited,
        device=made.device,
        notes=result.notes,
        software=dict(software_versions()),
        seconds=None if made.seconds is None else round(made.seconds, 2),
        created=now(),
        options=None if made.options is None else dict(made.options),
        field_of_view=made.field_of_view,
        session=None if result.session is None else dict(result.session),
    )


def ungradable_record(angiogram: Angiogram) -> Record:
    """Record of an image of which no part can be judged: no gradable pixel, and no index."""
    return Record(
        format=FORMAT,
        status="ungradable",
        retina_pixels=0,
        image=Identity(angiogram.name, angiogram.sha256),
        frame=_frame_number(angiogram),
        edited=True,
        notes=angiogram.notes,
        software=dict(software_versions()),
        created=now(),
    )


def _frame_number(angiogram: Angiogram) -> int | None:
    return angiogram.frame + 1 if angiogram.frame else None


def read_record(base: Path) -> Record | None:
    """Record of an image.

    Parameters
    ----------
    base
        Folder, and beginning of the image's file names.

    Returns
    -------
    record
        None where there is no file, or one that is not a record of ours: damaged, of another
        program, or of a newer version; or a link.
    """
    try:
        content = ordinary_bytes(record_path(base), MOST_BYTES)
        record = msgspec.json.decode(content, type=Record)
        if record.session is not None:
            require_session(record.session)
        require_shallow(record.options)
    except (OSError, ValueError, RecursionError):  # msgspec's own errors are ValueErrors
        return None
    if None not in (record.npa_pixels, record.retina_pixels):
        inside = (record.npa_pixels or 0) <= (record.retina_pixels or 0)
        return record if inside else None
    return record


def as_json(record: Record) -> dict[str, Any]:
    """The record as it is written; empty optional entries are left out."""
    content: dict[str, Any] = msgspec.to_builtins(record)
    optional = ("frame", "options", "session", "replaces")
    return {
        name: value for name, value in content.items() if value is not None or name not in optional
    }


def record_schema() -> dict[str, Any]:
    """JSON schema of a record."""
    return msgspec.json.schema(Record)


def record_path(base: Path) -> Path:
    """Where the record of an image goes, given the beginning of its file names."""
    return beside(base, RECORD_FILE)


@cache
def software_versions() -> Mapping[str, str]:
    """Versions of :data:`SOFTWARE`; looked up once, 8 ms each."""
    return {name: version(name) for name in SOFTWARE}


def now() -> str:
    """The time, ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
