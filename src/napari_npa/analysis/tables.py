"""Tables of a cohort, for programs (CSV) and for readers (markdown)."""

from __future__ import annotations

from pathlib import Path

from napari_npa.analysis.cohort import Cohort, GroupSummary
from napari_npa.analysis.graders import InterGraderAgreement
from napari_npa.io.texts.tables import Figure, csv_text, figure, markdown_text
from napari_npa.io.writing import make_folder, write_text


def write_tables(output: Path, cohort: Cohort) -> list[Path]:
    """Write ``summary.csv``, ``summary.md`` and, with a second grader, ``agreement.csv``.

    Parameters
    ----------
    output
        Folder; made if absent.

    Raises
    ------
    SaveError
        A file could not be written.
    """
    make_folder(output)
    files = {"summary.csv": _summary_table(cohort)}
    if cohort.agreement is not None:
        files["agreement.csv"] = _agreement_table(cohort.agreement)
    files["summary.md"] = markdown(cohort)
    for name, text in files.items():
        write_text(output / name, text)
    return [output / name for name in files]


def markdown(cohort: Cohort) -> str:
    """Write the summary for readers, without names of images and of columns except the groups."""
    everyone = cohort.groups[-1]
    lines = [
        "# Ischemic index of a cohort",
        "",
        "Research use only: not for diagnosis or treatment.",
        "",
        f"{_count(everyone.images, 'image')}, {everyone.without_index} of them without an index "
        "(failed or not gradable).",
    ]
    if cohort.grouped_by:
        lines.append(
            f"Grouped by {markdown_text(cohort.grouped_by)}; "
            f"{_count(len(cohort.groupless), 'image')} without a group."
        )
    lines += [
        "",
        "Ischemic index, percent of the gradable retina:",
        "",
        "| group | images | without index | mean | SD | median | quartiles | range |",
        "|---|---|---|---|---|---|---|---|",
        *map(_markdown_row, cohort.groups),
        "",
    ]
    if cohort.agreement is not None:
        lines += _markdown_agreement(cohort.agreement)
    return "\n".join(lines)


def _summary_table(cohort: Cohort) -> str:
    header = ["group", "images", "without_index"]
    header += [f"isi_{f}_percent" for f in ("mean", "sd", "median", "q1", "q3", "min", "max")]
    return csv_text(
        header, ([g.group, g.images, g.without_index, *_figures(g)] for g in cohort.groups)
    )


def _figures(group: GroupSummary) -> list[Figure]:
    if group.isi is None or group.extremes is None:
        return [figure(None, "")] * 7
    isi = group.isi
    values = (isi.mean, group.deviation, isi.median, *isi.quartiles, *group.extremes)
    return [figure(value, ".3f") for value in values]


def _agreement_table(agreement: InterGraderAgreement) -> str:
    return csv_text(
        ["image", "dice", "isi_first_percent", "isi_second_percent", "difference_points"],
        (
            [
                i.image,
                *(figure(v, ".4f") for v in (i.dice, i.isi_first, i.isi_second, i.difference)),
            ]
            for i in sorted(agreement.images, key=lambda i: i.image)
        ),
    )


def _markdown_row(group: GroupSummary) -> str:
    cells = [markdown_text(group.group), str(group.images), str(group.without_index)]
    if group.isi is None or group.extremes is None:
        cells += ["–"] * 5
    else:
        isi, (low, high), (least, most) = group.isi, group.isi.quartiles, group.extremes
        deviation = "–" if group.deviation is None else f"{group.deviation:.1f}"
        cells += [f"{isi.mean:.1f}", deviation, f"{isi.median:.1f}"]
        cells += [f"{low:.1f} to {high:.1f}", f"{least:.1f} to {most:.1f}"]
    return f"| {' | '.join(cells)} |"


def _markdown_agreement(agreement: InterGraderAgreement) -> list[str]:
    lines = [
        "## Inter-grader agreement",
        "",
        f"{_count(len(agreement.images), 'image')} compared; {agreement.left_out} left out: a "
        "mask of a grader is missing.",
        "",
        f"- Dice: mean {agreement.dice.mean:.3f}, median {agreement.dice.median:.3f}.",
    ]
    correlation, differences = agreement.intraclass_correlation, agreement.bland_altman
    if correlation is None:
        lines.append("- ICC(2,1) of the ischemic index: not defined; it needs images that differ.")
    else:
        interval = "no interval below 0"
        if correlation.interval is not None:
            low, high = correlation.interval
            interval = f"95 % CI {low:.3f} to {high:.3f}"
        lines.append(f"- ICC(2,1) of the ischemic index: {correlation.value:.3f} ({interval}).")
    if differences is not None:
        low, high = differences.limits
        lines.append(
            f"- Bland–Altman, first minus second grader: bias {differences.bias:+.2f} percentage "
            f"points, limits of agreement {low:+.2f} to {high:+.2f}."
        )
    return [
        *lines,
        "",
        "Dice is computed within the retina that both graders call gradable; each index within the "
        "retina that its grader calls gradable. ICC(2,1): two-way random effects, absolute "
        "agreement, single rating (Shrout and Fleiss 1979), interval of McGraw and Wong 1996. "
        "Limits: bias ± 1.96 standard deviations (Bland and Altman 1986). Images are assumed to be "
        "independent; two eyes of one patient are not.",
        "",
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
