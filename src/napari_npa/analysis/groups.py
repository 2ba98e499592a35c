"""Groups of the images of a cohort, from a table of the user."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path, PurePosixPath

from napari_npa.errors import EvaluationError
from napari_npa.io.masks import normalised_path
from napari_npa.io.names import TABLE

GROUPLESS = "(no group)"
"""Group of the images that the table of groups does not list, or lists without a group."""

MOST_GROUPS = 100
"""A column with more values holds patients or dates, not groups, and has no readable plot."""

DELIMITERS = ",;\t"
"""Excel writes semicolons where the comma is the decimal mark."""


@dataclass(frozen=True)
class Groups:
    """The group of each image, from a table of the user.

    Attributes
    ----------
    source
        The table.
    by
        Column of the groups.
    of
        Group by key: the path of an image as in the table of results, its file name, or its
        stem.
    """

    source: Path
    by: str
    of: Mapping[str, str]

    def assign(self, images: Sequence[str]) -> list[str]:
        """Return the group of each image.

        Parameters
        ----------
        images
            Paths as in the table of results.

        Returns
        -------
        groups
            :data:`GROUPLESS` where the table does not list the image.

        Raises
        ------
        EvaluationError
            The table lists none of the images, or one of its keys stands for several.
        """
        keys = [next((k for k in _possible_keys(i) if k in self.of), None) for i in images]
        for key, count in Counter(key for key in keys if key is not None).items():
            if count > 1:
                raise EvaluationError(
                    self.source,
                    f"has '{key}', which stands for {count} images",
                    f"Write the paths of the images as in the column 'image' of {TABLE}. If two "
                    "images have the same path, keep their results in separate folders.",
                )
        if not any(keys):
            raise EvaluationError(
                self.source,
                f"names none of the {len(images)} images, such as '{images[0]}'",
                f"Write them as in the column 'image' of {TABLE}, or choose another key column.",
            )
        return [GROUPLESS if key is None else self.of[key] for key in keys]


def read_groups(path: Path, by: str, key: str = "image") -> Groups:
    """Read the group of each image from a table of the user.

    Parameters
    ----------
    path
        CSV in UTF-8, separated by commas, semicolons or tabs, with column names in the first
        line. Only the two columns are used.
    by
        Column of the groups.
    key
        Column of the images: paths as in the table of results, file names, or stems.

    Raises
    ------
    EvaluationError
        The table cannot be read, is empty, lacks a column, lists an image twice, or has more
        than :data:`MOST_GROUPS` groups.
    """
    rows = [row for row in _read_rows(path, (key, by)) if row[key]]
    if not rows:
        raise EvaluationError(
            path, f"names no image in its column '{key}'", "Add a row for each image."
        )
    keys = [normalised_path(row[key]) for row in rows]
    name, count = Counter(keys).most_common(1)[0]
    if count > 1:
        raise EvaluationError(
            path, f"lists '{name}' {count} times", f"Leave one row for each '{key}'."
        )
    of = {k: row[by] or GROUPLESS for k, row in zip(keys, rows, strict=True)}
    if (groups := len(set(of.values()))) > MOST_GROUPS:
        raise EvaluationError(
            path,
            f"has {groups} groups in its column '{by}'",
            f"Choose a column of at most {MOST_GROUPS} values.",
        )
    return Groups(path, by, of)


def _possible_keys(image: str) -> tuple[str, ...]:
    """Return what a table of groups may call an image, the most specific name first."""
    path = PurePosixPath(normalised_path(image))
    return str(path), str(path.with_suffix("")), path.name, path.stem


def _read_rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a CSV file that has the columns; strip blanks from the cells."""
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise EvaluationError(
            path, f"cannot be read ({error.strerror})", "Check the path and its permissions."
        ) from error
    except UnicodeDecodeError as error:
        raise EvaluationError(
            path, "is not in UTF-8", "In Excel, save it as 'CSV UTF-8 (comma delimited)'."
        ) from error
    if not text.strip():
        raise EvaluationError(path, "is empty", "It needs a line of column names, and rows.")
    headers = []
    try:
        for delimiter in DELIMITERS:
            reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
            header = [name.strip() for name in next(reader)]
            if set(columns) <= set(header):
                return [
                    dict(zip(header, (cell.strip() for cell in row), strict=False))
                    | dict.fromkeys(header[len(row) :], "")
                    for row in reader
                    if any(cell.strip() for cell in row)
                ]
            headers.append(header)
    except csv.Error as error:
        raise EvaluationError(
            path, f"is not a CSV table ({error})", "Export it as CSV from your program again."
        ) from error
    header = max(headers, key=len)
    missing = ", ".join(f"'{name}'" for name in columns if name not in header)
    raise EvaluationError(path, f"has no column {missing}", f"Its columns are {', '.join(header)}.")
