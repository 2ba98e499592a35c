"""Which images of a review are approved, and where it stopped: ``review.json``.

The file is in the folder of the results. Such files in subfolders, from reviews of these alone, are
read too; where both have an entry for an image, the upper one counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from threading import Lock

import msgspec

from napari_npa.errors import NpaError, SaveError
from napari_npa.io.locking import locked
from napari_npa.io.names import APPROVALS, MANIFEST, TABLE, hashed_stem
from napari_npa.io.texts.ordinary import ordinary_bytes
from napari_npa.io.writing import make_folder, write_json
from napari_npa.results.unreadable import Unreadable

MOST_BYTES = 2**26
"""Size of the file: half a million images."""

WITHDRAWN = ""
"""In place of the hash: no longer approved, even if the file of a subfolder approves it."""


class _Kept(msgspec.Struct, omit_defaults=True):
    """Content of the file."""

    position: str
    approved: dict[str, str]
    unreadable: dict[str, Unreadable] = {}


class Approvals:
    """Hashes of the approved images by their names.

    Parameters
    ----------
    output
        Folder of the results.
    reviewed
        Subfolders of it that may hold approvals too. Their images have names such as
        ``sub/eye.tif`` here.

    Attributes
    ----------
    position : str
        Name of the image where the review stopped; empty if there was none.
    unreadable : dict of str to Unreadable
        Images that could not be read, by their names.
    damage : NpaError or None
        What the user should know: a damaged file was put aside.

    Raises
    ------
    SaveError
        A damaged file is there and cannot be put aside.
    NpaError
        A file is there and cannot be read.
    """

    def __init__(self, output: Path, reviewed: Iterable[PurePosixPath] = ()) -> None:
        self._output = output
        self._storing = Lock()
        self._changed: set[str] = set()
        self.damage: NpaError | None = None
        self.unreadable: dict[str, Unreadable] = {}
        self._below: dict[str, str] = {}
        for folder in sorted(reviewed, key=lambda folder: len(folder.parts), reverse=True):
            approved, _ = self._read(f"{folder}/")
            self._below.update(approved)
        self._own, self.position = self._read("")
        self._hashes = _not_withdrawn(self._below | self._own)
        self._below = _not_withdrawn(self._below)

    def __contains__(self, name: str) -> bool:
        return name in self._hashes

    def of(self, name: str) -> str | None:
        """Hash of an image when it was approved; None if it was not."""
        return self._hashes.get(name)

    def give(self, name: str, sha256: str) -> None:
        """Approve an image."""
        self._hashes[name] = sha256
        self._changed.add(name)

    def withdraw(self, name: str) -> None:
        """Withdraw the approval of an image, if it has one."""
        if self._hashes.pop(name, None) is not None:
            self._changed.add(name)

    def store(self) -> None:
        """Write the file; from any thread, the last call writes the last state.

        What others wrote meanwhile of images that were not changed here stays.

        Raises
        ------
        SaveError
            The system refused.
        """
        with self._storing:
            changed, self._changed = self._changed, set()  # other threads go on meanwhile
            try:
                make_folder(self._output)
                with locked(self._output):
                    self._own = self._write(changed)
            except SaveError:
                self._changed |= changed
                raise

    def _write(self, changed: Iterable[str]) -> dict[str, str]:
        """Put the changed entries into the file as it is now; all entries."""
        approved = self._own_as_it_is() | {name: self._entry(name) for name in changed}
        own = {name: sha for name, sha in approved.items() if sha is not None}
        kept = _Kept(self.position, own, dict(self.unreadable))
        write_json(self._output / APPROVALS, msgspec.to_builtins(kept))
        return own

    def _entry(self, name: str) -> str | None:
        """Entry of an image in the file; None: no entry, since a subfolder has the same or none."""
        sha, below = self._hashes.get(name), self._below.get(name)
        if sha is None:
            return None if below is None else WITHDRAWN
        return None if sha == below else sha

    def _own_as_it_is(self) -> dict[str, str | None]:
        """Entries in the file as it is now; as it was before, if it is gone."""
        try:
            kept = msgspec.json.decode(_bytes(self._output / APPROVALS), type=_Kept)
        except (OSError, ValueError, RecursionError):
            return dict(self._own)
        return dict(kept.approved)

    def _read(self, below: str) -> tuple[dict[str, str], str]:
        """Approvals and position in the file of a subfolder; names are prefixed with `below`."""
        name = below + APPROVALS
        try:
            kept = msgspec.json.decode(_bytes(self._output / name), type=_Kept)
        except (FileNotFoundError, NotADirectoryError):
            return {}, ""
        except OSError as error:
            raise NpaError(
                name,
                f"cannot be read ({error.strerror})",
                "It holds the approvals of its folder: allow reading it, or choose another folder.",
            ) from error
        except (ValueError, RecursionError):
            self.damage = _put_aside(self._output / name, name)
            return {}, ""
        self.unreadable |= {below + image: file for image, file in kept.unreadable.items()}
        return {below + image: sha for image, sha in kept.approved.items()}, kept.position


def _not_withdrawn(hashes: dict[str, str]) -> dict[str, str]:
    return {name: sha for name, sha in hashes.items() if sha != WITHDRAWN}


def _put_aside(path: Path, name: str) -> NpaError:
    """Rename damaged approvals without replacing a file, and report it."""
    number = 1
    while (aside := path.with_stem(f"{path.stem}_damaged_{number}")).exists():
        number += 1
    try:
        path.rename(aside)
    except OSError as error:
        raise SaveError(
            name,
            f"is damaged and cannot be put aside ({error.strerror})",
            "Rename it yourself, or choose another folder for the results.",
        ) from error
    return NpaError(
        name,
        f"is damaged: which images were approved is not known any more. It was kept as "
        f"'{aside.name}', and no mask was touched",
        "Restore it from a backup if you have one, or approve the images again.",
    )


def is_approved(folder: Path, sha256: str) -> bool:
    """Whether a person approved an image, reviewing the folder of its result or one above it.

    Raises
    ------
    NpaError
        Approvals are there and cannot be read: whether it was approved is not known.
    """
    return any(sha256 in kept.approved.values() for _, kept in _kept_here_and_above(folder))


def approves(content: bytes | None, sha256: str) -> bool:
    """Whether the content of an approvals file approves an image; None: there is no file.

    Raises
    ------
    NpaError
        It is damaged.
    """
    return content is not None and sha256 in _decoded(content).approved.values()


def withdraw(folder: Path, stem: str, sha256: str) -> None:
    """Withdraw the approval of a result, in the file of its folder and in those above.

    Parameters
    ----------
    folder
        Of the result.
    stem
        Beginning of the result's file names.
    sha256
        Of the image.

    Raises
    ------
    NpaError
        Approvals cannot be read or written.
    """
    for above, kept in _kept_here_and_above(folder):
        here = PurePosixPath(*folder.absolute().relative_to(above).parts)
        if sha256 not in kept.approved.values():
            continue
        with locked(above):
            kept = _decoded(_bytes(above / APPROVALS))  # as it is now
            gone = {
                name
                for name, sha in kept.approved.items()
                if sha == sha256 and _is_of(PurePosixPath(name), here, stem, sha256)
            }
            if gone:
                # Marked, not removed: the file of a folder below may still approve it.
                approved = kept.approved | dict.fromkeys(gone, WITHDRAWN)
                left = msgspec.structs.replace(kept, approved=approved)
                write_json(above / APPROVALS, msgspec.to_builtins(left))


def _is_of(image: PurePosixPath, folder: PurePosixPath, stem: str, sha256: str) -> bool:
    return image.parent == folder and stem in (image.stem, hashed_stem(image.stem, sha256))


def _kept_here_and_above(folder: Path) -> Iterator[tuple[Path, _Kept]]:
    """Yield the approvals of a folder and of those above it, with their folders.

    Above, a file of this name that cannot be read may be another program's: it counts only in a
    folder that holds results.
    """
    folder = folder.absolute()
    for above in (folder, *folder.parents):
        try:
            kept = _decoded(_bytes(above / APPROVALS))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, NpaError) as error:
            if above == folder or any(os.path.lexists(above / n) for n in (TABLE, MANIFEST)):
                raise _unknown(error) from error
            continue
        yield above, kept


def _bytes(path: Path) -> bytes:
    return ordinary_bytes(path, MOST_BYTES)


def _decoded(content: bytes) -> _Kept:
    try:
        return msgspec.json.decode(content, type=_Kept)
    except (ValueError, RecursionError) as error:
        raise _unknown(error) from error


def _unknown(error: Exception) -> NpaError:
    why = f" ({error.strerror})" if isinstance(error, OSError) else ""
    return NpaError(
        APPROVALS,
        f"cannot be read{why}: whether these masks were approved is not known",
        "Restore it, or move it away to have them made again.",
    )
