"""The doctor's work on one image: what was changed, by which tool, in how much time."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self, get_args

from napari_npa.annotation.edits import IDLE_SECONDS, ActiveTime, Edit
from napari_npa.annotation.packed_mask import PackedMask
from napari_npa.errors import NpaError
from napari_npa.types import Mask, Target

__all__ = ["IDLE_SECONDS", "ActiveTime", "AnnotationError", "Continued", "Edit", "Session"]

TIME_DECIMALS = 3
"""Seconds are kept to the millisecond."""


class AnnotationError(NpaError):
    """An annotation that is damaged, or belongs to another image."""


class Continued(NamedTuple):
    """The session that this one goes on from, and how many of its edits were taken over."""

    session_id: str
    edits: int


class Session:
    """The annotation of one image.

    Parameters
    ----------
    image
        Name of the image, for messages only: it is not part of the record, because file
        names may hold the name of a patient.
    image_sha256
        Hash of the image: 64 hexadecimal digits.
    model, model_sha256
        Weights that gave the masks at the beginning.
    npa, retina : (rows, columns) bool
        Masks at the beginning.
    who
        Who annotates, free text; never the patient.

    Attributes
    ----------
    id
        Another one for each session, and for each time that one is resumed.
    active
        Time spent; :meth:`ActiveTime.touch` it at every sign of activity.
    npa, retina : PackedMask
        Masks as last recorded.
    continued
        The session resumed by this one, if any.

    Raises
    ------
    AnnotationError
        The masks differ in shape.
    ValueError
        A mask is not (rows, columns) bool.
    """

    def __init__(
        self,
        image: str,
        image_sha256: str,
        model: str,
        model_sha256: str,
        npa: Mask | PackedMask,
        retina: Mask | PackedMask,
        *,
        who: str = "",
    ) -> None:
        self.image = image
        self.image_sha256 = image_sha256
        self.model = model
        self.model_sha256 = model_sha256
        self.who = who
        self.active = ActiveTime()
        self.id = uuid.uuid4().hex
        self.continued: Continued | None = None
        self.npa = _packed(npa)
        self.retina = _packed(retina)
        self._require_shape(self.retina.shape)
        self._edits: list[Edit] = []
        self._attributed = 0.0  # active seconds that stand in an edit already

    @property
    def edits(self) -> tuple[Edit, ...]:
        """Every edit so far, the earliest first."""
        return tuple(self._edits)

    @property
    def number(self) -> int:
        """Number of the last edit; 0 before the first."""
        return len(self._edits)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the image."""
        return self.npa.shape

    def record(
        self,
        tool: str,
        npa: Mask,
        retina: Mask,
        now: float,
        at: datetime | None = None,
    ) -> tuple[Edit, ...]:
        """Compare the masks with those last recorded, and keep what changed.

        Parameters
        ----------
        tool
            What made the change.
        npa, retina : (rows, columns) bool
            Masks after it.
        now
            Seconds of the monotonic clock given to :meth:`ActiveTime.touch`.
        at
            Date and time; the present if None.

        Returns
        -------
        edits
            One for each mask that changed; none if nothing did, and then the time goes to
            the next edit.

        Raises
        ------
        AnnotationError
            Masks of another shape: of another image. Nothing is recorded.
        ValueError
            A mask is not (rows, columns) bool.
        """
        before = {"npa": self.npa, "retina": self.retina}
        after = {"npa": PackedMask.of(npa), "retina": PackedMask.of(retina)}
        for mask in after.values():
            self._require_shape(mask.shape)
        self.active.touch(now)
        changed: list[Target] = [t for t in get_args(Target) if after[t] != before[t]]
        if not changed:
            return ()
        when = (at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds")
        isi = _ischemic_index(after["npa"], after["retina"])
        edits = []
        for target in changed:
            kept = after[target].pixels_within(before[target])
            edits.append(
                Edit(
                    tool=tool,
                    target=target,
                    seconds=self._seconds_since_last_edit(),
                    added=after[target].pixels() - kept,
                    removed=before[target].pixels() - kept,
                    isi=isi,
                    at=when,
                )
            )
        self.npa, self.retina = after["npa"], after["retina"]
        self._edits += edits
        return tuple(edits)

    def snapshot(self) -> Session:
        """Return the session as it is now; the packed masks are shared, not copied."""
        still = copy.copy(self)
        still._edits = self._edits.copy()
        still.active = ActiveTime(self.active.seconds)
        return still

    def resumed(self, image: str, image_sha256: str, shape: tuple[int, int]) -> Session:
        """Return a session that goes on from this one, on the image it belongs to.

        Parameters
        ----------
        image, image_sha256, shape
            Name, hash, and rows and columns of the image that is open.

        Raises
        ------
        AnnotationError
            The session belongs to another image.
        """
        require_image(self.image_sha256, image_sha256, name=image)
        following = self.snapshot()
        following.image = image
        following._require_shape(shape)
        following.id = uuid.uuid4().hex
        following.continued = Continued(self.id, self.number)
        return following

    def as_record(self) -> dict[str, Any]:
        """Return what is written to ``<stem>_npa.json``: all but the masks and the name."""
        return {
            "who": self.who,
            "image_sha256": self.image_sha256,
            "shape": list(self.shape),
            "model": {"name": self.model, "sha256": self.model_sha256},
            "active_seconds": round(self.active.seconds, TIME_DECIMALS),
            "edits": [dict(vars(edit)) for edit in self._edits],
        }

    @classmethod
    def from_record(
        cls,
        record: Mapping[str, Any],
        npa: Mask | PackedMask,
        retina: Mask | PackedMask,
        *,
        image: str = "image",
    ) -> Self:
        """Return the session that gave this record, with the masks of its last edit.

        Raises
        ------
        AnnotationError
            Not the record of a session, or masks of another shape.
        """
        try:
            model = record["model"]
            session = cls(
                image,
                str(record["image_sha256"]),
                str(model["name"]),
                str(model["sha256"]),
                npa,
                retina,
                who=str(record["who"]),
            )
            rows, columns = record["shape"]
            session.active = ActiveTime(float(record["active_seconds"]))
            session._edits = [Edit.from_record(edit) for edit in record["edits"]]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise AnnotationError(
                image, "has no complete record of its annotation", "Start the annotation anew."
            ) from error
        session._require_shape((rows, columns))
        session._attributed = sum(edit.seconds for edit in session._edits)
        return session

    def _seconds_since_last_edit(self) -> float:
        seconds = round(max(0.0, self.active.seconds - self._attributed), TIME_DECIMALS)
        self._attributed += seconds
        return seconds

    def _require_shape(self, shape: tuple[int, int]) -> None:
        if tuple(shape) != self.shape:
            raise AnnotationError(
                self.image,
                f"was annotated at {self.shape[0]} x {self.shape[1]} pixels, "
                f"not {shape[0]} x {shape[1]}",
                "Open the image of the annotation.",
            )


def require_image(annotated_sha256: str, image_sha256: str, *, name: str) -> None:
    """Refuse another image than the annotated one.

    Parameters
    ----------
    annotated_sha256, image_sha256
        Hash of the annotated image, and of the one at hand.
    name
        What to call the one at hand.

    Raises
    ------
    AnnotationError
        They differ.
    """
    if annotated_sha256 != image_sha256:
        raise AnnotationError(
            name, "is not the image that was annotated", "Open the image of the annotation."
        )


def _packed(mask: Mask | PackedMask) -> PackedMask:
    return mask if isinstance(mask, PackedMask) else PackedMask.of(mask)


def _ischemic_index(npa: PackedMask, retina: PackedMask) -> float | None:
    gradable = retina.pixels()
    return npa.pixels_within(retina) / gradable if gradable else None
