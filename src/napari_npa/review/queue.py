"""A folder of angiograms under review: what is done, and where the review stopped.

What is edited is read from the records beside the masks, the rest from ``review.json``.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Literal

from napari_npa.errors import AngiogramError, NpaError
from napari_npa.io.angiogram import Angiogram
from napari_npa.io.folder import FoundImage, find_images
from napari_npa.io.masks import is_mask
from napari_npa.io.names import APPROVALS, RECORD_FILE, hashed_stem
from napari_npa.results.approvals import Approvals
from napari_npa.results.folder import ResultFolder
from napari_npa.results.result import Result
from napari_npa.results.saved import SavedResult
from napari_npa.results.unreadable import Unreadable

State = Literal["to do", "edited", "approved", "unreadable"]

# A stem that another image holds gets eight characters of the image's hash.
_OWN_STEM = re.compile(r"(.+)_[0-9a-f]{8}")


class ReviewQueue:
    """The angiograms of a folder in order, each to do, edited, approved or unreadable.

    Nothing is hashed and no record is read before it is asked for: an image is known by its
    name until :meth:`opened` gives its hash.

    Parameters
    ----------
    folder
        Angiograms.
    output
        Folder of the results; made when something is first stored.
    recursive
        Look into the subfolders too; their results are in the same subfolders of `output`.

    Attributes
    ----------
    names : tuple of str
        The angiograms, relative to the folder, as ``sub/eye.tif``: by subfolder, then by name.
    images : tuple of Path
        The same, where they are.
    position : int
        Index of the present one; where the last review stopped, to begin with. Had that
        file gone, the one that has taken its place in the order.
    warning : NpaError or None
        What the user should know: damaged approvals were put aside, or an image or
        subfolder is left out.

    Raises
    ------
    AngiogramError
        The folder cannot be read, or holds no angiogram.
    SaveError
        Damaged approvals are there and cannot be put aside.
    NpaError
        The approvals are there and cannot be read.
    """

    def __init__(self, folder: Path, output: Path, recursive: bool = False) -> None:
        self.folder = folder
        self.output = output
        self.recursive = recursive
        images = find_images(folder, output, recursive=recursive).images
        found = [image for image in images if not _is_mask(folder, image)]
        paths = [image.path for image in found if not image.problem]
        if not paths:
            ways = "" if recursive else ", or look into its subfolders too"
            remedy = f"Choose a folder of TIFF, PNG or JPEG files{ways}."
            raise AngiogramError(folder, "holds no angiogram", remedy)
        self.names = tuple(map(str, paths))
        self.images = tuple(folder / name for name in self.names)
        self._stems = tuple(str(path.with_suffix("")) for path in paths)
        self._bases, reviewed = _results(output, {path.parent for path in paths})
        self._records: dict[str, SavedResult | None] = {}
        self._hashes: dict[str, str] = {}
        self._approvals = Approvals(output, reviewed)
        self._approvals.unreadable = {
            name: found
            for name, found in self._approvals.unreadable.items()
            if found.is_same(folder / name)
        }
        place = bisect_left(paths, _order(PurePosixPath(self._approvals.position)), key=_order)
        self.position: int = min(place, len(paths) - 1)
        left_out = (_left_out(image.name, image.problem) for image in found if image.problem)
        self.warning: NpaError | None = self._approvals.damage or next(left_out, None)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def present(self) -> Path:
        """The angiogram at the position."""
        return self.images[self.position]

    @property
    def results(self) -> Path:
        """Folder for its results."""
        return (self.output / self.names[self.position]).parent

    @property
    def approved(self) -> int:
        """Number of approved images."""
        return sum(
            self.state(at) == "approved"
            for at, name in enumerate(self.names)
            if name in self._approvals
        )

    def state(self, at: int) -> State:
        """State of an image: by its hash once opened, until then by its name."""
        name = self.names[at]
        sha256 = self._hashes.get(name)
        approved = self._approvals.of(name)
        # An approval counts only if its masks are still there.
        if approved is not None and sha256 is None and self._stems[at] in self._bases:
            return "approved"
        saved = self._saved(at)
        if saved is None:
            return "to do" if self.reason(at) is None else "unreadable"
        if approved is not None and approved == sha256:
            return "approved"
        return "edited" if saved.edited else "to do"

    def reason(self, at: int) -> str | None:
        """Why an image could not be read; None: it could, or nobody has tried yet."""
        found = self._approvals.unreadable.get(self.names[at])
        return None if found is None else found.reason

    @property
    def unreadable(self) -> int:
        """Number of images that could not be read."""
        return sum(
            self.state(at) == "unreadable"
            for at, name in enumerate(self.names)
            if name in self._approvals.unreadable
        )

    def is_ungradable(self, at: int) -> bool:
        """Whether the saved result of an image says that no part of it can be judged."""
        saved = self._saved(at)
        return saved is not None and saved.ungradable

    def saved_result(self, at: int, sha256: str) -> SavedResult | None:
        """Find the result in the output folder that is of this very image."""
        stem = self._stems[at]
        for base in (stem, hashed_stem(stem, sha256)):
            if base in self._bases.get(stem, ()):
                record = self._record(base)
                if record is not None and record.sha256 == sha256:
                    return record
        return None

    def load(self, at: int, angiogram: Angiogram) -> Result:
        """Read what is saved of an image.

        Raises
        ------
        AngiogramError
            See :meth:`napari_npa.results.folder.ResultFolder.load`.
        """
        stem = self.images[at].stem
        return ResultFolder((self.output / self.names[at]).parent).load(angiogram, stem)

    def read_records(self) -> None:
        """Read all records, in a worker, so that the states are known at once later."""
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
        of these either, the present one aside. Unreadable ones are passed over.
        """
        for wanted in ("to do", "edited"):
            for at in chain(range(self.position + 1, len(self)), range(self.position)):
                if self.state(at) == wanted:
                    return at
        return None

    def go_to(self, at: int) -> None:
        """Move to an image.

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
        """Note the hash of an image; the approval of another image of that name ends."""
        name = self.names[at]
        self._hashes[name] = sha256
        self._approvals.unreadable.pop(name, None)
        if self._approvals.of(name) != sha256:
            self._approvals.withdraw(name)

    def failed(self, at: int, reason: str) -> None:
        """Note that the file of an image cannot be read, until it changes."""
        found = Unreadable.now(self.images[at], reason)
        self._approvals.unreadable[self.names[at]] = found

    def saved(self, at: int, saved: SavedResult) -> None:
        """Note that a result of an image was saved; it is not approved yet."""
        base = saved.base.relative_to(self.output).as_posix()
        self._bases.setdefault(self._stems[at], set()).add(base)
        self._records.pop(base, None)
        self._approvals.withdraw(self.names[at])

    def approve(self, at: int, sha256: str) -> None:
        """Approve what is saved of an image: its masks, or that it is ungradable."""
        self.opened(at, sha256)
        self._approvals.give(self.names[at], sha256)

    def store(self) -> None:
        """Write approvals and position; from any thread, the last call writes the last state.

        Raises
        ------
        SaveError
            The system refused.
        """
        self._approvals.position = self.names[self.position]
        self._approvals.store()

    # Records

    def _saved(self, at: int) -> SavedResult | None:
        """Result of an image: by its hash once opened, until then by its name."""
        if (sha256 := self._hashes.get(self.names[at])) is not None:
            return self.saved_result(at, sha256)
        records = (self._record(base) for base in sorted(self._bases.get(self._stems[at], ())))
        name = self.images[at].name
        return next((r for r in records if r is not None and r.image == name), None)

    def _record(self, base: str) -> SavedResult | None:
        if base not in self._records:
            self._records[base] = SavedResult.at(self.output / base)
        return self._records[base]


def _order(path: PurePosixPath) -> tuple[tuple[str, ...], str]:
    """Place of an image in the queue; as :func:`napari_npa.batch.find_images` sorts."""
    return path.parent.parts, path.name


def _is_mask(folder: Path, image: FoundImage) -> bool:
    """Whether a file is a mask without a record; that of an image beside it is not opened."""
    return image.is_named_as_mask and (image.is_beside_its_image or is_mask(folder / image.path))


def _left_out(name: str, problem: str) -> NpaError:
    return NpaError(name, problem, "It is left out of the queue: ask its owner, or rename it.")


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - faster
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise NpaError(
            folder,
            f"cannot be read ({error.strerror})",
            "It holds the results: allow reading it, or choose another folder.",
        ) from error


def _results(
    output: Path, folders: set[PurePosixPath]
) -> tuple[dict[str, set[str]], list[PurePosixPath]]:
    """List the results in folders and those above them; all paths are relative to `output`.

    Returns
    -------
    bases
        Beginnings of the names of results, by the stems of the images that they may be of.
    reviewed
        Subfolders that hold approvals of their own.
    """
    bases: dict[str, set[str]] = {}
    reviewed = []
    for folder in folders.union(*(folder.parents for folder in folders)):
        results = output / folder
        below = f"{folder}/" if folder.parts else ""
        for name in _names_in(results):
            if name == APPROVALS and below:
                reviewed.append(folder)
            if not name.endswith(RECORD_FILE):
                continue
            base = below + name.removesuffix(RECORD_FILE)
            bases.setdefault(base, set()).add(base)
            if own := _OWN_STEM.fullmatch(base):
                bases.setdefault(own.group(1), set()).add(base)
    return bases, reviewed
