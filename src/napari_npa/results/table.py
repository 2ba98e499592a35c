"""The table of results, ``ischemia.csv``: a row an image."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from napari_npa.errors import BatchError, SaveError
from napari_npa.io.locking import locked
from napari_npa.io.names import MANIFEST, PARQUET_TABLE, TABLE, stays_inside
from napari_npa.io.texts.ordinary import ordinary_bytes
from napari_npa.io.texts.spreadsheets import (
    Line,
    NotATable,
    read_sheet,
)
from napari_npa.io.texts.tables import csv_text, plain
from napari_npa.io.writing import write_text
from napari_npa.results.cells import refused, value, was_converted

Status = Literal["ok", "failed", "ungradable"]

MOST_BYTES = 2**28
"""Size of a table: some million rows."""


@dataclass(frozen=True)
class Row:
    """A row of the table; values that do not exist are empty.

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
    field_of_view
        Kind of field of view as which the image was judged, ``55`` or ``uwfa``.
    others
        Columns that a person added, and what stands in them.
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
    field_of_view: str = ""
    others: tuple[tuple[str, str], ...] = ()


COLUMN_TYPES: dict[str, type] = {
    **dict.fromkeys((field.name for field in fields(Row) if field.name != "others"), str),
    **dict.fromkeys(("npa_pixels", "retina_pixels"), int),
    **dict.fromkeys(("isi", "seconds", "threshold"), float),
    "edited": bool,
}
"""Columns of the table in order, and what they hold; those that are not texts may be empty."""


def table_text(rows: Iterable[Row]) -> str:
    """The table as CSV, with a header; see :func:`napari_npa.io.texts.tables.csv_text`."""
    rows = list(rows)
    others = list(dict.fromkeys(name for row in rows for name, _ in row.others))
    return csv_text(
        [*COLUMN_TYPES, *others],
        (
            [
                *(getattr(row, name) for name in COLUMN_TYPES),
                *map(dict(row.others).get, others),
            ]
            for row in rows
        ),
    )


def rows_of(content: bytes) -> list[Row]:
    """Read the rows of a table, also of one that Excel saved.

    Raises
    ------
    SaveError
        It is another table, or a cell is not what its column holds: it must not be written over.
    """
    if not content.strip():
        return []
    try:
        sheet = read_sheet(content, ("image", "status"))
        mark = sheet.decimal_mark(name for name, kind in COLUMN_TYPES.items() if kind is float)
        return [_row(line, mark, is_foreign=sheet.is_foreign) for line in sheet.lines]
    except NotATable as error:
        raise SaveError(
            TABLE,
            f"is there and is not a table of results: it {error.reason}",
            f"{error.remedy} Or move it away, and a new one is made.",
        ) from error


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
    """Check, before any work, that a Parquet table can be written.

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
    """Read the rows of a folder's table, none where there is no table; see :func:`rows_of`.

    Raises
    ------
    SaveError
        It is there and cannot be read: it must not be written over then.
    """
    path = folder / TABLE
    try:
        return rows_of(ordinary_bytes(path, MOST_BYTES))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SaveError(
            path,
            f"is there and cannot be read ({error.strerror})",
            "Close it in other programs, or move it away.",
        ) from error


def update_table(
    folder: Path, row: Row, *, create: bool = False, kept: Collection[str] = ()
) -> None:
    """Put a row in the place of the old row of the same result.

    Parameters
    ----------
    folder
        Where the table is.
    row
        Of a result, or of an image that failed: that replaces all rows of the image.
    create
        Make a table where there is none.
    kept
        Results of other images, which may have the same name as one that failed.

    Raises
    ------
    SaveError
        The table could not be read or written.
    """
    if not create and not os.path.lexists(folder / TABLE):
        return
    with locked(folder):
        old = read_table(folder)
        row = _with_others([row], old)[0]
        if row.result and any(other.result == row.result for other in old):
            rows = [replace(row, image=o.image) if o.result == row.result else o for o in old]
        else:
            rows = [*_not_replaced(old, [row], kept), row]
        write_table(folder, rows)


def update_batch_table(folder: Path, row: Row) -> None:
    """Put the row of a result that was saved into the table of the batch it belongs to.

    That is the table of its folder; where there is none, that of the nearest batch in the
    folders above, if it has a row of this very result. Without a table nothing is written.

    Parameters
    ----------
    folder
        Where the result was saved.
    row
        Told from `folder`.

    Raises
    ------
    SaveError
        The table could not be read or written; the result itself is whole.
    """
    table = _batch_table(folder)
    if table is None:
        return
    below = PurePosixPath(*folder.absolute().relative_to(table).parts)
    if not below.parts:
        update_table(table, row)
        return
    row = replace(row, image=str(below / row.image), result=str(below / row.result))
    if any(old.result == row.result for old in read_table(table)):
        update_table(table, row)


def require_table(folder: Path) -> None:
    """Check, before a result is saved, that the table that tells of it can be read.

    Raises
    ------
    SaveError
        It cannot.
    """
    table = _batch_table(folder)
    if table is not None:
        read_table(table)


def _batch_table(folder: Path) -> Path | None:
    """Folder of the table that tells of the results in a folder: that one, or a batch's above."""
    folder = folder.absolute()
    if os.path.lexists(folder / TABLE):
        return folder
    return next((above for above in folder.parents if (above / MANIFEST).exists()), None)


def merged(new: Sequence[Row], old: Sequence[Row]) -> list[Row]:
    """New rows, and after them the old ones that they do not replace.

    A row replaces that of the same result, and failures of the same image. A failure replaces all
    rows of its image: whatever they tell, it is not true of the file as it is now.
    """
    return [*_with_others(new, old), *_not_replaced(old, new)]


def _not_replaced(old: Sequence[Row], new: Sequence[Row], kept: Collection[str] = ()) -> list[Row]:
    results = {row.result for row in new}.union(kept)
    images = {row.image for row in new}
    failed = {row.image for row in new if not row.result}
    return [
        row
        for row in old
        if row.result in kept
        or (
            row.image not in failed
            and (row.result not in results if row.result else row.image not in images)
        )
    ]


def _with_others(new: Sequence[Row], old: Sequence[Row]) -> list[Row]:
    """Take over what a person wrote into columns of their own."""
    written = {row.result or row.image: row.others for row in old if row.others}
    if not written:
        return list(new)
    return [
        row if row.others else replace(row, others=written.get(row.result or row.image, ()))
        for row in new
    ]


def _row(line: Line, mark: str, *, is_foreign: bool) -> Row:
    """Read a row; older tables have fewer columns, and those of others more."""
    values = {name: value(line, name, kind, mark) for name, kind in COLUMN_TYPES.items()}
    if not values["image"]:
        raise refused(line, "image", "is empty")
    if values["status"] not in get_args(Status):
        raise refused(line, "status", f"is none of {', '.join(get_args(Status))}")
    if is_foreign and "?" in str(values["image"]):
        raise NotATable(
            f"has lost letters of the name '{values['image']}' in line {line.number}",
            "In Excel, save it as 'CSV UTF-8 (comma delimited)'.",
        )
    row = Row(
        **values,
        others=tuple(
            (name, plain(cell))
            for name, cell in line.cells.items()
            if name not in COLUMN_TYPES and cell
        ),
    )
    if row.result and not stays_inside(row.result):
        raise refused(line, "result", "leads out of the folder")
    if is_foreign and was_converted(row.image, row.result, row.sha256):
        stem = PurePosixPath(row.image).stem
        raise refused(line, "result", f"a spreadsheet changed; it was '{stem}'")
    return row
