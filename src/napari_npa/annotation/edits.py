"""Edits of a mask, and active annotation time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, get_args

from napari_npa.types import Target

IDLE_SECONDS = 60.0
"""A longer pause between two signs of activity does not count: the phone rang."""


@dataclass(frozen=True)
class Edit:
    """One change of one mask.

    Attributes
    ----------
    tool
        What made it, for example ``brush``, ``grow``, ``undo``.
    target
        The mask.
    seconds
        Active seconds since the previous edit; 0 for the second mask that one action changed.
    added, removed
        Pixels that became part of the mask, and that ceased to be.
    isi
        Ischemic index after the action, in [0, 1]; None without gradable retina.
    at
        Date and time, ISO 8601, UTC.
    """

    tool: str
    target: Target
    seconds: float
    added: int
    removed: int
    isi: float | None
    at: str

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Make an edit from its JSON object.

        Raises
        ------
        KeyError, TypeError, ValueError
            The object is not an edit.
        """
        if record["target"] not in get_args(Target):
            raise ValueError(f"no mask is called {record['target']!r}")
        return cls(
            tool=str(record["tool"]),
            target=record["target"],
            seconds=float(record["seconds"]),
            added=int(record["added"]),
            removed=int(record["removed"]),
            isi=None if record["isi"] is None else float(record["isi"]),
            at=str(record["at"]),
        )


class ActiveTime:
    """Time spent annotating, without the pauses.

    Parameters
    ----------
    seconds
        Time counted before the program was last closed.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self._latest: float | None = None

    def touch(self, now: float) -> None:
        """Note a sign of activity.

        Parameters
        ----------
        now
            Seconds of a monotonic clock. The time since the previous sign counts if it is at
            most :data:`IDLE_SECONDS`, otherwise not at all.
        """
        if self._latest is not None and 0 <= now - self._latest <= IDLE_SECONDS:
            self.seconds += now - self._latest
        self._latest = now
