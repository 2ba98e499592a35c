"""Shared by the batch tests: folders of small angiograms, and the command."""

from pathlib import Path

import pytest
import torch
from batch_folders import THRESHOLD, write_eye
from typer.testing import CliRunner

from napari_npa.cli.main import app


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
