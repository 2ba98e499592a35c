"""Cells of the table of results: what they may hold, and what a spreadsheet made of them."""

from __future__ import annotations

import math
import re
from pathlib import PurePosixPath
from typing import Any

from napari_npa.io.names import hashed_stem
from napari_npa.io.texts.spreadsheets import Line, NotATable, number, truth, whole_number
from napari_npa.io.texts.tables import plain

FRACTIONS = ("isi", "threshold")
"""Columns whose values lie between 0 and 1; no number of a row is negative."""

MOST = 2**53
"""Largest number in a row."""

# Names that a spreadsheet takes for a number or a date, and what it makes of them.
_CONVERTIBLE = re.compile(
    r"[+-]?\d[\d.,/-]*(e\d+)?|[a-z]{3,9}[ -]?\d{1,4}|\d{1,4}[ -][a-z]{3,9}", re.IGNORECASE
)
_CONVERTED = re.compile(
    r"[+-]?\d+([.,]\d+)?(e[+-]?\d+)?|\d{1,4}([./-]\d{1,4}){1,2}"
    r"|\d{1,4}[. -]+\w{3,9}|\w{3,9}[ -]\d{1,4}",
    re.IGNORECASE,
)


def value(line: Line, name: str, kind: type, mark: str) -> Any:  # noqa: ANN401 - of that kind
    """Value of a cell.

    Parameters
    ----------
    line, name
        Row and column of the cell.
    kind
        What the column holds.
    mark
        Decimal mark.

    Raises
    ------
    NotATable
        It holds something else.
    """
    text = line.cells.get(name, "")
    if kind is str:
        return plain(text)
    if not text.strip():
        return None
    try:
        if kind is bool:
            return truth(text)
        found = whole_number(text) if kind is int else number(text, mark)
    except ValueError as error:
        raise refused(line, name, str(error)) from error
    if not 0 <= found <= (1 if name in FRACTIONS else MOST) or not math.isfinite(found):
        raise refused(line, name, "cannot be")
    return found


def was_converted(image: str, result: str, sha256: str) -> bool:
    """Whether a spreadsheet took the beginning of the file names for a number or a date.

    Another name than the image's own is nobody's business, unless both are like that.
    """
    stem, told = PurePosixPath(image).stem, PurePosixPath(result).name
    return (
        told not in ("", stem, hashed_stem(stem, sha256))
        and _CONVERTIBLE.fullmatch(stem) is not None
        and _CONVERTED.fullmatch(told) is not None
    )


def refused(line: Line, column: str, why: str) -> NotATable:
    """The error that names a cell."""
    cell = line.cells.get(column, "")[:40]
    return NotATable(
        f"has '{cell}' in column '{column}' of line {line.number}, which {why}", "Mend the cell."
    )
