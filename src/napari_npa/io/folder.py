"""Find the angiograms of a folder."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from napari_npa.io.decoding import IMAGE_SUFFIXES
from napari_npa.io.names import MASK_ENDINGS, NPA_FILE, PICTURE_FILES, RECORD_FILE
from napari_npa.io.storage import inside, storage_of


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
    """

    path: PurePosixPath
    shares_stem: bool = False
    problem: str = ""

    @property
    def name(self) -> str:
        """The path as in the table: bytes that are not text are escaped."""
        return str(self.path).encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True)
class FoundImages:
    """Images and other files of a folder.

    Attributes
    ----------
    images
        Sorted by folder, then by name.
    skipped
        Number of other files: masks, results, texts.
    """

    images: tuple[FoundImage, ...]
    skipped: int


def find_images(
    source: str | Path,
    output: str | Path,
    *,
    recursive: bool = False,
    pattern: str | None = None,
) -> FoundImages:
    """Find the angiograms of a folder without opening them.

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
    for entry in storage_of(source).files(recursive=recursive, leave_out=inside(output, source)):
        if not entry.problem:
            paths.append(entry.path)
        elif not _is_hidden(entry.path):
            images.append(FoundImage(entry.path, problem=entry.problem))
    names = {str(path) for path in paths}
    angiograms = [
        path
        for path in paths
        if _is_image(path)
        and not _is_picture(path, names)
        and (pattern is None or fnmatchcase(path.name, pattern))
    ]
    stems = Counter(_folded_stem(path) for path in angiograms)
    images += [
        FoundImage(path, stems[_folded_stem(path)] > 1, _name_problem(path)) for path in angiograms
    ]
    images.sort(key=lambda image: (image.path.parent.parts, image.path.name))
    return FoundImages(tuple(images), skipped=len(paths) - len(angiograms))


def _is_image(path: PurePosixPath) -> bool:
    """Tell by the name whether a file is an image, neither hidden nor a mask."""
    return (
        path.suffix.lower() in IMAGE_SUFFIXES
        and not path.stem.endswith(MASK_ENDINGS)
        and not _is_hidden(path)
    )


def _is_hidden(path: PurePosixPath) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _is_picture(path: PurePosixPath, names: set[str]) -> bool:
    """Tell whether a file is an overlay or probability map, beside the record or mask of a result.

    A run that was killed leaves a mask without a record.
    """
    bases = (path.name.removesuffix(end) for end in PICTURE_FILES if path.name.endswith(end))
    return any(
        str(path.with_name(base + end)) in names
        for base in bases
        for end in (RECORD_FILE, NPA_FILE)
    )


def _folded_stem(path: PurePosixPath) -> str:
    """Fold the case of a path without suffix: some file systems cannot keep both results apart."""
    return str(path.with_suffix("")).casefold()


def _name_problem(path: PurePosixPath) -> str:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return "has a name that is not valid Unicode"
    return ""
