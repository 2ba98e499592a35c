"""Annotation of one image: what was changed, with which tool, in how much time."""

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
"""Times are rounded to milliseconds."""


class AnnotationError(NpaError):
    """An annotation that is damaged, or belongs to another image."""


class Continued(NamedTuple):
    """The session that this one continues, and how many of its edits it took over."""

    session_id: str
    edits: int


class Session:
    """The annotation of one image.

    Parameters
    ----------
    image
        Name of the image, for messages only: it is not part of the record, because file names
        may contain the name of a patient.
    image_sha256
        Hash of the image: 64 hexadecimal digits.
    model, model_sha256
        Weights that gave the initial masks.
    npa, retina : (rows, columns) bool
        Initial masks.
    who
        Annotator, free text; never the patient.

    Attributes
    ----------
    id
        Unique for each session, and new each time a session is resumed.
    active
        Active time; call :meth:`ActiveTime.touch` at every sign of activity.
    npa, retina : PackedMask
        Masks at the last record.
    continued
        The session that this one resumed, if any.

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
        self._attributed = 0.0  # active seconds that an edit has already

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
        """Compare the masks with those last recorded, and log the changes.

        Parameters
        ----------
        tool
            What made the change.
        npa, retina : (rows, columns) bool
            Masks after the change.
        now
            Seconds of the monotonic clock given to :meth:`ActiveTime.touch`.
        at
            Date and time; now if None.

        Returns
        -------
        edits
            One for each mask that changed. If there is none, the time counts for the next edit.

        Raises
        ------
        AnnotationError
            The masks have another shape, so belong to another image. Nothing is recorded.
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
        """Return a copy of the session at this moment, which shares the packed masks."""
        still = copy.copy(self)
        still._edits = self._edits.copy()
        still.active = ActiveTime(self.active.seconds)
        return still

    def resumed(self, image: str, image_sha256: str, shape: tuple[int, int]) -> Session:
        """Return a session that continues this one on its image.

        Parameters
        ----------
        image, image_sha256, shape
            Name, hash, and (rows, columns) of the open image.

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
        """Return the session for the record of a result: all except the masks and the name."""
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
        """Return the session of a record, with the masks of its last edit.

        Raises
        ------
        AnnotationError
            This is not the record of a session, or the masks have another shape.
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
                image, "has no complete record of its annotation", "Start a new annotation."
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
    """Refuse an image other than the annotated one.

    Parameters
    ----------
    annotated_sha256, image_sha256
        Hash of the annotated image, and of the open image.
    name
        Name of the open image in an error.

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
