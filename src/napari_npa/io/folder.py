"""Find the angiograms of a folder."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path, PurePath, PurePosixPath

import msgspec

from napari_npa.errors import NpaError
from napari_npa.io.decoding import IMAGE_SUFFIXES
from napari_npa.io.names import (
    MASK_ENDINGS,
    MASK_FILES,
    NPA_FILE,
    PICTURE_FILES,
    RECORD_FILE,
    as_text,
)
from napari_npa.io.storage import Storage, inside, storage_of

OTHER_FORMATS = {
    **dict.fromkeys((".bmp", ".dib"), "BMP"),
    **dict.fromkeys((".jp2", ".j2k", ".jpf", ".jpx", ".j2c"), "JPEG 2000"),
    **dict.fromkeys((".dcm", ".dicom", ".dic"), "DICOM"),
    **dict.fromkeys((".heic", ".heif"), "HEIF"),
    **dict.fromkeys((".pgm", ".ppm", ".pnm", ".pbm"), "netpbm"),
    ".gif": "GIF",
    ".webp": "WebP",
    ".jxl": "JPEG XL",
    ".avif": "AVIF",
    ".psd": "Photoshop",
    ".e2e": "Heidelberg E2E",
    ".fda": "Topcon FDA",
}
"""Formats of images that are not read, by the suffix of the file in lower case."""

_MOST_RECORD_BYTES = 2**26

_PICTURE_ENDINGS = tuple(PurePath(file).stem for file in PICTURE_FILES)


@dataclass(frozen=True)
class FoundImage:
    """An image of a batch.

    Attributes
    ----------
    path
        Path relative to the folder that was searched.
    shares_stem
        Another image of the same folder differs only in suffix, or in upper and lower case.
    problem
        Why it cannot be read, if that is known already.
    is_named_as_mask
        It is called as masks are; only its content tells.
    is_beside_its_image
        It is called as masks of another image of the folder are.
    """

    path: PurePosixPath
    shares_stem: bool = False
    problem: str = ""
    is_named_as_mask: bool = False
    is_beside_its_image: bool = False

    @property
    def name(self) -> str:
        """The path as in the table: bytes that are not text are escaped."""
        return as_text(self.path)


@dataclass(frozen=True)
class LeftOut:
    """An image file that is not segmented: which one, why, and what can be done."""

    name: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"Left out: '{self.name}' {self.reason}. {self.remedy}"


@dataclass(frozen=True)
class FoundImages:
    """Images and other files of a folder.

    Attributes
    ----------
    images
        Sorted by folder, then by name.
    skipped
        Number of other files: results of ours, texts.
    left_out
        Image files that are not segmented, and why.
    """

    images: tuple[FoundImage, ...]
    skipped: int
    left_out: tuple[LeftOut, ...] = ()


def find_images(
    source: str | Path,
    output: str | Path,
    *,
    recursive: bool = False,
    pattern: str | None = None,
) -> FoundImages:
    """Find the angiograms of a folder by their names and the records of results.

    What is called as a mask or a picture of a result is one only if a record says so.

    Parameters
    ----------
    source
        Folder, or URL of a folder.
    output
        Folder of the results; not searched if it lies below `source`.
    recursive
        Search subfolders too.
    pattern
        Take only files whose name matches, for example ``*_late.tif``; case matters.

    Raises
    ------
    NpaError
        `source` is absent or cannot be read.
    """
    paths: list[PurePosixPath] = []
    images: list[FoundImage] = []
    storage = storage_of(source)
    for entry in storage.files(recursive=recursive, leave_out=inside(output, source)):
        if not entry.problem:
            paths.append(entry.path)
        elif not _is_hidden(entry.path):
            images.append(FoundImage(entry.path, problem=entry.problem))
    names = _Names(storage, paths)
    wanted = [
        path
        for path in paths
        if not _is_hidden(path)
        and (pattern is None or fnmatchcase(path.name, pattern))
        and not names.are_of_result(path)
    ]
    left_out = [one for path in wanted if (one := _left_out(path, names)) is not None]
    known = {one.name for one in left_out}
    angiograms = [
        path for path in wanted if _has_suffix(path, IMAGE_SUFFIXES) and as_text(path) not in known
    ]
    stems = Counter(_folded_stem(path) for path in angiograms)
    images += [
        FoundImage(
            path,
            stems[_folded_stem(path)] > 1,
            _name_problem(path),
            _base(path, MASK_ENDINGS) is not None,
            names.are_of_mask(path),
        )
        for path in angiograms
    ]
    images.sort(key=lambda image: (image.path.parent.parts, image.path.name))
    skipped = len(paths) - len(angiograms) - len(left_out)
    return FoundImages(tuple(images), skipped, tuple(left_out))


class _RecordedFiles(msgspec.Struct):
    """What is read of a record here: that it is one, and which files it names."""

    image: dict[str, str]
    edited: bool
    files: dict[str, str] = {}
    replaces: dict[str, str] | None = None


class _Names:
    """Tells by names and records what the files of a folder are to each other."""

    def __init__(self, storage: Storage, paths: list[PurePosixPath]) -> None:
        self._storage = storage
        self._paths = paths
        self._known: dict[str, frozenset[str]] = {}

    @cached_property
    def _there(self) -> set[str]:
        return set(map(str, self._paths))

    @cached_property
    def _stems(self) -> set[str]:
        return {
            str(path.with_suffix("")) for path in self._paths if _has_suffix(path, IMAGE_SUFFIXES)
        }

    def are_of_result(self, path: PurePosixPath) -> bool:
        """Whether a record of ours names a file."""
        base = _base(path, (*MASK_ENDINGS, *_PICTURE_ENDINGS))
        return base is not None and path.name in self._recorded(base)

    def are_of_mask(self, path: PurePosixPath) -> bool:
        """Whether a file is called as a mask of an image beside it is."""
        base = _base(path, MASK_ENDINGS)
        return base is not None and str(base) in self._stems

    def are_of_picture(self, path: PurePosixPath) -> bool:
        """Whether a file is called as a picture of a result, beside the mask of that result."""
        base = _base(path, _PICTURE_ENDINGS)
        return (
            base is not None
            and path.name.endswith(PICTURE_FILES)
            and str(base.with_name(base.name + NPA_FILE)) in self._there
        )

    def _recorded(self, base: PurePosixPath) -> frozenset[str]:
        """Names of the files of the result with that beginning; none without a record."""
        record = str(base.with_name(base.name + RECORD_FILE))
        if record not in self._there:
            return frozenset()
        if record not in self._known:
            self._known[record] = self._read(record, base.name)
        return self._known[record]

    def _read(self, record: str, base: str) -> frozenset[str]:
        try:
            content = self._storage.read(record, _MOST_RECORD_BYTES) or b""
            found = msgspec.json.decode(content, type=_RecordedFiles)
        except (NpaError, ValueError, RecursionError):  # msgspec's own errors are ValueErrors
            return frozenset()
        # Records of the first versions name no files.
        return frozenset(found.files or (base + end for end in (*MASK_FILES, *PICTURE_FILES))) | (
            frozenset(found.replaces or ())
        )


def _left_out(path: PurePosixPath, names: _Names) -> LeftOut | None:
    """Why an image file is not segmented; None: it is, or it is no image."""
    if (format := OTHER_FORMATS.get(path.suffix.lower())) is not None:
        return LeftOut(
            as_text(path), f"is {format}, which is not read", "Export it as TIFF or PNG."
        )
    if names.are_of_picture(path):
        reason = "is called as an overlay or a probability map of a result, whose record is missing"
        return LeftOut(as_text(path), reason, "Rename it if it is an angiogram.")
    return None


def _has_suffix(path: PurePosixPath, suffixes: tuple[str, ...]) -> bool:
    return path.suffix.lower() in suffixes


def _base(path: PurePosixPath, endings: tuple[str, ...]) -> PurePosixPath | None:
    """Path of the image whose mask or picture a file is by its name; None: of none."""
    ending = next((end for end in endings if path.stem.endswith(end)), None)
    if ending is None or path.stem == ending or not _has_suffix(path, IMAGE_SUFFIXES):
        return None
    return path.with_name(path.stem.removesuffix(ending))


def _is_hidden(path: PurePosixPath) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _folded_stem(path: PurePosixPath) -> str:
    """Fold the case of a path without suffix: some file systems cannot keep both results apart."""
    return str(path.with_suffix("")).casefold()


def _name_problem(path: PurePosixPath) -> str:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return "has a name that is not valid Unicode"
    return ""
