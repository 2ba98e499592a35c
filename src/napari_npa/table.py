"""The table of results, ``ischemia.csv``: a row an image."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from io import BytesIO, StringIO
from pathlib import Path
from threading import Lock
from typing import Literal, get_args

from napari_npa.errors import BatchError, SaveError
from napari_npa.writing import write_text

TABLE = "ischemia.csv"
"""Name of the table in a folder of results."""

PARQUET_TABLE = "ischemia.parquet"
"""The same table as Parquet, where that is asked for."""

Status = Literal["ok", "failed", "ungradable"]

_changing = Lock()  # reading, changing and writing a table is one step


@dataclass(frozen=True)
class Row:
    """What is told of an image; empty where there is nothing to tell.

    Attributes
    ----------
    image
        Its file, relative to the folder that was given.
    isi
        Ischemic index, 0 to 1.
    npa_pixels, retina_pixels
        Non-perfused and gradable pixels of the image.
    model
        Weights.
    seconds
        How long the segmentation took.
    status, message
        How it went, and what a reader should know.
    threshold
        Probability from which a pixel was called non-perfused.
    edited
        Corrected by hand.
    sha256
        Of the image's file.
    result
        Beginning of the result's file names, relative to the table's folder.
    """

    image: str
    isi: float | None = None
    npa_pixels: int | None = None
    retina_pixels: int | None = None
    model: str = ""
    seconds: float | None = None
    status: Status = "ok"
    message: str = ""
    threshold: float | None = None
    edited: bool | None = None
    sha256: str = ""
    result: str = ""


COLUMN_TYPES: dict[str, type] = {
    **dict.fromkeys((field.name for field in fields(Row)), str),
    **dict.fromkeys(("npa_pixels", "retina_pixels"), int),
    **dict.fromkeys(("isi", "seconds", "threshold"), float),
    "edited": bool,
}
"""Columns of the table in order, and what they hold; those that are not texts may be empty."""


def table_text(rows: Iterable[Row]) -> str:
    """The table as CSV, with a header, lines ending in a line feed."""
    text = StringIO()
    writer = csv.DictWriter(text, COLUMN_TYPES, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def rows_of(text: str) -> list[Row]:
    """Rows of a table; lines that are not rows of ours are left out."""
    rows = []
    for values in csv.DictReader(StringIO(text)):
        try:
            rows.append(_row(values))
        except (KeyError, TypeError, ValueError):
            continue  # changed by hand, or of another program
    return rows


def write_table(folder: Path, rows: Iterable[Row]) -> Path:
    """Write ``ischemia.csv`` with a row an image.

    Raises
    ------
    SaveError
        The table could not be written.
    """
    path = folder / TABLE
    write_text(path, table_text(rows))
    return path


def parquet_bytes(rows: Sequence[Row]) -> bytes:
    """The table as a Parquet file, with the same columns.

    Raises
    ------
    BatchError
        The package for it is not installed.
    """
    require_parquet()
    import pyarrow as pa
    import pyarrow.parquet

    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMN_TYPES.items()])
    file = BytesIO()
    table = pa.Table.from_pylist([asdict(row) for row in rows], schema=schema)
    pyarrow.parquet.write_table(table, file)
    return file.getvalue()


def require_parquet() -> None:
    """Refuse before any work what could not be written after it.

    Raises
    ------
    BatchError
        The package for Parquet is not installed.
    """
    if find_spec("pyarrow") is None:
        raise BatchError(
            PARQUET_TABLE,
            "needs a package that is not installed (pyarrow)",
            "Run: pip install 'napari-npa[parquet]'",
        )


def read_table(folder: Path) -> list[Row]:
    """Rows of a folder's table; none where there is no table.

    Raises
    ------
    SaveError
        It is there and cannot be read: it must not be written over then.
    """
    path = folder / TABLE
    try:
        return rows_of(path.read_text("utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise SaveError(
            path, "is there and cannot be read", "Close it in other programs, or move it away."
        ) from error


def update_table(folder: Path, row: Row) -> None:
    """Put the row of a result, as a corrected one, in the place of its old row.

    A folder without a table gets none.

    Raises
    ------
    SaveError
        The table could not be read or written.
    """
    with _changing:
        if (folder / TABLE).exists():
            write_table(folder, merged([row], read_table(folder), in_place=True))


def merged(new: Sequence[Row], old: Sequence[Row], *, in_place: bool = False) -> list[Row]:
    """New rows and the old ones that they do not replace.

    A row replaces that of the same result, and failures of the same image. A result that
    was corrected by hand is not replaced by one of the same image that was not.

    Parameters
    ----------
    in_place
        Leave the old rows' order; otherwise the new ones come first.
    """
    corrected = {(row.result, row.sha256): row for row in old if row.edited}
    new = [row if row.edited else corrected.get((row.result, row.sha256), row) for row in new]
    results = {row.result: row for row in new if row.result}
    images = {row.image for row in new}
    kept: list[Row] = []
    for row in old:
        replacement = results.get(row.result)
        if replacement is not None and in_place:
            kept.append(replacement)
        elif replacement is None and (row.result or row.image not in images):
            kept.append(row)
    if in_place:
        held = {id(row) for row in kept}
        return kept + [row for row in new if id(row) not in held]
    return [*new, *kept]


def _row(texts: Mapping[str, str]) -> Row:
    values = {name: _value(kind, texts[name]) for name, kind in COLUMN_TYPES.items()}
    if values["status"] not in get_args(Status):
        raise ValueError(values["status"])
    return Row(**values)  # type: ignore[arg-type]


def _value(kind: type, text: str) -> str | float | bool | None:
    if kind is str:
        return text
    if not text:
        return None
    if kind is bool:
        return {"True": True, "False": False}[text]
    number: float = kind(text)
    return number
