"""The table of results, ``ischemia.csv``: a row an image."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib.util import find_spec
from io import BytesIO, StringIO
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Literal, get_args

from napari_npa.errors import BatchError, SaveError
from napari_npa.io.names import MANIFEST, PARQUET_TABLE, TABLE
from napari_npa.io.writing import write_text

Status = Literal["ok", "failed", "ungradable"]

changing = Lock()
"""Held while a table is read, changed and written, so that threads take turns."""

# Text that a spreadsheet would run as a formula, or that we would take for our own guard of one.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


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


COLUMN_TYPES: dict[str, type] = {
    **dict.fromkeys((field.name for field in fields(Row)), str),
    **dict.fromkeys(("npa_pixels", "retina_pixels"), int),
    **dict.fromkeys(("isi", "seconds", "threshold"), float),
    "edited": bool,
}
"""Columns of the table in order, and what they hold; those that are not texts may be empty."""


def table_text(rows: Iterable[Row]) -> str:
    """The table as CSV, with a header, lines ending in a line feed.

    A text that a spreadsheet would run as a formula gets an apostrophe in front, which
    :func:`plain` takes away again.
    """
    lines = [COLUMN_TYPES, *([getattr(row, name) for name in COLUMN_TYPES] for row in rows)]
    return "".join(map(_line, lines))


def rows_of(text: str) -> list[Row]:
    """Read the rows of a table, also of one that a European Excel saved.

    Raises
    ------
    SaveError
        It is another table, or a line of it is not a row of ours: it must not be written over.
    """
    first = text.partition("\n")[0]
    reader = csv.DictReader(StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    rows = []
    try:
        if text.strip() and "image" not in (reader.fieldnames or ()):
            raise csv.Error("no column 'image'")
        for values in reader:
            if not any(values.values()):  # as a spreadsheet leaves them
                continue
            try:
                rows.append(_row(values))
            except (KeyError, ValueError) as error:
                raise csv.Error(f"line {reader.line_num} is not a row of it") from error
    except csv.Error as error:
        raise SaveError(
            TABLE, f"is there and is not a table of results ({error})", "Mend it, or move it away."
        ) from error
    return rows


def plain(cell: str) -> str:
    """Text of a cell without the apostrophe that guards against formulas."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


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
        return rows_of(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise SaveError(
            path, "is there and cannot be read", "Close it in other programs, or move it away."
        ) from error


def update_table(folder: Path, row: Row, *, create: bool = False) -> None:
    """Put a row in the place of the old row of the same result.

    Parameters
    ----------
    folder
        Where the table is.
    row
        Of a result, or of an image that failed.
    create
        Make a table where there is none.

    Raises
    ------
    SaveError
        The table could not be read or written.
    """
    with changing:
        if not create and not (folder / TABLE).exists():
            return
        old = read_table(folder)
        if row.result and any(other.result == row.result for other in old):
            rows = [replace(row, image=o.image) if o.result == row.result else o for o in old]
        else:
            rows = [*_not_replaced(old, [row]), row]
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
    folder = folder.absolute()
    if (folder / TABLE).exists():
        update_table(folder, row)
        return
    above = next((above for above in folder.parents if (above / MANIFEST).exists()), None)
    if above is None:
        return
    below = PurePosixPath(*folder.relative_to(above).parts)
    row = replace(row, image=str(below / row.image), result=str(below / row.result))
    if any(old.result == row.result for old in read_table(above)):
        update_table(above, row)


def merged(new: Sequence[Row], old: Sequence[Row]) -> list[Row]:
    """New rows, and after them the old ones that they do not replace.

    A row replaces that of the same result, and failures of the same image.
    """
    return [*new, *_not_replaced(old, new)]


def _not_replaced(old: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    results, images = {row.result for row in new}, {row.image for row in new}
    return [
        row for row in old if (row.result not in results if row.result else row.image not in images)
    ]


def _line(values: Iterable[object]) -> str:
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow(map(_cell, values))  # quotes both in cells
    return text.getvalue().removesuffix("\r\n") + "\n"


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def _row(texts: Mapping[str, str]) -> Row:
    # Older tables have fewer columns.
    values = {name: _value(kind, texts.get(name) or "") for name, kind in COLUMN_TYPES.items()}
    if not values["image"] or values["status"] not in get_args(Status):
        raise ValueError("not a row of ours")
    return Row(**values)  # type: ignore[arg-type]


def _value(kind: type, text: str) -> str | float | bool | None:
    if kind is str:
        return plain(text)
    if not text:
        return None
    if kind is bool:
        return {"true": True, "false": False}[text.lower()]  # a spreadsheet writes TRUE
    number: float = kind(text.replace(",", "."))  # the decimal mark of a European Excel
    return number
