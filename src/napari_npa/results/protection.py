"""What is not replaced without being asked: a person's work, and files that are not ours."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from napari_npa.errors import ReplaceError
from napari_npa.io.names import RECORD_FILE
from napari_npa.results.approvals import is_approved
from napari_npa.results.record import Hashes, record_path
from napari_npa.results.saved import SavedResult, hash_of
from napari_npa.results.truth import in_the_way


def refuse_to_lose_work(before: SavedResult | None, basis: str) -> None:
    """Refuse to replace a result that a person corrected, approved or called ungradable.

    Parameters
    ----------
    before
        Result that would be replaced, if there is one.
    basis
        Identity of the result that the new one goes on from; that one may be replaced.

    Raises
    ------
    ReplaceError
        It holds work of a person that the new result does not go on from.
    NpaError
        It cannot be read whether the result was approved.
    """
    if before is None:
        return
    if before.edited:
        done = "called ungradable" if before.ungradable else "corrected"
    elif is_approved(before.base.parent, before.sha256):
        done = "approved"
    else:
        return
    if before.identity != basis:
        raise ReplaceError(
            record_path(before.base) if before.ungradable else before.npa,
            f"is of a result that a person {done}",
            "Replace it only if that work is not needed any more, or choose another folder.",
        )


def refuse_foreign(paths: Iterable[Path], before: SavedResult | None, hashes: Hashes) -> None:
    """Refuse to replace files that are not ours.

    Parameters
    ----------
    paths
        Files that would be replaced or removed.
    before
        Result of the image that is there already, if there is one.
    hashes
        Of the new content by file name: the same content replaces nothing.

    Raises
    ------
    ReplaceError
        A file is there and is not ours.
    """
    paths = list(paths)
    for base in {path.with_name(path.name.removesuffix(RECORD_FILE)) for path in paths}:
        if record_path(base) in paths and (other := in_the_way(base)) is not None:
            raise ReplaceError(
                other,
                "is a mask of this name; whoever looks for it would take the result for it",
                "Choose another folder for the results.",
            )
    for path in paths:
        if (
            os.path.lexists(path)
            and not is_ours(path, before)
            and hash_of(path) != hashes.get(path.name, "-")
        ):
            raise ReplaceError(
                path,
                "is there and was not written by this program, or was changed since",
                "Move it away, choose another folder, or replace it if it is not needed.",
            )


def is_ours(path: Path, before: SavedResult | None) -> bool:
    """Whether a file belongs to a result of ours; a link never does."""
    if before is None or path.is_symlink():
        return False
    return path == record_path(before.base) or before.wrote(path)
