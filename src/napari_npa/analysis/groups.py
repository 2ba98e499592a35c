"""Groups of the images of a cohort, from a table of the user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from napari_npa.errors import EvaluationError
from napari_npa.io.masks import normalised_path
from napari_npa.io.names import TABLE
from napari_npa.io.texts.ordinary import ordinary_bytes
from napari_npa.io.texts.spreadsheets import NotATable, read_sheet
from napari_npa.io.texts.tables import plain

GROUPLESS = "(no group)"
"""Group of the images that the table of groups does not list, or lists without a group."""

MOST_GROUPS = 100
"""A column with more values holds patients or dates, not groups, and has no readable plot."""

MOST_BYTES = 2**28
"""Size of the table."""


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
        As :func:`napari_npa.io.texts.spreadsheets.read_sheet` reads it. Only the two columns
        are used.
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
    """Read a table that has the columns; strip blanks from the cells."""
    try:
        # A link of the user's own, but no pipe.
        sheet = read_sheet(ordinary_bytes(path.resolve(), MOST_BYTES), columns)
    except OSError as error:
        raise EvaluationError(
            path, f"cannot be read ({error.strerror})", "Check the path and its permissions."
        ) from error
    except NotATable as error:
        raise EvaluationError(path, error.reason, error.remedy) from error
    return [
        {column: plain(line.cells[column].strip()) for column in columns} for line in sheet.lines
    ]
