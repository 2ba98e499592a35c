"""Which files of a folder are angiograms to be segmented."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from napari_npa.batch.places import inside, place_of
from napari_npa.decoding import IMAGE_SUFFIXES
from napari_npa.masks import MASK_ENDINGS
from napari_npa.results import PICTURE_ENDINGS, RECORD_ENDING


@dataclass(frozen=True)
class FoundImage:
    """An image of a batch.

    Attributes
    ----------
    path
        Relative to the folder that was searched.
    shares_stem
        Another image of the same folder differs only in suffix, or in upper and lower case.
    problem
        Why it cannot be read, where that is known already.
    """

    path: PurePosixPath
    shares_stem: bool = False
    problem: str = ""


@dataclass(frozen=True)
class FoundImages:
    """What a folder holds.

    Attributes
    ----------
    images
        In order of their folders and names.
    skipped
        How many other files there are: masks, results, texts.
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
    """Find the angiograms of a folder; nothing is opened.

    Parameters
    ----------
    source
        Folder, or URL of one.
    output
        Folder of the results, which is not searched where it is below `source`.
    recursive
        Search subfolders too.
    pattern
        Only files whose name matches, as ``*_late.tif``; upper and lower case differ.

    Raises
    ------
    NpaError
        `source` is absent or cannot be read.
    """
    below = inside(output, source)
    listed = place_of(source).files(
        recursive=recursive, leave_out=frozenset([below] if below else [])
    )
    paths: list[PurePosixPath] = []
    images: list[FoundImage] = []
    for entry in listed:
        if entry.problem:
            images.append(FoundImage(entry.path, problem=entry.problem))
        else:
            paths.append(entry.path)
    angiograms = [
        path
        for path in _without_results(paths)
        if pattern is None or fnmatchcase(path.name, pattern)
    ]
    stems = Counter(_folded_stem(path) for path in angiograms)
    images += [FoundImage(path, stems[_folded_stem(path)] > 1) for path in angiograms]
    images.sort(key=lambda image: (image.path.parent.parts, image.path.name))
    return FoundImages(tuple(images), skipped=len(paths) - len(angiograms))


def _without_results(paths: Iterable[PurePosixPath]) -> list[PurePosixPath]:
    """Images but for masks, hidden files, and the pictures of results made in this folder."""
    paths = list(paths)
    names = {str(path) for path in paths}
    return [path for path in paths if _is_image(path) and not _is_picture(path, names)]


def _is_image(path: PurePosixPath) -> bool:
    return (
        path.suffix.lower() in IMAGE_SUFFIXES
        and not path.name.startswith(".")
        and not path.stem.endswith(MASK_ENDINGS)
    )


def _is_picture(path: PurePosixPath, names: set[str]) -> bool:
    return any(
        path.stem.endswith(ending)
        and str(path.with_name(path.stem.removesuffix(ending) + RECORD_ENDING)) in names
        for ending in PICTURE_ENDINGS
    )


def _folded_stem(path: PurePosixPath) -> str:
    """Where two images share it, some file systems would hold only one's results."""
    return str(path.with_suffix("")).casefold()
