"""A folder of results as a cohort: ischemic index by group, and inter-grader agreement.

.. code-block:: python

    from pathlib import Path
    from napari_npa.analysis.cohort import summarise
    from napari_npa.analysis.groups import read_groups
    from napari_npa.analysis.tables import write_tables

    groups = read_groups(Path("patients.csv"), by="severity")
    cohort = summarise(Path("results"), groups, masks=Path("second_grader"))
    cohort.groups[0].isi.median  # percent
    cohort.agreement.intraclass_correlation
    write_tables(Path("results/summary"), cohort)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from napari_npa.analysis.graders import InterGraderAgreement, compare_graders
from napari_npa.analysis.groups import GROUPLESS, Groups
from napari_npa.errors import EvaluationError
from napari_npa.io.names import TABLE
from napari_npa.measure.agreement import Summary
from napari_npa.results.table import read_table
from napari_npa.types import Progress

EVERYONE = "all"
"""Group of every image, the last row of the summary."""


@dataclass(frozen=True)
class CohortImage:
    """An image of the cohort.

    Attributes
    ----------
    image
        Path as in the table of results, with ``/``.
    base
        Beginning of the names of its masks, relative to the folder of results.
    isi_percent
        Ischemic index, percent; None where the image failed or could not be graded.
    group
        Empty if the cohort has no groups.
    """

    image: str
    base: str
    isi_percent: float | None
    group: str = ""


@dataclass(frozen=True)
class GroupSummary:
    """Ischemic index of one group.

    Attributes
    ----------
    group
        Its name.
    images, without_index
        Number of all images of the group, and of those that failed or were not gradable.
    isi
        Percent; None when no image has an index.
    deviation
        Standard deviation, percentage points; None for fewer than two indices.
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
        Column of the groups; empty without groups.
    agreement
        Inter-grader agreement; None without a second grader.
    """

    images: tuple[CohortImage, ...]
    grouped_by: str = ""
    agreement: InterGraderAgreement | None = None

    @property
    def groups(self) -> list[GroupSummary]:
        """A summary of each group, in natural order of the names, then one of all images."""
        by_group: dict[str, list[CohortImage]] = {}
        for image in self.images if self.grouped_by else ():
            by_group.setdefault(image.group, []).append(image)
        return [
            *(GroupSummary.of(name, by_group[name]) for name in sorted(by_group, key=_natural)),
            GroupSummary.of(EVERYONE, self.images),
        ]

    @property
    def groupless(self) -> list[CohortImage]:
        """Images that the table of groups does not list."""
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
        Results of ``napari-npa segment`` or ``batch``, with their table ``ischemia.csv``.
    groups
        From :func:`napari_npa.analysis.groups.read_groups`.
    masks
        Masks of a second grader; see :func:`napari_npa.analysis.graders.compare_graders`.
    progress
        Called after each image that both graded.

    Raises
    ------
    EvaluationError
        The table of results lists no image, the table of groups does not fit the images, or
        the graders have no image or no retina in common.
    AngiogramError
        A mask cannot be read, or masks of one image differ in size.
    SaveError
        The table of results cannot be read, or a cell is not what its column holds.
    """
    images = read_images(folder)
    if groups is not None:
        assigned = groups.assign([image.image for image in images])
        images = [replace(i, group=group) for i, group in zip(images, assigned, strict=True)]
    agreement = None
    if masks is not None:
        bases = [image.base for image in images if image.isi_percent is not None]
        agreement = compare_graders(folder, bases, masks, progress)
    return Cohort(tuple(images), "" if groups is None else groups.by, agreement)


def read_images(folder: Path) -> list[CohortImage]:
    """Read the images of a results folder from its table, without groups.

    Raises
    ------
    EvaluationError
        There is no table, or it lists no image.
    SaveError
        The table cannot be read, or a cell is not what its column holds.
    """
    rows = read_table(folder)
    if not rows:
        raise EvaluationError(
            folder,
            f"holds no {TABLE} that lists an image",
            "Give a folder that 'napari-npa segment' wrote into.",
        )
    return [
        CohortImage(
            image=row.image,
            base=row.result or str(PurePosixPath(row.image).with_suffix("")),
            isi_percent=100 * row.isi if row.status == "ok" and row.isi is not None else None,
        )
        for row in rows
    ]


def indices(images: Iterable[CohortImage]) -> list[float]:
    """Return the ischemic indices of the images that have one, percent, sorted."""
    return sorted(image.isi_percent for image in images if image.isi_percent is not None)


def _natural(name: str) -> tuple[bool, list[tuple[int, str]], str]:
    """Key that sorts 2 before 10, and the images without a group last."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.casefold())
    numbered = [(int(p), "") if p[0] in "0123456789" else (0, p) for p in parts]
    return name == GROUPLESS, numbered, name
