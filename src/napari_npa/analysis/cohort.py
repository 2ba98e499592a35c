"""A folder of results as a cohort: the ischemic index by group, and agreement of two graders.

.. code-block:: python

    from pathlib import Path
    from napari_npa.analysis.cohort import read_groups, summarise
    from napari_npa.analysis.tables import write_tables

    groups = read_groups(Path("patients.csv"), by="severity")
    cohort = summarise(Path("results"), groups, masks=Path("second_grader"))
    cohort.groups[0].isi.median  # percent
    cohort.second.intraclass_correlation
    write_tables(Path("results/summary"), cohort)
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path, PurePosixPath

from napari_npa.analysis.graders import TwoGraders, compare_graders, plain_path
from napari_npa.errors import EvaluationError
from napari_npa.io.names import TABLE
from napari_npa.measure.agreement import Summary
from napari_npa.results.table import plain
from napari_npa.types import Progress

EVERYONE = "all"
"""Group of every image, the last row of the summary."""

GROUPLESS = "(no group)"
"""Group of the images of which the table of groups says nothing."""

MOST_GROUPS = 100
"""A column of more values tells patients or dates, not groups, and has no readable plot."""

DELIMITERS = ",;\t"
"""Excel writes semicolons where the comma is the decimal mark."""


@dataclass(frozen=True)
class CohortImage:
    """An image of the cohort.

    Attributes
    ----------
    image
        As the table of results names it; may be a path with ``/``.
    base
        Beginning of the names of its masks, relative to the folder of results.
    isi_percent
        Ischemic index; None where the image failed or could not be graded.
    group
        Empty when the cohort has no groups.
    """

    image: str
    base: str
    isi_percent: float | None
    group: str = ""


@dataclass(frozen=True)
class Groups:
    """To which group each image belongs, by a table of the user.

    Attributes
    ----------
    source
        The table.
    by
        Its column that tells the group.
    of
        Group of each key: an image's path as in the table of results, its file name, or its
        stem.
    """

    source: Path
    by: str
    of: Mapping[str, str]


@dataclass(frozen=True)
class GroupSummary:
    """Ischemic index of one group.

    Attributes
    ----------
    group
        Its name.
    images, without_index
        All images of the group, and those without an index: failed or not gradable.
    isi
        Percent; None when no image has an index.
    deviation
        Standard deviation, percentage points; None for fewer than two.
    extremes
        Smallest and largest index, percent.
    """

    group: str
    images: int
    without_index: int
    isi: Summary | None
    deviation: float | None
    extremes: tuple[float, float] | None

    @classmethod
    def of(cls, group: str, images: Sequence[CohortImage]) -> GroupSummary:
        """Summarise the images of a group."""
        values = indices(images)
        isi = Summary.of(values) if values else None
        return cls(
            group,
            len(images),
            len(images) - len(values),
            isi,
            isi.deviation if isi is not None and len(values) > 1 else None,
            (values[0], values[-1]) if values else None,
        )


@dataclass(frozen=True)
class Cohort:
    """Images of a folder of results.

    Attributes
    ----------
    images
        In the order of the table.
    grouped_by
        Column that told the groups; empty without groups.
    second
        Agreement with a second grader, where there is one.
    """

    images: tuple[CohortImage, ...]
    grouped_by: str = ""
    second: TwoGraders | None = None

    @property
    def groups(self) -> list[GroupSummary]:
        """A summary a group, in natural order of the names, and last one of all images."""
        by_group: dict[str, list[CohortImage]] = {}
        for image in self.images if self.grouped_by else ():
            by_group.setdefault(image.group, []).append(image)
        return [
            *(GroupSummary.of(name, by_group[name]) for name in sorted(by_group, key=_natural)),
            GroupSummary.of(EVERYONE, self.images),
        ]

    @property
    def groupless(self) -> list[CohortImage]:
        """Images of which the table of groups says nothing."""
        return [image for image in self.images if image.group == GROUPLESS]


def summarise(
    folder: Path,
    groups: Groups | None = None,
    masks: Path | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Read a folder of results as a cohort.

    Parameters
    ----------
    folder
        Results of ``napari-npa segment``, with their table ``ischemia.csv``.
    groups
        From :func:`read_groups`.
    masks
        Masks ``<stem>_npa.*`` of a second grader, possibly with ``<stem>_retina.*``. They are
        matched by their path within the folder, else by the stem alone where it is unique.
    progress
        Called after each image that both graded with the number done and of all.

    Raises
    ------
    EvaluationError
        A table or mask cannot be read, no image is in the table of groups, one of its keys
        stands for several images, or no image has a second mask.
    AngiogramError
        A mask is not an image of one channel.
    """
    images = read_images(folder)
    if groups is not None:
        images = _grouped(images, groups)
    second = None
    if masks is not None:
        bases = [image.base for image in images if image.isi_percent is not None]
        second = compare_graders(folder, bases, masks, progress)
    return Cohort(tuple(images), "" if groups is None else groups.by, second)


