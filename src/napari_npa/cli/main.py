"""The command line: ``napari-npa segment``, ``refine``, ``train`` and the others."""

from __future__ import annotations

import io
import os
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import Progress
from rich.table import Column, Table

from napari_npa import __version__
from napari_npa.cli import batch as cli_batch
from napari_npa.cli import refine as cli_refining
from napari_npa.cli import summary as cli_summary
from napari_npa.cli import training as cli_training
from napari_npa.cli.options import (
    Commands,
    Device,
    FieldOfView,
    ModelChoice,
    Output,
    Probability,
    Replace,
    SegmentMode,
    Threshold,
)
from napari_npa.cli.terminal import console, errors
from napari_npa.errors import NpaError, ReplaceError
from napari_npa.io.names import TABLE
from napari_npa.models.names import AUTO

# Heavy imports (torch, lightning) are inside the commands: ``--help`` answers at once.

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Retinal non-perfusion areas and the ischemic index. Research use only.",
)

FAILED, WRONG_USE = 1, 2

app.command()(cli_batch.batch)
app.command()(cli_refining.refine)
app.command()(cli_summary.summary)
app.command()(cli_training.train)
app.command()(cli_training.crossval)


def main() -> None:
    """Entry point of the shell command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # letters that the terminal has not
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except NpaError as error:
        errors.print(str(error))
        sys.exit(FAILED)


def _print_version(wanted: bool) -> None:
    if wanted:
        console.print(f"napari-npa {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


@app.command()
def segment(
    images: Annotated[list[Path], typer.Argument(help="Angiograms: TIFF, PNG or JPEG.")],
    output: Output,
    device: Device = "auto",
    model: ModelChoice = AUTO,
    mode: SegmentMode = None,
    threshold: Threshold = None,
    field_of_view: FieldOfView = "auto",
    probability: Probability = False,
    replace: Replace = False,
) -> None:
    """Segment angiograms and write masks, overlays and a table with the ischemic index."""
    from napari_npa.batch.one_image import failed
    from napari_npa.results.folder import ResultFolder
    from napari_npa.results.result import Result
    from napari_npa.results.table import Row
    from napari_npa.segmentation.segmenter import Segmenter

    segmenter = Segmenter(device, model, mode=mode)
    folder = ResultFolder(output)
    folder.make()
    rows: list[Row] = []
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
        for path in progress.track(images, description="Segmenting"):
            start = time.perf_counter()
            try:
                found = segmenter.segment(path, threshold=threshold, field_of_view=field_of_view)
                result = Result.of(found, seconds=time.perf_counter() - start)
                saved = folder.save(result, replace=replace, probability=probability, table=False)
                rows.append(saved.row)
            except Exception as error:  # as in a batch, the others go on
                rows.append(failed(path.name or str(path), error))
                errors.print(rows[-1].message)
                if isinstance(error, ReplaceError):
                    continue  # the table describes what is there, and stays
            # After each image: a kill loses none of the rows.
            folder.put_row(rows[-1], kept=[row.result for row in rows if row.result])
    _print_rows(rows)
    if (output / TABLE).exists():
        console.print(f"Table: {output / TABLE}")
    if any(row.status != "ok" for row in rows):
        raise typer.Exit(FAILED)


@app.command()
def simulate(
    output: Annotated[Path, typer.Option(help="Folder for images, masks and descriptions.")],
    count: Annotated[int, typer.Option(min=1, help="How many eyes.")] = 1,
    kind: Annotated[
        Literal["uwfa", "55"], typer.Option(help="Ultra-widefield, or 55° camera.")
    ] = "uwfa",
    size: Annotated[int, typer.Option(min=128, help="Rows and columns, pixels.")] = 1024,
    seed: Annotated[int, typer.Option(min=0, help="Of the first eye; the next ones follow.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; as many as processor cores if not given.")
    ] = None,
) -> None:
    """Simulate angiograms with exact masks of non-perfusion and gradable retina."""
    from napari_npa.simulation import simulate_many

    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("Simulating", total=count)
        written = simulate_many(
            count,
            kind,
            size,
            seed,
            output,
            lambda done, total: progress.update(task, completed=done),
            workers=workers or os.cpu_count() or 1,
        )
    console.print(f"{len(written)} simulated angiograms in {output}")


@app.command()
def evaluate(
    predictions: Annotated[Path, typer.Option(help="Folder of predicted masks, <stem>_npa.*.")],
    masks: Annotated[Path, typer.Option(help="Folder of annotated masks of the same stems.")],
    output: Annotated[Path, typer.Option(help="Table to write: a .csv file; a .md beside it.")],
) -> None:
    """Compare predicted with annotated masks: overlap, distances, ischemic index."""
    from napari_npa.analysis import evaluate as evaluation
    from napari_npa.io.writing import make_folder

    rows = evaluation.evaluate(predictions, masks)
    make_folder(output.parent)
    summary = evaluation.write_evaluation(output, rows)
    console.print(evaluation.markdown_summary(rows))
    console.print(f"Table: {output}\nSummary: {summary}")


@app.command()
def info() -> None:
    """Show versions, devices and weights: what a bug report needs."""
    import torch

    from napari_npa.models.devices import has_fast_bf16, present_devices
    from napari_npa.models.names import RETINA
    from napari_npa.models.weights import embedded_models, load_model

    table = Table(show_header=False, box=None)
    table.add_row("napari-npa", __version__)
    table.add_row("Python", f"{platform.python_version()} on {platform.platform()}")
    for name in (
        "napari",
        "torch",
        "torchvision",
        "numpy",
        "scikit-image",
        "tifffile",
        "lightning",
    ):
        try:
            table.add_row(name, version(name))
        except PackageNotFoundError:
            table.add_row(name, "not installed")
    for device in present_devices():
        fast = "bfloat16" if has_fast_bf16(torch.device(device)) else "float32"
        table.add_row(f"device {device}", f"computes in {fast}")
    table.add_row("processor threads", str(torch.get_num_threads()))
    for name in (*embedded_models(), RETINA):
        model = load_model(name)
        table.add_row(
            f"weights {name}",
            f"sha256 {model.sha256[:16]}…, threshold {model.threshold}"
            + "".join(f", {view}: {value}" for view, value in model.thresholds.items()),
        )
    console.print(table)


def _print_rows(rows: list) -> None:  # type: ignore[type-arg]
    image = Column("image", overflow="fold")
    table = Table(image, "ISI %", "NPA pixels", "retina pixels", "field", "seconds", "status")
    for row in rows:
        isi = "" if row.isi is None else f"{100 * row.isi:.1f}"
        cells = (row.npa_pixels, row.retina_pixels, row.field_of_view, row.seconds)
        table.add_row(row.image, isi, *("" if n is None else f"{n}" for n in cells), row.status)
    console.print(table)
