"""The file of an annotation: session, masks and threshold after an edit.

A file consists of :data:`MAGIC`; the SHA-256 of all that follows; the length of the summary
(4 bytes, little endian); the summary (JSON); and the session record (JSON), the non-perfusion
and the gradable retina (one bit per pixel), each deflated. The summary gives the lengths of the
last three. Reading runs no code from the file, and never takes an incomplete file as whole.
"""

from __future__ import annotations

import hashlib
import json
import uuid
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO, get_args

import msgspec
import numpy as np
from msgspec import Meta

from napari_npa import __version__
from napari_npa.annotation.packed_mask import PackedMask
from napari_npa.annotation.record import Count, Name, Sha256, require_session
from napari_npa.annotation.session import AnnotationError, Session
from napari_npa.types import Target

MAGIC = b"napari-npa annotation\n"

FORMAT = 1
"""Number of the format: increased when older programs can no longer read the files."""

DIGEST_BYTES = hashlib.sha256().digest_size

LENGTH_BYTES = 4

# What reading raises if the digest fits but another program wrote the file.
_NOT_OURS = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
    zlib.error,
)

MOST_BYTES = 2**26
"""Size of a session record: some hundred thousand edits."""

MOST_PIXELS = 2**30
"""Of a mask: more than any image has that is read."""

SUMMARY_BYTES = 2**16
"""Largest summary; a longer one is damaged."""

DEFLATE_LEVEL = 1
"""Masks are large uniform areas: a higher level takes longer and saves little."""


@dataclass(frozen=True)
class Summary:
    """What the head of a file says, without unpacking the rest.

    Attributes
    ----------
    image_sha256
        Hash of the image.
    session_id
        Session that wrote it.
    edits
        Number of the last edit.
    saved
        Whether the user has saved since that edit.
    source
        File of the image when it was annotated; None for an array.
    folder
        Folder that the user saved to; None if never saved.
    written
        When the file was written, ISO 8601, UTC; empty: unknown.
    frame
        Which image of a series that file is of, from 0.
    """

    image_sha256: str
    session_id: str
    edits: int
    saved: bool
    source: Path | None = None
    folder: Path | None = None
    written: str = ""
    frame: int = 0


@dataclass(frozen=True, eq=False)
class Annotation:
    """A session at one moment, with what a panel needs to continue it.

    Attributes
    ----------
    session
        A snapshot that does not change any more.
    threshold
        Probability from which a pixel was non-perfused, in (0, 1].
    saved
        Whether the user has saved since the last edit.
    folder
        Folder that the user saved to; None if never saved.
    source
        File of the image, so that it can be opened again. It is stored only in the data folder
        of the user, never in a log or an export.
    frame
        Which image of a series in that file, from 0.
    software
        Version of this program.
    weights
        Hash of the weights whose threshold that is; empty: those of the session.
    notes
        What the user should know about how it was found; not stored on disk.
    """

    session: Session
    threshold: float
    saved: bool = False
    folder: Path | None = None
    source: Path | None = None
    frame: int = 0
    software: str = __version__
    weights: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def summary(self) -> Summary:
        """Summary of the file."""
        session = self.session
        return Summary(session.image_sha256, session.id, session.number, self.saved, self.source)


def encode(annotation: Annotation) -> bytes:
    """Encode an annotation as the content of its file."""
    session = annotation.session
    parts = {
        "session": zlib.compress(_json(session.as_record()), DEFLATE_LEVEL),
        "npa": zlib.compress(session.npa.bits.data, DEFLATE_LEVEL),
        "retina": zlib.compress(session.retina.bits.data, DEFLATE_LEVEL),
    }
    summary = _json(
        {
            "format": FORMAT,
            "image_sha256": session.image_sha256,
            "session_id": session.id,
            "edits": session.number,
            "saved": annotation.saved,
            "folder": _text(annotation.folder),
            "source": _text(annotation.source),
            "frame": annotation.frame,
            "threshold": annotation.threshold,
            "weights": annotation.weights,
            "software": annotation.software,
            "written": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "bytes": {name: len(part) for name, part in parts.items()},
        }
    )
    length = len(summary).to_bytes(LENGTH_BYTES, "little")
    content = b"".join((length, summary, *parts.values()))
    return MAGIC + hashlib.sha256(content).digest() + content