def read_images(folder: Path) -> list[CohortImage]:
    """Images of the table of a results folder, without groups.

    Raises
    ------
    EvaluationError
        The table is absent, lacks a column, holds no image, or an index that is none.
    """
    path = folder / TABLE
    if not path.is_file():
        raise EvaluationError(
            folder, f"holds no {TABLE}", "Give a folder that 'napari-npa segment' wrote into."
        )
    rows = [row for row in _rows(path, ("image", "isi", "status")) if row["image"]]
    if not rows:
        raise EvaluationError(path, "lists no image", "Segment images into this folder first.")
    return [
        CohortImage(
            image=plain(row["image"]),
            base=plain(row.get("result", ""))
            or str(PurePosixPath(plain(row["image"])).with_suffix("")),
            isi_percent=_percent(path, row) if row["status"] == "ok" else None,
        )
        for row in rows
    ]


def read_groups(path: Path, by: str, key: str = "image") -> Groups:
    """Read the group of each image from a table of the user.

    Parameters
    ----------
    path
        CSV in UTF-8, separated by commas, semicolons or tabs, with column names in the first
        line. Nothing but the two columns is used.
    by
        Column of the groups.
    key
        Column of the images: paths as in the table of results, file names, or stems.

    Raises
    ------
    EvaluationError
        The table cannot be read, is empty, lacks a column, lists an image twice, or has too
        many groups.
    """
    rows = [row for row in _rows(path, (key, by)) if row[key]]
    if not rows:
        raise EvaluationError(path, f"names no image in its column '{key}'", "Add a row an image.")
    keys = [plain_path(row[key]) for row in rows]
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


def indices(images: Iterable[CohortImage]) -> list[float]:
    """The ischemic indices that there are, percent, sorted."""
    return sorted(image.isi_percent for image in images if image.isi_percent is not None)


# Groups


def _grouped(images: Sequence[CohortImage], groups: Groups) -> list[CohortImage]:
    keys = [next((n for n in _names(i.image) if n in groups.of), None) for i in images]
    for key, count in Counter(key for key in keys if key is not None).items():
        if count > 1:
            raise EvaluationError(
                groups.source,
                f"has '{key}', which stands for {count} images",
                f"Write the images' paths as in the column 'image' of {TABLE}; where these are "
                "the same, keep the results in folders of their own.",
            )
    if not any(keys):
        raise EvaluationError(
            groups.source,
            f"names none of the {len(images)} images, such as '{images[0].image}'",
            f"Write them as in the column 'image' of {TABLE}, or choose another column as key.",
        )
    return [
        replace(image, group=GROUPLESS if key is None else groups.of[key])
        for image, key in zip(images, keys, strict=True)
    ]


def _names(image: str) -> tuple[str, ...]:
    """What a table of groups may call an image, the most telling first."""
    path = PurePosixPath(plain_path(image))
    return str(path), str(path.with_suffix("")), path.name, path.stem


def _natural(name: str) -> tuple[bool, list[tuple[int, str]], str]:
    """Key that sorts 2 before 10, and the groupless last."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.casefold())
    numbered = [(int(p), "") if p[0] in "0123456789" else (0, p) for p in parts]
    return name == GROUPLESS, numbered, name


# CSV


def _rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a CSV file that has the columns, cells without blanks around them."""
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
        raise EvaluationError(path, "is empty", "It needs a line of column names and rows.")
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
            path, f"is not a CSV table ({error})", "Export it from your program again, as CSV."
        ) from error
    header = max(headers, key=len)
    missing = ", ".join(f"'{name}'" for name in columns if name not in header)
    raise EvaluationError(path, f"has no column {missing}", f"Its columns are {', '.join(header)}.")


def _percent(path: Path, row: Mapping[str, str]) -> float | None:
    if not row["isi"]:
        return None
    try:
        isi = float(row["isi"].replace(",", "."))  # a table that went through a European Excel
    except ValueError:
        isi = -1
    if not 0 <= isi <= 1:
        raise EvaluationError(
            path,
            f"has the index '{row['isi']}' for {row['image']}; it lies between 0 and 1",
            "Restore the table, or segment the image again.",
        )
    return 100 * isi
