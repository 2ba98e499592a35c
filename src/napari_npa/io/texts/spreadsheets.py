"""Tables as they are read: CSV that a spreadsheet saved, wherever in the world it stands.

Excel writes semicolons where the comma is the decimal mark, its own words for true and false, and
what its cells show: marks between thousands, and fewer digits. What can be told is read; what
cannot is refused, and the cell is named. No line is left out in silence.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from io import StringIO

DELIMITERS = ",;\t"

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_EXPORT = "Export it as CSV from your program again."
_EXCEL = "In Excel, save it as 'CSV UTF-8 (comma delimited)'."

_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?;*\r?\n', re.IGNORECASE)
"""First line by which some programs tell Excel the separator."""

# Signs between thousands besides point and comma: spaces of several widths, and apostrophes.
_GAPS = str.maketrans(dict.fromkeys("\u00a0\u2009\u202f'’", " "))
# India groups by two digits, except the last three.
_GROUPED = r"\d{1,3}(?P<gap>[ .,])(?:\d{2,3}(?P=gap))*\d{3}"
_WHOLE = re.compile(rf"[+-]?(?:\d+(?:[.,]0)?|{_GROUPED})")  # "12.0" is an integer of pandas
_DECIMAL = re.compile(r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d+)?")
_GROUPED_DECIMAL = re.compile(rf"[+-]?{_GROUPED}(?:(?!(?P=gap))[.,]\d+)?")
# One mark before three digits, and no zero before it: of thousands, or of decimals.
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")

_TRUTH: dict[str, bool] = {
    **dict.fromkeys(("true", "1", "wahr", "vrai", "vero", "verdadero", "verdadeiro"), True),
    **dict.fromkeys(("waar", "sant", "sand", "sann", "tosi", "prawda", "pravda"), True),
    **dict.fromkeys(("igaz", "doğru", "истина"), True),
    **dict.fromkeys(("false", "0", "falsch", "faux", "falso", "onwaar", "falskt"), False),
    **dict.fromkeys(("falsk", "usann", "epätosi", "fałsz", "nepravda", "hamis"), False),
    **dict.fromkeys(("yanliş", "yanlış", "ложь"), False),
}
"""How Excel writes the two, by its language."""


class NotATable(ValueError):  # noqa: N818 - each door turns it into its own error
    """Content that is not a table as wanted: the reason, a clause, and the remedy, a sentence."""

    def __init__(self, reason: str, remedy: str = _EXPORT) -> None:
        self.reason, self.remedy = reason, remedy
        super().__init__(reason)


@dataclass(frozen=True)
class Line:
    """A row, the line of the file where it begins, and its cells by their columns."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True)
class Sheet:
    """A table.

    Attributes
    ----------
    header
        Names of its columns.
    lines
        Its rows, without empty ones.
    delimiter
        Between its cells.
    is_foreign
        Whether another program than ours wrote it.
    """

    header: tuple[str, ...]
    lines: tuple[Line, ...]
    delimiter: str
    is_foreign: bool

    def decimal_mark(self, columns: Iterable[str]) -> str:
        """Tell the decimal mark from the cells of some columns; else from the delimiter."""
        texts = (line.cells.get(column, "") for column in columns for line in self.lines)
        seen = {
            mark
            for text in texts
            for mark in ".,"
            if text.count(mark) == 1 and _DECIMAL.fullmatch(text) and not _EITHER.fullmatch(text)
        }
        return seen.pop() if len(seen) == 1 else "," if self.delimiter == ";" else "."


def read_sheet(content: bytes, wanted: Collection[str]) -> Sheet:
    """Read a table that has at least the wanted columns.

    Parameters
    ----------
    content
        A file: CSV separated by commas, semicolons or tabs, in UTF-8 or, with its mark, UTF-16.
    wanted
        Names of columns.

    Raises
    ------
    NotATable
        It is in another encoding, is empty or damaged, lacks a column, or has a cell outside its
        columns.
    """
    text = _decoded(content)
    if not text.strip():
        raise NotATable("is empty", "It needs a line of column names, and rows.")
    first = _SEPARATOR_LINE.match(text)
    skipped = text.count("\n", 0, first.end()) if first else 0
    text = text[first.end() :] if first else text
    headers = []
    for delimiter in first.group(1) if first else DELIMITERS:
        records = _records(text, delimiter, skipped)
        header = tuple(name.strip() for name in records[0][1])
        if set(wanted) <= set(header):
            lines = [_line_of(header, *record) for record in records[1:] if any_cell(record[1])]
            end = text.find("\n")
            is_ours = delimiter == "," and not first and text[end - 1 : end] != "\r"
            has_mark = content.startswith((codecs.BOM_UTF8, *_UTF_16))
            return Sheet(_named(header), tuple(lines), delimiter, has_mark or not is_ours)
        headers.append(header)
    most = max(headers, key=len)
    missing = ", ".join(f"'{name}'" for name in wanted if name not in most)
    raise NotATable(f"has no column {missing}", f"Its columns are {', '.join(most)}.")


