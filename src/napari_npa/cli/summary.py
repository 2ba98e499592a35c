"""The command ``napari-npa summary``: a folder of results as a cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import Progress

from napari_npa.cli.terminal import console, errors
from napari_npa.io.names import NPA_ENDING, RETINA_ENDING, TABLE


def summary(
    results: Annotated[Path, typer.Argument(help=f"Folder of results, with {TABLE}.")],
    groups: Annotated[Path | None, typer.Option(help="CSV with the group of each image.")] = None,
    by: Annotated[str, typer.Option(help="Column of the groups, for example severity.")] = "",
    key: Annotated[
        str, typer.Option(help="Column of the images: paths, file names or stems.")
    ] = "image",
    masks: Annotated[
        Path | None,
        typer.Option(
            help=f"Masks of a second grader: <stem>{NPA_ENDING}.*, <stem>{RETINA_ENDING}.*."
        ),
    ] = None,
    format: Annotated[Literal["png", "svg"], typer.Option(help="Format of the plots.")] = "png",
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for tables and plots; by default 'summary' in the results."),
    ] = None,
) -> None:
    """Summarise the ischemic index of a folder by group, and the inter-grader agreement."""
    from napari_npa.analysis.cohort import summarise
    from napari_npa.analysis.groups import read_groups
    from napari_npa.analysis.plots import write_plots
    from napari_npa.analysis.tables import markdown, write_tables

    if (groups is None) != (by == ""):
        raise typer.BadParameter("give both or none", param_hint="--groups, --by")
    chosen = None if groups is None else read_groups(groups, by, key)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("Comparing", total=None, visible=masks is not None)
        cohort = summarise(
            results,
            chosen,
            masks,
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    folder = results / "summary" if output is None else output
    written = write_tables(folder, cohort)
    console.print(markdown(cohort))
    for image in cohort.groupless:
        errors.print(f"No group: {image.image}")
    console.print("\n".join(map(str, written)))
    plots = write_plots(folder, cohort, format)
    console.print("\n".join(map(str, plots)))
