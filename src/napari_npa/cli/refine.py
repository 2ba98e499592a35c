"""The command that corrects: ``napari-npa refine``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from napari_npa.cli.options import Device

console = Console(soft_wrap=True)

Tool = Literal["network", "shape", "threshold", "local threshold", "contour", "clusters", "walker"]

Corners = list[tuple[float, float]]


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
    tool: Annotated[
        Tool,
        typer.Option(help="What looks inside the shape."),
    ] = "network",
    action: Annotated[
        Literal["add", "replace", "remove", "certain", "subtract"],
        typer.Option(help="What is done with what it finds; with a click: add or subtract."),
    ] = "add",
    target: Annotated[Literal["npa", "retina"], typer.Option(help="Mask to correct.")] = "npa",
    sensitivity: Annotated[
        float, typer.Option(min=0.01, max=0.99, help="More finds more; 0.5 is the tool's own.")
    ] = 0.5,
    device: Device = "auto",
    tile: Annotated[str, typer.Option(help="Embedded weights, or a weights file.")] = "tile",
) -> None:
    """Correct saved masks inside a shape, or grow a region from a pixel."""
    from napari_npa.io.writing import make_folder
    from napari_npa.refine.command import Correction, correct_files

    if sum(map(bool, (rectangle, polygon, click))) != 1:
        raise typer.BadParameter("give one of them", param_hint="--rectangle, --polygon, --click")
    corners = _rectangle(rectangle) if rectangle else _places(polygon, "--polygon")
    seed = _places(click, "--click")[0] if click else None
    correction = Correction(
        None if click else tuple(corners), seed, tool, action, target, sensitivity
    )
    folder = masks if output is None else output
    make_folder(folder)
    written = correct_files(image, masks, folder, correction, device=device, tile=tile)
    isi = written.row.isi
    console.print(f"{image.name}: ISI {100 * isi:.1f} %" if isi is not None else image.name)
    console.print("\n".join(str(file) for file in written.files), highlight=False)


def _rectangle(text: str) -> Corners:
    numbers = _numbers(text, "--rectangle")
    if len(numbers) != 4:
        raise typer.BadParameter("needs four numbers", param_hint="--rectangle")
    top, left, bottom, right = numbers
    # Both ends included: borders lie between pixels.
    rows, columns = (top - 0.5, bottom + 0.5), (left - 0.5, right + 0.5)
    return [(rows[at], columns[across]) for at, across in ((0, 0), (0, 1), (1, 1), (1, 0))]


def _places(text: str, option: str) -> Corners:
    pairs = [_numbers(pair, option) for pair in text.split()]
    if any(len(pair) != 2 for pair in pairs):
        raise typer.BadParameter("needs row,column pairs", param_hint=option)
    return [(row, column) for row, column in pairs]


def _numbers(text: str, option: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"'{text}' are no numbers", param_hint=option) from error
