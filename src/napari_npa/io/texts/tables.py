"""Tables as they are written: CSV for programs and spreadsheets, markdown for readers.

File names and the names of groups come from anywhere. No spreadsheet runs one as a formula, and no
reader of markdown takes one for HTML, a link, or another column.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from io import StringIO

# Text that a spreadsheet would run as a formula, the full-width signs in East Asian ones, or that
# we would take for our own guard of one.
_FORMULA = re.compile(r"'*[=+\-@＝＋－＠\t\r\n]")

_MARKDOWN = {**{sign: f"\\{sign}" for sign in "\\|`*[]"}, "&": "&amp;", "<": "&lt;", ">": "&gt;"}


class Figure(str):
    """A number as it stands in a table; being ours, it needs no guard against formulas."""

    __slots__ = ()


def figure(value: float | None, form: str) -> Figure:
    """Format a number, as ``.3f``; empty for one that does not exist."""
    return Figure("" if value is None else format(value, form))


def csv_text(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Format a table as CSV, separated by commas, lines ending in a line feed.

    A text that a spreadsheet would run as a formula gets an apostrophe in front, which
    :func:`plain` takes away again. What is not a character stands as a backslash escape.
    """
    return "".join(map(_line, [header, *rows]))


def plain(cell: str) -> str:
    """Text of a cell without the apostrophe that guards against formulas."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def markdown_text(text: str) -> str:
    """Escape what markdown, or HTML in it, would not show as it stands."""
    return "".join(_MARKDOWN.get(sign, sign) for sign in " ".join(text.split()))


def _line(values: Iterable[object]) -> str:
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow(map(_cell, values))  # quotes both in cells
    return text.getvalue().removesuffix("\r\n") + "\n"


def _cell(value: object) -> object:
    if not isinstance(value, str) or isinstance(value, Figure):
        return value
    text = value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    return f"'{text}" if _FORMULA.match(text) else text
