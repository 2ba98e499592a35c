"""One result that is in a folder: its record, and where its files are."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from napari_npa.errors import AngiogramError, SaveError
from napari_npa.io.angiogram import Angiogram
from napari_npa.io.masks import is_mask
from napari_npa.io.names import (
    MASK_FILES,
    NPA_FILE,
    PICTURE_FILES,
    RETINA_FILE,
    beside,
    frame_stem,
    stays_inside,
)
from napari_npa.io.writing import file_sha256
from napari_npa.results.record import Hashes, Record, read_record, record_path
from napari_npa.results.table import Row

DATA_FILES = (*MASK_FILES, *PICTURE_FILES)
"""Ends of the names of a result's files other than the record."""


LONGEST_STEM = 60
"""Characters of a layer's name in the names of files: 240 bytes at most."""


@dataclass(frozen=True)
class SavedResult:
    """A result in a folder.

    Attributes
    ----------
    base
        Folder, and beginning of the file names.
    record
        What stands in ``<stem>_npa.json``.
    """

    base: Path
    record: Record

    @classmethod
    def at(cls, base: Path) -> SavedResult | None:
        """Result whose file names begin so; None where there is no record of ours."""
        record = read_record(base)
        return None if record is None else cls(base, record)

    @property
    def npa(self) -> Path:
        """Mask of non-perfusion."""
        return beside(self.base, NPA_FILE)

    @property
    def retina(self) -> Path:
        """Mask of the gradable retina."""
        return beside(self.base, RETINA_FILE)

    @property
    def image(self) -> str:
        """File name of the angiogram."""
        return self.record.image.name

    @property
    def sha256(self) -> str:
        """Hash of the angiogram."""
        return self.record.image.sha256

    @property
    def edited(self) -> bool:
        """Whether a person corrected it, or called the image ungradable."""
        return self.record.edited

    @property
    def ungradable(self) -> bool:
        """Whether a person found that no part of the image can be judged."""
        return self.record.status == "ungradable"

    @property
    def hashes(self) -> Hashes:
        """Hashes of its files by their names, as they were written; without the record."""
        return _of_result(self.base, self.record.files)

    @property
    def files(self) -> tuple[Path, ...]:
        """Its files, the record last."""
        data = (self.base.with_name(name) for name in self.hashes)
        return (*data, record_path(self.base))

    @property
    def row(self) -> Row:
        """Its row of the table; names are relative to the folder."""
        record = self.record
        return Row(
            image=self.image or self.base.name,
            isi=record.isi,
            npa_pixels=record.npa_pixels,
            retina_pixels=record.retina_pixels,
            model=record.model.name,
            seconds=record.seconds,
            status=record.status,
            message="; ".join(record.notes),
            threshold=record.threshold,
            edited=self.edited,
            sha256=self.sha256,
            result=self.base.name,
            field_of_view=record.field_of_view,
        )

    @property
    def identity(self) -> str:
        """Hashes of its masks: they distinguish it from other results saved in its place."""
        return "ungradable" if self.ungradable else masks_identity(self.base)

    @property
    def written_identity(self) -> str:
        """What :attr:`identity` was when the result was written."""
        if self.ungradable:
            return self.identity
        return "+".join(self.hashes.get(path.name, "") for path in (self.npa, self.retina))

    @property
    def is_whole(self) -> bool:
        """Whether record and files are there as they were written."""
        return self.record.is_complete and all(
            hash_of(self.base.with_name(name)) == sha256 for name, sha256 in self.hashes.items()
        )

    def wrote(self, path: Path) -> bool:
        """Whether a file is one of this result's, or one that it was about to replace.

        A mask that can be read and is another than was written is somebody's work. One that
        cannot be read was damaged.
        """
        if self.record.format == 0 and not self.record.files:
            return True  # such an old record does not name its files
        written = [self.hashes, _of_result(self.base, self.record.replaces or {})]
        known = {hashes[path.name] for hashes in written if path.name in hashes}
        if path not in (self.npa, self.retina):
            return bool(known)
        return bool(known) and (hash_of(path) in known or not is_mask(path))

    def refuse_links(self) -> None:
        """Refuse a mask that is a link: it may lead anywhere.

        Raises
        ------
        AngiogramError
            One is.
        """
        for mask in (self.npa, self.retina):
            if mask.is_symlink():
                raise AngiogramError(
                    mask,
                    "is a link, which is not followed in a folder of results",
                    "Put the mask itself in its place, or segment the image again.",
                )

    @property
    def masks_were_changed(self) -> bool:
        """Whether another program has changed a mask since it was written."""
        written = ((path, self.hashes.get(path.name)) for path in (self.npa, self.retina))
        return any(sha256 is not None and hash_of(path) != sha256 for path, sha256 in written)


def stem_of(angiogram: Angiogram) -> str:
    """Beginning of the names of a result's files: after the image's file, else after its layer.

    Later frames of a series have their number in it.
    """
    if angiogram.path is not None:
        return frame_stem(Path(angiogram.path).stem, angiogram.frame)
    letters = (c if c.isalnum() or c in "-_. " else "_" for c in angiogram.name[:LONGEST_STEM])
    return frame_stem("".join(letters).strip(". ") or "image", angiogram.frame)


def stem_for(angiogram: Angiogram, stem: str | None) -> str:
    """Beginning of the file names that was asked for; if none was, that of :func:`stem_of`.

    Raises
    ------
    SaveError
        It is not the beginning of a file's name, and may lead out of the folder.
    """
    if stem is None:
        return stem_of(angiogram)
    if not stays_inside(stem) or Path(stem).name != stem:
        raise SaveError(
            stem[:100], "cannot be the beginning of a file's name", "Give it without a folder."
        )
    return stem


def masks_identity(base: Path) -> str:
    """Hashes of the two masks as they are on disk; empty for one that is absent."""
    return "+".join(hash_of(beside(base, ending)) for ending in MASK_FILES)


def hash_of(path: Path) -> str:
    """SHA-256 of a file; empty where it is absent, a link or a pipe, or cannot be read."""
    try:
        return file_sha256(path) if stat.S_ISREG(path.lstat().st_mode) else ""
    except OSError:
        return ""


def _of_result(base: Path, hashes: Hashes) -> Hashes:
    """Only names that a result of that base has: others may lead out of the folder."""
    names = {base.name + ending for ending in DATA_FILES}
    return {name: sha256 for name, sha256 in hashes.items() if name in names}
