"""A correction is entered into the session log of its result."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from napari_npa.annotation.session import Session

if TYPE_CHECKING:  # imports torch
    from napari_npa.results.result import Result


def logged(before: Result, after: Result, edit: str) -> Result:
    """Enter an edit into the session of a result.

    Parameters
    ----------
    before
        The result so far. Its session goes on; if it has none, one begins.
    after
        The same result after the edit.
    edit
        What was done, as ``network: replace``.

    Returns
    -------
    result
        `after` with the session; as it is if no mask was changed.

    Raises
    ------
    AnnotationError
        The session of `before` is damaged, or of another image.
    """
    angiogram = before.angiogram
    if before.session is None:
        session = Session(
            angiogram.name,
            angiogram.sha256,
            before.provenance.model,
            before.provenance.model_sha256,
            before.npa,
            before.retina,
        )
    else:
        session = Session.from_record(
            before.session, before.npa, before.retina, image=angiogram.name
        )
    if not session.record(edit, after.npa, after.retina, monotonic()):
        return after
    return replace(after, session=session.as_record())
