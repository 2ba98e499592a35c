"""Tables of results as a spreadsheet leaves them that somebody opened, looked at and saved."""

from __future__ import annotations

import csv
from io import StringIO

from napari_npa.results.table import COLUMN_TYPES, Row

SHA = "ab" * 32

ROWS = [
    Row("a.tif", 0.163402, 1_234_567, 7_555_399, "whole", 1.25, "ok", "", 0.6, True, SHA, "a"),
    Row("b, late.tif", 0.0, 0, 999, "whole", 1234.5, "ok", "Gefäß", 0.5, False, "cd" * 32, "b"),
    Row("c.tif", status="failed", message="'c.tif' is empty. Export it again."),
]
"""A corrected result, one without non-perfusion, and a failure."""


def cells(row: Row) -> list[str]:
    """Cells as our own table has them."""
    values = (getattr(row, name) for name in COLUMN_TYPES)
    return ["" if value is None else str(value) for value in values]


def saved(
    rows: list[Row],
    *,
    delimiter: str = ",",
    decimal: str = ".",
    thousands: str = "",
    truth: tuple[str, str] = ("TRUE", "FALSE"),
    trailing: int = 0,
    first: str = "",
    encoding: str = "utf-8-sig",
) -> bytes:
    """Content of the table as a spreadsheet of that country saves it."""
    text = StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow([*COLUMN_TYPES, *[""] * trailing])
    for row in rows:
        shown = dict(zip(COLUMN_TYPES, cells(row), strict=True))
        for name, kind in COLUMN_TYPES.items():
            if kind is bool and shown[name]:
                shown[name] = truth[shown[name] == "False"]
            if kind is float:
                shown[name] = shown[name].replace(".", decimal)
            if kind is int and shown[name]:
                shown[name] = f"{int(shown[name]):,}".replace(",", thousands)
        writer.writerow([*shown.values(), *[""] * trailing])
    writer.writerow([""] * (len(COLUMN_TYPES) + trailing))
    return (first + text.getvalue()).encode(encoding)


COUNTRIES = {
    "American": {},
    "American, thousands shown": {"thousands": ","},
    "American, older": {"encoding": "utf-8"},
    "Unicode text": {"delimiter": "\t", "encoding": "utf-16"},
    "German": {"delimiter": ";", "decimal": ",", "truth": ("WAHR", "FALSCH")},
    "German, thousands shown": {"delimiter": ";", "decimal": ",", "thousands": "."},
    "French": {
        **{"delimiter": ";", "decimal": ",", "thousands": "\u202f"},
        "truth": ("VRAI", "FAUX"),
    },
    "Swiss": {"delimiter": ";", "thousands": "’", "truth": ("WAHR", "FALSCH")},
    "Chinese": {"truth": ("TRUE", "FALSE"), "thousands": ","},
    "Russian": {
        **{"delimiter": ";", "decimal": ",", "thousands": "\u00a0"},
        "truth": ("ИСТИНА", "ЛОЖЬ"),
    },
    "comma as decimal mark, commas between cells": {"decimal": ","},
    "with the separator told": {"delimiter": ";", "first": "sep=;\r\n"},
    "with empty columns at the end": {"trailing": 3},
}
"""Ways in which Excel and others save the same table."""


def changed(column: str, cell: str, at: int = 0) -> bytes:
    """The table with one cell changed, as an American spreadsheet saves it."""
    lines = [list(COLUMN_TYPES), *map(cells, ROWS)]
    lines[1 + at][list(COLUMN_TYPES).index(column)] = cell
    text = StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(lines)
    return text.getvalue().encode()
