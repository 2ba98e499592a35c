"""What can go wrong, said so that a clinician can act on it."""

from __future__ import annotations

from pathlib import Path


class NpaError(Exception):
    """An expected failure: what it is about, why, and the way out.

    Parameters
    ----------
    subject
        File, layer or device the error is about; a path is shown by its name.
    reason
        What is wrong, a clause without a full stop.
    remedy
        What the user can do, a sentence.
    """

    def __init__(self, subject: str | Path, reason: str, remedy: str) -> None:
        self.subject = subject.name if isinstance(subject, Path) else subject
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"'{self.subject}' {reason}. {remedy}")

    def __reduce__(self) -> tuple[type[NpaError], tuple[str, str, str]]:
        """Let an error of another process arrive whole."""
        return type(self), (self.subject, self.reason, self.remedy)


class AngiogramError(NpaError):
    """An image that cannot be read as an angiogram."""


class RetinaError(NpaError):
    """An angiogram in which no gradable retina can be found."""


class WeightsError(NpaError):
    """Network weights that are missing, damaged or of an unknown kind."""


class DeviceError(NpaError):
    """A processor that is absent or out of memory."""


class SaveError(NpaError):
    """A result that could not be written; nothing half-written is left behind."""


class ReplaceError(SaveError):
    """A file that is not replaced without being asked: a person's work, or not a file of ours."""


class TrainingError(NpaError):
    """A training set or option that cannot be trained on."""


class BatchError(NpaError):
    """A batch that cannot be run as asked."""


class EvaluationError(NpaError):
    """Masks that cannot be compared."""


class Cancelled(Exception):  # noqa: N818 - a request of the user, not an error
    """The user asked to stop; raised by a progress callback, passed through by the core."""