def decode(content: bytes, name: str | Path) -> Annotation:
    """Decode the content of the file of an annotation.

    Parameters
    ----------
    content
        The whole file.
    name
        Name of the file in an error.

    Raises
    ------
    AnnotationError
        The file is incomplete, damaged, or not an annotation. :class:`NewerFormatError`: it
        was written by a newer version of this program.
    """
    start = len(MAGIC) + DIGEST_BYTES
    digest = hashlib.sha256(memoryview(content)[start:]).digest()
    if not content.startswith(MAGIC) or content[len(MAGIC) : start] != digest:
        raise _damaged(name)
    try:
        length = int.from_bytes(content[start : start + LENGTH_BYTES], "little")
        start += LENGTH_BYTES
        summary = content[start : start + length]
        if msgspec.json.decode(summary, type=_Numbered).format > FORMAT:
            raise NewerFormatError(
                name, "was written by a newer version of this program", "Update the program."
            )
        about = msgspec.json.decode(summary, type=_About)
        start += length
        parts = {}
        for part, length in msgspec.structs.asdict(about.bytes).items():
            parts[part] = content[start : start + length]
            start += length
        record = json.loads(_unpacked(parts["session"], MOST_BYTES))
        require_session(record)
        rows, columns = record["shape"]
        if rows * columns > MOST_PIXELS:
            raise ValueError("larger than any image")
        npa, retina = (
            np.frombuffer(_unpacked(parts[name], -(-rows * columns // 8)), np.uint8)
            for name in get_args(Target)
        )
        session = Session.from_record(
            record, PackedMask(npa, (rows, columns)), PackedMask(retina, (rows, columns))
        )
        session.id = uuid.UUID(about.session_id).hex  # becomes part of a file name
        if session.image_sha256 != about.image_sha256 or session.number != about.edits:
            raise _damaged(name)
        return Annotation(
            session=session,
            threshold=about.threshold,
            weights=about.weights,
            saved=about.saved,
            folder=_path(about.folder),
            source=_path(about.source),
            frame=about.frame,
            software=about.software,
        )
    except _NOT_OURS as error:
        raise _damaged(name) from error


class _Numbered(msgspec.Struct):
    format: Annotated[int, Meta(ge=1)]


class _Lengths(msgspec.Struct):
    """Bytes of the parts, in their order."""

    session: Count
    npa: Count
    retina: Count


class _About(msgspec.Struct):
    """The summary; see :class:`Summary` and :class:`Annotation`."""

    image_sha256: Sha256
    session_id: Name
    edits: Count
    saved: bool
    folder: str | None
    source: str | None
    threshold: Annotated[float, Meta(gt=0, le=1)]
    software: Name
    bytes: _Lengths
    weights: Name = ""
    written: Name = ""
    frame: Count = 0


def _unpacked(part: bytes, most: int) -> bytes:
    """Inflate a part, but to no more bytes than it can have: a few may inflate to gigabytes."""
    inflater = zlib.decompressobj()
    unpacked = inflater.decompress(part, most + 1)
    if len(unpacked) > most or not inflater.eof:
        raise ValueError("longer than it can be")
    return unpacked


def read_summary(path: Path) -> Summary | None:
    """Read the summary of a file without unpacking the rest; None if that is not possible."""
    try:
        with path.open("rb") as file:
            about = _summary_of(file)
        return Summary(
            about.image_sha256,
            about.session_id,
            about.edits,
            about.saved,
            _path(about.source),
            _path(about.folder),
            about.written,
            about.frame,
        )
    except (OSError, *_NOT_OURS):
        return None


class NewerFormatError(AnnotationError):
    """An annotation that was written by a newer version of this program."""


def _summary_of(file: BinaryIO) -> _About:
    head = file.read(len(MAGIC) + DIGEST_BYTES + LENGTH_BYTES)
    length = int.from_bytes(head[-LENGTH_BYTES:], "little")
    if not head.startswith(MAGIC) or length > SUMMARY_BYTES:
        raise ValueError("no summary")
    return msgspec.json.decode(file.read(length), type=_About)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def _damaged(name: str | Path) -> AnnotationError:
    return AnnotationError(
        name,
        "is damaged or not an annotation",
        "Continue from the automatic result or a saved one.",
    )
