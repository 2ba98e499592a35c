"""Shared by the batch tests: folders of small angiograms, and the command."""

import csv
import re
from pathlib import Path

import pytest
import tifffile
import torch
from typer.testing import CliRunner

from drawing import draw_round_angiogram
from napari_npa.cli import app
from napari_npa.table import TABLE

THRESHOLD = "0.43"
"""At which the tiny network, untrained as it is, finds some of everything."""


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def source(tmp_path) -> Path:
    """Folder of three angiograms, two of them in a subfolder, and a text."""
    folder = tmp_path / "source"
    for seed, name in enumerate(["a.tif", "visit 1/b.tif", "visit 1/眼底 造影.tif"]):
        write_eye(folder / name, seed)
    (folder / "notes.txt").write_text("not an image")
    return folder


@pytest.fixture
def output(tmp_path) -> Path:
    """Folder of the results, which is not there yet."""
    return tmp_path / "output"


@pytest.fixture
def batch(tiny_model):
    """Run `napari-npa batch` with the tiny network."""

    def run(source, output, *options):
        arguments = ["batch", str(source), "--output", str(output), *map(str, options)]
        if "--model" not in arguments:
            arguments += ["--model", str(tiny_model)]
        if "--threshold" not in arguments:
            arguments += ["--threshold", THRESHOLD]
        return CliRunner().invoke(app, [*arguments, "--device", "cpu"])

    return run


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
