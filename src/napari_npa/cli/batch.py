"""The command for a folder: ``napari-npa batch``."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from napari_npa.cli.options import (
    Device,
    FieldOfView,
    ModelChoice,
    Probability,
    SegmentMode,
    Threshold,
)
from napari_npa.cli.terminal import console, errors
from napari_npa.models.names import AUTO

if TYPE_CHECKING:
    from napari_npa.batch import BatchOptions, BatchReport, Finished
    from napari_npa.batch.run import Workers


FAILED = 1

INTERRUPTED = 128 + signal.SIGINT
"""What a shell expects of a program that Ctrl+C ended."""


def batch(
    folder: Annotated[str, typer.Argument(help="Folder of angiograms, or its URL (s3://…).")],
    output: Annotated[str, typer.Option(help="Folder or URL for masks, overlays and the table.")],
    recursive: Annotated[bool, typer.Option("--recursive", help="Search subfolders too.")] = False,
    pattern: Annotated[str | None, typer.Option(help="Only these names: '*_late.tif'.")] = None,
    device: Device = "auto",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Images worked on at a time; chosen if not given.")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--overwrite",
            help="Keep results made from the same images in the same way, or make all again. "
            "Corrected and approved masks are always kept.",
        ),
    ] = True,
    model: ModelChoice = AUTO,
    mode: SegmentMode = None,
    threshold: Threshold = None,
    field_of_view: FieldOfView = "auto",
    probability: Probability = False,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Write the table as Parquet too.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Summarise the results, as 'napari-npa summary' does.")
    ] = False,
    scheduler: Annotated[
        str | None, typer.Option(help="Run on this Dask cluster: tcp://host:8786.")
    ] = None,
) -> None:
    """Segment a folder of angiograms: masks, overlays, one table. Can be stopped and resumed."""
    from napari_npa.batch import BatchOptions, find_images
    from napari_npa.batch.run import run_on
    from napari_npa.io.names import TABLE
    from napari_npa.io.texts.urls import without_password
    from napari_npa.results.table import require_parquet

    if parquet:
        require_parquet()
    if report and "://" in output:
        raise typer.BadParameter("needs a folder of this machine", param_hint="--report")
    options = BatchOptions(model, mode, threshold, probability, field_of_view)
    stop = Event()
    with ExitStack() as stack:
        stack.enter_context(_stopping_on_ctrl_c(stop))
        found = find_images(folder, output, recursive=recursive, pattern=pattern)
        who = stack.enter_context(_workers(options, device, workers, scheduler))
        shown = stack.enter_context(_Shown(len(found.images)))
        result = run_on(
            who,
            found,
            folder,
            output,
            options,
            resume=resume,
            on_finished=shown.finished,
            stop=stop,
        )
    if parquet:
        _write_parquet(output)
    _print(result)
    if report:
        _summarise(output)
    console.print(f"Table: {without_password(output).rstrip('/')}/{TABLE}")
    if result.stopped:
        errors.print("Stopped. The same command goes on from here.")
        raise typer.Exit(INTERRUPTED)
    if result.counts["failed"]:
        raise typer.Exit(FAILED)


@contextmanager
def _workers(
    options: "BatchOptions", device: str, count: int | None, scheduler: str | None
) -> Iterator["Workers"]:
    if scheduler is None:
        from napari_npa.batch.run import local_workers

        with local_workers(options, device, count) as who:
            yield who
    else:
        from napari_npa.batch.cluster import cluster_workers

        with cluster_workers(scheduler, options, device) as who:
            yield who


@contextmanager
def _stopping_on_ctrl_c(stop: Event) -> Iterator[None]:
    """Ctrl+C asks to stop; a second one ends the program, which loses no finished image."""

    def ask(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        errors.print("Stopping after the images in hand; Ctrl+C again stops at once.")
        stop.set()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _Rate(ProgressColumn):
    """Images a minute."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{60 * speed:.0f} images/min")


class _Shown:
    """Progress on a terminal, and every failure as a line."""

    def __init__(self, total: int) -> None:
        self._progress = Progress(
            TextColumn("Segmenting"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            console=errors,
            transient=True,
            disable=not errors.is_terminal,
            speed_estimate_period=120,
        )
        self._task = self._progress.add_task("", total=total)

    def __enter__(self) -> "_Shown":
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def finished(self, image: "Finished") -> None:
        self._progress.update(self._task, completed=image.done)
        if image.row.status == "failed":
            errors.print(image.row.message)


def _print(report: "BatchReport") -> None:
    counts = ", ".join(f"{number} {what}" for what, number in report.counts.items() if number)
    worked_on = len(report.rows) - report.done_before
    rate = f", {60 * worked_on / report.seconds:.1f} images/min" if worked_on else ""
    for left_out in report.left_out:
        errors.print(str(left_out))
    console.print(f"{counts}; {report.seconds:.0f} s{rate}")


def _write_parquet(output: str) -> None:
    from napari_npa.io.names import PARQUET_TABLE, TABLE
    from napari_npa.io.storage import storage_of
    from napari_npa.results.table import MOST_BYTES, parquet_bytes, rows_of

    place = storage_of(output)
    place.write(PARQUET_TABLE, parquet_bytes(rows_of(place.read(TABLE, MOST_BYTES) or b"")))


def _summarise(output: str) -> None:
    from napari_npa.cli.summary import summary

    summary(Path(output))
