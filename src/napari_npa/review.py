"""A folder of angiograms to be looked through: what is done, and where one was.

What is edited is read from the records beside the masks; approvals and the position are kept
in ``review.json`` in the same folder.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Literal

from napari_npa.errors import AngiogramError, NpaError, SaveError
from napari_npa.results import PICTURE_ENDINGS, RECORD_ENDING, make_folder, read_record
from napari_npa.training.examples import angiograms
from napari_npa.writing import write_json

State = Literal["to do", "edited", "approved"]

KEPT = "review.json"
"""File of approvals and position, in the folder of the results."""

# A stem that another image holds gets eight characters of the image's hash.
_OWN_STEM = re.compile(r"(.+)_[0-9a-f]{8}")


@dataclass(frozen=True)
class SavedResult:
    """What the record of an image says.

    Attributes
    ----------
    base
        Folder, and beginning of the file names.
    image, sha256
        File name and hash of the image.
    edited
        Corrected by hand.
    ungradable
        No part of the image can be judged: there are no masks.
    threshold, model_sha256
        Of the automatic result that was corrected; None, and empty, of an ungradable one.
    """

    base: Path
    image: str
    sha256: str
    edited: bool
    ungradable: bool
    threshold: float | None
    model_sha256: str

    @property
    def npa(self) -> Path:
        """Mask of non-perfusion."""
        return self.base.with_name(f"{self.base.name}_npa.tif")

    @property
    def retina(self) -> Path:
        """Mask of the gradable retina."""
        return self.base.with_name(f"{self.base.name}_retina.tif")


class ReviewQueue:
    """The angiograms of a folder in order, each to do, edited or approved.

    Nothing is hashed and no record is read before it is asked for: an image is known by its
    file name until :meth:`opened` tells its hash.

    Parameters
    ----------
    images
        Folder of angiograms.
    output
        Folder of the results; made when something is first stored.

    Attributes
    ----------
    images : tuple of Path
        The angiograms, sorted by name.
    position : int
        Index of the present one; where the last review stopped, to begin with. Had that
        file gone, the one that has taken its place in the order.
    warning : NpaError or None
        What the user should be told: damaged approvals were put aside.

    Raises
    ------
    TrainingError
        The folder of images cannot be read.
    AngiogramError
        It holds no angiogram.
    SaveError
        Damaged approvals are there and cannot be put aside.
    NpaError
        The approvals are there and cannot be read.
    """

    def __init__(self, images: Path, output: Path) -> None:
        self.output = output
        self._bases = _bases_by_stem(output)
        self.images = tuple(self._without_results(angiograms(images)))
        if not self.images:
            raise AngiogramError(
                images, "holds no angiogram", "Choose a folder of TIFF, PNG or JPEG files."
            )
        self._records: dict[str, SavedResult | None] = {}
        self._hashes: dict[str, str] = {}
        self._store = Lock()
        self._approved, position, self.warning = _read_kept(output / KEPT)
        names = [path.name for path in self.images]
        self.position: int = min(bisect_left(names, position), len(names) - 1)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def present(self) -> Path:
        """The angiogram at the position."""
        return self.images[self.position]

    @property
    def approved(self) -> int:
        """How many are approved."""
        return sum(
            self.state(at) == "approved"
            for at, path in enumerate(self.images)
            if path.name in self._approved
        )

    def state(self, at: int) -> State:
        """State of an image: by its hash once opened, until then by its file name."""
        path = self.images[at]
        sha256 = self._hashes.get(path.name)
        approved = self._approved.get(path.name)
        # An approval whose masks are gone is one of nothing.
        if approved is not None and sha256 is None and path.stem in self._bases:
            return "approved"
        saved = self._saved(at)
        if saved is None:
            return "to do"
        if approved is not None and approved == sha256:
            return "approved"
        return "edited" if saved.edited else "to do"

    def is_ungradable(self, at: int) -> bool:
        """Whether the saved result of an image says that no part of it can be judged."""
        saved = self._saved(at)
        return saved is not None and saved.ungradable

    def saved_result(self, at: int, sha256: str) -> SavedResult | None:
        """Result in the output folder that is of this very image, if any."""
        stem = self.images[at].stem
        for base in (stem, f"{stem}_{sha256[:8]}"):
            if base in self._bases.get(stem, ()):
                record = self._record(base)
                if record is not None and record.sha256 == sha256:
                    return record
        return None

    def read_records(self) -> None:
        """Read all records that are not read yet; for a worker: states then come at once."""
        for at in range(len(self)):
            self.state(at)

    # Moving

    @property
    def next(self) -> int | None:
        """Index of the image after the present one; None at the end."""
        return self.position + 1 if self.position + 1 < len(self) else None

    @property
    def previous(self) -> int | None:
        """Index of the image before the present one; None at the beginning."""
        return self.position - 1 if self.position > 0 else None

    @property
    def next_to_do(self) -> int | None:
        """Index of the next image to do, from the beginning again after the last.

        When none is left, the next that is edited and not approved; None when there is none
        of these either, the present one aside.
        """
        for wanted in ("to do", "edited"):
            for at in chain(range(self.position + 1, len(self)), range(self.position)):
                if self.state(at) == wanted:
                    return at
        return None

    def go_to(self, at: int) -> None:
        """Make an image the present one.

        Raises
        ------
        IndexError
            There is no such image.
        """
        if not 0 <= at < len(self):
            raise IndexError(f"the queue has {len(self)} images; {at} is none of them")
        self.position = at

    # Changes

    def opened(self, at: int, sha256: str) -> None:
        """Learn the hash of an image; an approval of another image of that name is dropped."""
        name = self.images[at].name
        self._hashes[name] = sha256
        if self._approved.get(name) != sha256:
            self._approved.pop(name, None)

    def saved(self, at: int, record: Path) -> None:
        """Take note that a result of an image was written; it is not approved yet."""
        path = self.images[at]
        base = record.name.removesuffix(RECORD_ENDING)
        self._bases.setdefault(path.stem, set()).add(base)
        self._records.pop(base, None)
        self._approved.pop(path.name, None)

    def approve(self, at: int, sha256: str) -> None:
        """Approve what is saved of an image: its masks, or that it is ungradable."""
        self.opened(at, sha256)
        self._approved[self.images[at].name] = sha256

    def store(self) -> None:
        """Write approvals and position; from any thread, the last call writes the last state.

        Raises
        ------
        SaveError
            The system refused.
        """
        with self._store:
            make_folder(self.output)
            content = {"position": self.present.name, "approved": dict(self._approved)}
            write_json(self.output / KEPT, content)

    # Records

    def _saved(self, at: int) -> SavedResult | None:
        """Result of an image: by its hash once opened, until then by its file name."""
        path = self.images[at]
        sha256 = self._hashes.get(path.name)
        return self._saved_under(path) if sha256 is None else self.saved_result(at, sha256)

    def _saved_under(self, path: Path) -> SavedResult | None:
        """Result of an image of that file name, whatever its hash."""
        records = (self._record(base) for base in sorted(self._bases.get(path.stem, ())))
        return next((r for r in records if r is not None and r.image == path.name), None)

    def _record(self, base: str) -> SavedResult | None:
        if base not in self._records:
            self._records[base] = _read_record(self.output / base)
        return self._records[base]

    def _without_results(self, paths: Iterable[Path]) -> Iterable[Path]:
        """Leave out hidden files, and pictures of results where images and results are one."""
        bases = set().union(*self._bases.values())
        pictures = {f"{base}{ending}" for base in bases for ending in PICTURE_ENDINGS}
        for path in paths:
            is_picture = path.name in pictures and (self.output / path.name).exists()
            if not is_picture and not path.name.startswith("."):
                yield path


def _bases_by_stem(output: Path) -> dict[str, set[str]]:
    """Beginnings of the names of results, by the stems of the images that they may be of."""
    found: dict[str, set[str]] = {}
    names = (path.name for path in output.iterdir()) if output.is_dir() else ()
    for name in names:
        if not name.endswith(RECORD_ENDING):
            continue
        base = name.removesuffix(RECORD_ENDING)
        found.setdefault(base, set()).add(base)
        if own := _OWN_STEM.fullmatch(base):
            found.setdefault(own.group(1), set()).add(base)
    return found


def _read_record(base: Path) -> SavedResult | None:
    record = read_record(base)
    if record is None:
        return None
    ungradable = record.get("status") == "ungradable"
    try:
        return SavedResult(
            base=base,
            image=str(record["image"]["name"]),
            sha256=record["image"]["sha256"],
            edited=record["edited"],
            ungradable=ungradable,
            threshold=None if ungradable else float(record["threshold"]),
            model_sha256=str(record["model"]["sha256"]),
        )
    except (ValueError, KeyError, TypeError):
        return None  # not a record of ours


def _read_kept(path: Path) -> tuple[dict[str, str], str, NpaError | None]:
    """Approvals, name of the present image, and what the user should be told."""
    try:
        text = path.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}, "", None
    except UnicodeDecodeError:
        return {}, "", _put_aside(path)
    except OSError as error:
        raise NpaError(
            path,
            f"cannot be read ({error.strerror})",
            "It holds the approvals of this folder: allow reading it, or choose another folder.",
        ) from error
    try:
        kept = json.loads(text)
        approved, position = dict(kept["approved"]), kept["position"]
    except (ValueError, KeyError, TypeError):
        return {}, "", _put_aside(path)
    if not all(isinstance(word, str) for word in (position, *approved, *approved.values())):
        return {}, "", _put_aside(path)
    return approved, position, None


def _put_aside(path: Path) -> NpaError:
    """Rename damaged approvals, over nothing, and say so."""
    number = 1
    while (aside := path.with_stem(f"{path.stem}_damaged_{number}")).exists():
        number += 1
    try:
        path.rename(aside)
    except OSError as error:
        raise SaveError(
            path,
            f"is damaged and cannot be put aside ({error.strerror})",
            "Rename it yourself, or choose another folder for the results.",
        ) from error
    return NpaError(
        path,
        f"is damaged: which images were approved is not known any more. It was kept as "
        f"'{aside.name}', and no mask was touched",
        "Restore it from a backup if you have one, or approve the images again.",
    )
