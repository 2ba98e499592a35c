"""File names of a result, and of what else a folder of results holds."""

from __future__ import annotations

from pathlib import Path, PurePath

NPA_ENDING, RETINA_ENDING = MASK_ENDINGS = ("_npa", "_retina")
"""Stems of masks end so: non-perfusion, gradable retina."""

NPA_FILE, RETINA_FILE = MASK_FILES = (f"{NPA_ENDING}.tif", f"{RETINA_ENDING}.tif")
OVERLAY_FILE, PROBABILITY_FILE = PICTURE_FILES = ("_overlay.png", "_probability.tif")
RECORD_FILE = f"{NPA_ENDING}.json"
"""Names of a result's files, after the stem of its image. The pictures are neither angiograms nor
masks."""

TABLE = "ischemia.csv"
"""A row an image."""

PARQUET_TABLE = "ischemia.parquet"
"""The same table as Parquet, where that is asked for."""

MANIFEST = "run.json"
"""How a batch was run."""

APPROVALS = "review.json"
"""Which images a person approved, and where the review stopped."""


LONGEST_NAME = 255
"""Characters in the name of a file."""


def beside(base: Path, ending: str) -> Path:
    """File of a result.

    Parameters
    ----------
    base
        Folder, and beginning of the file names.
    ending
        One of the names above, as :data:`NPA_FILE`.
    """
    return base.with_name(base.name + ending)


def frame_stem(stem: str, frame: int) -> str:
    """Beginning of the file names of a frame of a series, numbered from 0 here and from 1 there."""
    return f"{stem}_f{frame + 1:03d}" if frame else stem


def hashed_stem(stem: str, sha256: str) -> str:
    """Beginning of the file names of an image whose stem another image holds."""
    return f"{stem}_{sha256[:8]}"


def stays_inside(name: str) -> bool:
    """Whether a relative path that somebody else wrote stays in its folder, and can be a path.

    Parameters
    ----------
    name
        From JSON, a table or an archive.
    """
    path = PurePath(name)
    return (
        bool(path.parts)
        and not path.anchor
        and ".." not in path.parts
        and "\0" not in name
        and all(len(part) <= LONGEST_NAME for part in path.parts)
    )


def as_text(path: PurePath) -> str:
    """Write a path for tables and messages: bytes of its name that are not text are escaped."""
    return str(path).encode("utf-8", "backslashreplace").decode()