def any_cell(cells: Iterable[str]) -> bool:
    """Whether a row holds anything; a spreadsheet leaves empty ones."""
    return any(cell.strip() for cell in cells)


def whole_number(text: str) -> int:
    """Read an integer, also one whose thousands are set apart.

    Raises
    ------
    ValueError
        It is none, or was rounded.
    """
    text = text.strip().translate(_GAPS)
    found = _WHOLE.fullmatch(text)
    if found is None:
        raise ValueError("is not a whole number")
    gap = found.group("gap")
    return int(re.sub(r"[.,]0$", "", text) if gap is None else text.replace(gap, ""))


def number(text: str, decimal_mark: str) -> float:
    """Read a number, also one with a decimal comma, or whose thousands are set apart.

    Parameters
    ----------
    decimal_mark
        Where "1.234" or "1,234" may be either.

    Raises
    ------
    ValueError
        It is none.
    """
    text = text.strip().translate(_GAPS)
    if _DECIMAL.fullmatch(text):
        if _EITHER.fullmatch(text) and decimal_mark not in text:
            return float(re.sub("[.,]", "", text))
        return float(text.replace(",", "."))
    found = _GROUPED_DECIMAL.fullmatch(text)
    if found is None:
        raise ValueError("is not a number")
    return float(text.replace(found.group("gap"), "").replace(",", "."))


def truth(text: str) -> bool:
    """Read true or false, in the words of a spreadsheet in any of many languages.

    Raises
    ------
    ValueError
        It is neither.
    """
    try:
        return _TRUTH[text.strip().lower()]
    except KeyError:
        raise ValueError("is neither TRUE nor FALSE") from None


def _decoded(content: bytes) -> str:
    try:
        if content.startswith(_UTF_16):
            text = content.decode("utf-16")
        else:
            text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        cells = re.split(rb"[,;\t\r\n]", content[: error.start])[-1], content[error.start :]
        cell = (cells[0] + re.split(rb"[,;\t\r\n]", cells[1])[0])[:40].decode("utf-8", "replace")
        raise NotATable(f"is not in UTF-8: line {line} has the cell '{cell}'", _EXCEL) from error
    if "\0" in text:
        raise NotATable("is not a text", _EXPORT)
    return text


def _records(text: str, delimiter: str, skipped: int) -> list[tuple[int, list[str]]]:
    """Lines where records begin, and their cells."""
    # Strict: a quote that is never closed would take all later rows into its cell.
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records, line = [], skipped + 1
    try:
        for cells in reader:
            records.append((line, cells))
            line = skipped + reader.line_num + 1
    except csv.Error as error:
        raise NotATable(f"is not a CSV table (line {line}: {error})") from error
    while len(records) > 1 and not any_cell(records[0][1]):
        del records[0]
    return records


def _line_of(header: tuple[str, ...], number: int, cells: list[str]) -> Line:
    for at, cell in enumerate(cells):
        if cell.strip() and (at >= len(header) or not header[at]):
            raise NotATable(
                f"has the cell '{cell[:40]}' of line {number} in a column without a name",
                "Name the column in the first line, or clear the cell.",
            )
    filled = cells + [""] * (len(header) - len(cells))
    return Line(number, {name: cell for name, cell in zip(header, filled, strict=False) if name})


def _named(header: tuple[str, ...]) -> tuple[str, ...]:
    named = tuple(name for name in header if name)
    name, count = Counter(named).most_common(1)[0]
    if count > 1:
        raise NotATable(f"has {count} columns '{name}'", "Rename all but one of them.")
    return named
