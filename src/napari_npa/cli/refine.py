"""The command that corrects: ``napari-npa refine``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_npa.cli.options import Device, finite
from napari_npa.cli.terminal import console
from napari_npa.refine.tools import TOOLS, ToolId

Corners = list[tuple[float, float]]

TOOL_HELP = "What looks inside the shape; the tile network if none is given. " + " ".join(
    f"{tool.id}: {tool.explanation}" for tool in TOOLS.values()
)


def refine(
    image: Annotated[Path, typer.Argument(help="Angiogram: TIFF, PNG or JPEG.")],
    masks: Annotated[Path, typer.Option(help="Folder with its <stem>_npa.tif, <stem>_retina.tif.")],
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for the corrected result; the masks' own if none."),
    ] = None,
    rectangle: Annotated[
        str, typer.Option(help="Where: first row,column and last row,column: 100,80,300,240.")
    ] = "",
    polygon: Annotated[str, typer.Option(help="Where: corners: '100,80 100,240 300,160'.")] = "",
    click: Annotated[str, typer.Option(help="Grow a region from row,column instead.")] = "",
    tool: Annotated[ToolId | None, typer.Option(help=TOOL_HELP)] = None,
    action: Annotated[
        Literal["add", "replace", "remove", "certain", "subtract"],
        typer.Option(help="What is done with what it finds; with a click: add or subtract."),
    ] = "add",
    target: Annotated[Literal["npa", "retina"], typer.Option(help="Mask to correct.")] = "npa",
    sensitivity: Annotated[
        float,
        typer.Option(
            min=0.01, max=0.99, callback=finite, help="More finds more; 0.5 is the tool's own."
        ),
    ] = 0.5,
    device: Device = "auto",
    tile: Annotated[
        str, typer.Option(help="Weights of the tile network: embedded ones, or a file.")
    ] = "tile",
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Replace a corrected or approved result, or files that are not ours.",
        ),
    ] = False,
) -> None:
    """Correct saved masks inside a shape, or grow a region from a pixel."""
    from napari_npa.io.angiogram import read_angiogram
    from napari_npa.refine.refiner import Refiner
    from napari_npa.results.folder import ResultFolder

    if sum(map(bool, (rectangle, polygon, click))) != 1:
        raise typer.BadParameter("give one of them", param_hint="--rectangle, --polygon, --click")
    box = _rectangle(rectangle) if rectangle else None
    corners = _places(polygon, "--polygon") if polygon else None
    seed = _one_place(click, "--click") if click else None
    allowed = [known.id for known in TOOLS.values() if (known.takes == "click") is bool(click)]
    if tool is not None and tool not in allowed:
        reason = f"'{tool}' does not look there; allowed are {', '.join(allowed)}"
        raise typer.BadParameter(reason, param_hint="--tool")

    result = ResultFolder(masks).load(read_angiogram(image), image.stem)
    refiner = Refiner(device, tile)
    refiner.set_image(result)
    corrected = refiner.correct(
        box=box,
        polygon=corners,
        click=seed,
        tool=tool,
        action=action,
        target=target,
        sensitivity=sensitivity,
    )
    folder = ResultFolder(masks if output is None else output)
    saved = folder.save(corrected, stem=image.stem, replace=replace)
    isi = saved.row.isi
    console.print(f"{image.name}: ISI {100 * isi:.1f} %" if isi is not None else image.name)
    console.print("\n".join(str(file) for file in saved.files))


def _rectangle(text: str) -> tuple[float, float, float, float]:
    numbers = _numbers(text, "--rectangle")
    if len(numbers) != 4:
        raise typer.BadParameter("needs four numbers", param_hint="--rectangle")
    top, left, bottom, right = numbers
    return top, left, bottom, right


def _places(text: str, option: str) -> Corners:
    pairs = [_numbers(pair, option) for pair in text.split()]
    if any(len(pair) != 2 for pair in pairs):
        raise typer.BadParameter("needs row,column pairs", param_hint=option)
    return [(row, column) for row, column in pairs]


def _one_place(text: str, option: str) -> tuple[float, float]:
    places = _places(text, option)
    if len(places) != 1:
        raise typer.BadParameter("needs one row,column pair", param_hint=option)
    return places[0]


def _numbers(text: str, option: str) -> list[float]:
    try:
        numbers = [float(number) for number in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"'{text}' is not a list of numbers", param_hint=option) from error
    if not all(map(math.isfinite, numbers)):
        raise typer.BadParameter(f"'{text}' is no place in an image", param_hint=option)
    return numbers
