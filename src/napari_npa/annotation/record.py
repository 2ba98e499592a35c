"""What the record of an annotation holds, checked when it is read."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from napari_npa.types import Target

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Name = Annotated[str, Meta(max_length=1000)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(ge=0, le=1e12)]
Side = Annotated[int, Meta(ge=0, le=2**20)]

DEEPEST = 12
"""Levels of lists and objects in a record."""


class EditRecord(msgspec.Struct, frozen=True):
    """See :class:`napari_npa.annotation.edits.Edit`."""

    tool: Name
    target: Target
    seconds: Seconds
    added: Count
    removed: Count
    isi: Fraction | None
    at: Name


class Weights(msgspec.Struct, frozen=True):
    """Name and hash of weights."""

    name: Name
    sha256: Name


class SessionRecord(msgspec.Struct, frozen=True):
    """See :meth:`napari_npa.annotation.session.Session.as_record`; more keys may follow.

    Attributes
    ----------
    earlier
        Annotations of earlier days, the first one first.
    """

    who: Name
    image_sha256: Sha256
    shape: tuple[Side, Side]
    model: Weights
    active_seconds: Seconds
    edits: list[EditRecord]
    earlier: list[SessionRecord] = []


def require_session(record: Any) -> None:  # noqa: ANN401 - any JSON
    """Refuse what is not the record of an annotation.

    Raises
    ------
    ValueError
        It is not; msgspec's own errors are such.
    """
    msgspec.convert(record, SessionRecord)
    require_shallow(record)


def require_shallow(content: Any, levels: int = DEEPEST) -> None:  # noqa: ANN401 - any JSON
    """Refuse JSON of so many levels that it could not be written again.

    Raises
    ------
    ValueError
        It has more.
    """
    inner = content.values() if isinstance(content, dict) else content
    if isinstance(content, dict | list):
        if not levels:
            raise ValueError("too many levels")
        for part in inner:
            require_shallow(part, levels - 1)
