"""Which images of a review are approved, and where it stopped: ``review.json``.

It is kept in the folder of the results. Such files in its subfolders, from reviews of these alone,
are read too; where both tell of an image, the upper one has the last word.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from threading import Lock

from napari_npa.errors import NpaError, SaveError
from napari_npa.io.names import APPROVALS
from napari_npa.io.writing import make_folder, write_json

WITHDRAWN = ""
"""In place of the hash: not approved any more, whatever the file of a subfolder says."""


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
    damage : NpaError or None
        What the user should be told: a damaged file was put aside.

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
        self.damage: NpaError | None = None
        self._below: dict[str, str] = {}
        for folder in sorted(reviewed, key=lambda folder: len(folder.parts), reverse=True):
            approved, _ = self._read(f"{folder}/")
            self._below.update(approved)
        approved, self.position = self._read("")
        self._hashes = _not_withdrawn(self._below | approved)
        self._below = _not_withdrawn(self._below)

    def __contains__(self, name: str) -> bool:
        return name in self._hashes

    def of(self, name: str) -> str | None:
        """Hash of an image when it was approved; None if it was not."""
        return self._hashes.get(name)

    def give(self, name: str, sha256: str) -> None:
        """Approve an image."""
        self._hashes[name] = sha256

    def withdraw(self, name: str) -> None:
        """Approve it no longer, if it was."""
        self._hashes.pop(name, None)

    def store(self) -> None:
        """Write the file; from any thread, the last call writes the last state.

        Raises
        ------
        SaveError
            The system refused.
        """
        with self._storing:
            hashes = dict(self._hashes)  # which other threads change meanwhile
            # What the file of a subfolder says is left to it: it may change there.
            own = {name: sha for name, sha in hashes.items() if self._below.get(name) != sha}
            own |= {name: WITHDRAWN for name in self._below if name not in hashes}
            make_folder(self._output)
            write_json(self._output / APPROVALS, {"position": self.position, "approved": own})

    def _read(self, below: str) -> tuple[dict[str, str], str]:
        """Approved and position of the file in a subfolder; `below` comes before the names."""
        name = below + APPROVALS
        try:
            kept = json.loads((self._output / name).read_text("utf-8"))
            approved, position = dict(kept["approved"]), kept["position"]
            if not all(isinstance(word, str) for word in (position, *approved, *approved.values())):
                raise TypeError
        except (FileNotFoundError, NotADirectoryError):
            return {}, ""
        except OSError as error:
            raise NpaError(
                name,
                f"cannot be read ({error.strerror})",
                "It holds the approvals of its folder: allow reading it, or choose another folder.",
            ) from error
        except (ValueError, KeyError, TypeError):
            self.damage = _put_aside(self._output / name, name)
            return {}, ""
        return {below + image: sha for image, sha in approved.items()}, position


def _not_withdrawn(hashes: dict[str, str]) -> dict[str, str]:
    return {name: sha for name, sha in hashes.items() if sha != WITHDRAWN}


def _put_aside(path: Path, name: str) -> NpaError:
    """Rename damaged approvals, over nothing, and say so."""
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
