"""Folders of small angiograms, and what a batch made of them."""

import csv
import re
from pathlib import Path

import tifffile

from drawing import draw_round_angiogram
from napari_npa.io.names import TABLE

THRESHOLD = "0.43"
"""At which the tiny network, untrained as it is, finds some of everything."""


def write_eye(path: Path, seed: int = 0, side: int = 160) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, draw_round_angiogram(side, seed))
    return path


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / TABLE).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def statuses(folder: Path) -> dict[str, str]:
    return {row["image"]: row["status"] for row in table(folder)}


def results(folder: Path) -> dict[str, bytes]:
    """Content of all masks, maps and overlays, and of the table without seconds."""
    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.suffix in (".tif", ".png")
    }
    rows = [{**row, "seconds": ""} for row in table(folder)]
    return {**found, TABLE: repr(rows).encode()}


def line_of(result) -> str:
    """What the command said, in one line."""
    assert "Traceback" not in result.output
    return re.sub(r"\s+", " ", result.output)
