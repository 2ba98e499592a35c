"""Plots of a cohort: ischemic index by group, and Bland–Altman plot of two graders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from napari_npa.analysis.cohort import Cohort, indices
from napari_npa.analysis.graders import InterGraderAgreement
from napari_npa.errors import NpaError
from napari_npa.io.writing import atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Format = Literal["png", "svg"]

RESOLUTION = 200
"""Of a PNG, dots per inch."""

WIDTH = 6.4
"""Of a figure, inches."""

LABEL_LENGTH = 32
"""Longest part of a group's name that is shown, characters."""

MOST_BARS = 20
BAR_WIDTHS = (1, 2, 5)
"""Percentage points; the first that needs at most :data:`MOST_BARS` bars is used."""

CLOSEST_LIMITS = 1.0
"""Smallest range of the axis of differences, percentage points to each side."""

POINT, LINE, BOX, GRAY = "#1f5f8b", "#b5452c", "#dce8f1", "0.45"

# For letters that matplotlib's own font lacks, where these fonts are installed.
OTHER_FONTS = (
    "Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", "PingFang SC", "Hiragino Sans",
    "Malgun Gothic", "Arial Unicode MS",
)  # fmt: skip


def write_plots(output: Path, cohort: Cohort, format: Format = "png") -> list[Path]:
    """Draw ``isi_by_group`` and, with a second grader, ``bland_altman``.

    Parameters
    ----------
    output
        A folder that exists.
    format
        Suffix of the files.

    Returns
    -------
    files
        Without ``isi_by_group`` if no image has an index.

    Raises
    ------
    NpaError
        matplotlib is not installed.
    SaveError
        A file could not be written.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.font_manager import get_font_names
    except ImportError as error:
        raise NpaError(
            "matplotlib",
            "is not installed; without it there are tables, but no plots",
            "Install it: pip install 'napari-npa[report]'.",
        ) from error
    installed = set(get_font_names())
    files = []
    with rc_context(
        {
            "font.family": ["DejaVu Sans", *(name for name in OTHER_FONTS if name in installed)],
            "text.parse_math": False,  # dollar signs in a group's name are no formula
            "axes.spines.top": False,
            "axes.spines.right": False,
            "svg.hashsalt": "napari-npa",  # the same data give the same file
        }
    ):
        if indices(cohort.images):
            drawn = _isi_by_group(cohort) if cohort.grouped_by else _isi_histogram(cohort)
            files.append(_save(output / f"isi_by_group.{format}", drawn))
        if cohort.agreement is not None:
            files.append(_save(output / f"bland_altman.{format}", _bland_altman(cohort.agreement)))
    return files


def _isi_by_group(cohort: Cohort) -> Figure:
    """Draw a box of quartiles for each group, whiskers to the extremes, a point for each image."""
    names = [group.group for group in cohort.groups[:-1] if group.isi is not None]
    values = [indices(i for i in cohort.images if i.group == name) for name in names]
    figure, axes = _axes(1.3 + 0.55 * len(names))
    rows = np.arange(len(names), 0, -1)
    axes.boxplot(
        values,
        positions=rows,
        orientation="horizontal",
        widths=0.6,
        whis=(0, 100),
        showcaps=False,
        patch_artist=True,
        boxprops={"facecolor": BOX, "edgecolor": GRAY},
        whiskerprops={"color": GRAY},
        medianprops={"color": LINE, "linewidth": 2},
    )
    for row, of_group in zip(rows, values, strict=True):
        axes.plot(of_group, row + _scatter(len(of_group)), "o", color=POINT, ms=3.5, alpha=0.6)
    labels = [f"{_label(n)}\nn = {len(v)}" for n, v in zip(names, values, strict=True)]
    axes.set_yticks(rows, labels)
    axes.set_ylim(0.4, len(names) + 0.6)
    axes.set_title(_label(cohort.grouped_by), loc="left", fontsize="medium")
    axes.set_xlabel("Ischemic index (% of the gradable retina)")
    _from_zero(axes)
    return figure


def _isi_histogram(cohort: Cohort) -> Figure:
    """Draw a histogram of the index."""
    from matplotlib.ticker import MaxNLocator

    values = indices(cohort.images)
    figure, axes = _axes(3.6)
    width = next(w for w in BAR_WIDTHS if values[-1] / w <= MOST_BARS)
    bars = max(1, int(np.ceil(values[-1] / width)))
    axes.hist(values, bins=bars, range=(0, bars * width), color=BOX, edgecolor=GRAY)
    median = float(np.median(values))
    axes.axvline(median, color=LINE, lw=2, label=f"median {median:.1f} %")
    axes.set_xlabel("Ischemic index (% of the gradable retina)")
    axes.set_ylabel("Images")
    axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
    axes.set_title(f"n = {len(values)}", loc="left", fontsize="medium")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False, borderaxespad=0.2)
    _from_zero(axes)
    return figure


def _bland_altman(agreement: InterGraderAgreement) -> Figure:
    """Plot the difference of two indices against their mean, with bias and limits of agreement."""
    means = [(i.isi_first + i.isi_second) / 2 for i in agreement.images]
    differences = [i.difference for i in agreement.images]
    figure, axes = _axes(4.2)
    axes.axhline(0, color="0.8", lw=1)
    axes.plot(means, differences, "o", color=POINT, ms=4.5, alpha=0.6)
    bland_altman = agreement.bland_altman
    if bland_altman is not None:
        low, high = bland_altman.limits
        axes.axhline(bland_altman.bias, color=LINE, lw=2, label=f"bias {bland_altman.bias:+.2f}")
        limits = f"limits of agreement {low:+.2f} to {high:+.2f}"
        axes.axhline(low, color=LINE, lw=1.2, ls="--", label=limits)
        axes.axhline(high, color=LINE, lw=1.2, ls="--")
        axes.legend(
            loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, borderaxespad=0.2
        )
    least, most = axes.get_ylim()
    axes.set_ylim(min(least, -CLOSEST_LIMITS), max(most, CLOSEST_LIMITS))
    axes.set_title(f"n = {len(means)}", loc="left", fontsize="medium")
    axes.set_xlabel("Mean ischemic index of both graders (%)")
    axes.set_ylabel("First minus second (percentage points)")
    return figure


def _axes(height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure((WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def _label(name: str) -> str:
    return name if len(name) <= LABEL_LENGTH else f"{name[: LABEL_LENGTH - 1]}…"


def _scatter(count: int) -> NDArray[np.float64]:
    """Offset points across a box: evenly, and with neighbouring values apart."""
    golden = (np.sqrt(5) - 1) / 2
    spread: NDArray[np.float64] = 0.4 * ((np.arange(count) * golden + 0.5) % 1 - 0.5)
    return spread


def _from_zero(axes: Axes) -> None:
    axes.set_xlim(left=min(0, -0.02 * axes.get_xlim()[1]))


def _save(path: Path, figure: Figure) -> Path:
    with atomic(path) as partial:
        metadata = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(partial, dpi=RESOLUTION, metadata=metadata)
    return path
