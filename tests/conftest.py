"""Shared by all tests: small networks, angiograms and folders, napari's settings left alone."""

import os
import tempfile
from pathlib import Path

# Before anything of napari is imported: tests must not read or change the user's settings.
os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp()) / "settings.yaml")
# Nor the annotations kept for recovery.
os.environ["NAPARI_NPA_DATA"] = tempfile.mkdtemp()

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import napari_npa.models.networks  # noqa: F401 - triton before any window, as the product does
from batch_folders import THRESHOLD, write_eye
from drawing import TINY_CANVASES, draw_round_angiogram
from napari_npa.cli.main import app
from napari_npa.models.networks import UNetConfig, VGGUNet
from napari_npa.models.weights import save_model

DATA = Path(__file__).parents[2] / "shared" / "data"
"""Real images, on development machines only."""


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of real angiograms."""
    if not DATA.exists():
        pytest.skip("the real angiograms are not on this machine")
    return DATA


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """Weights file of an untrained network that works on a canvas of 64 pixels.

    On a round angiogram its probabilities are 0.37 to 0.46, with a median of 0.43: it finds all
    at a low threshold, about half at 0.43, nothing at its own.
    """
    torch.manual_seed(0)
    network = VGGUNet(UNetConfig(decoder=(8, 8, 8, 8))).eval()
    network.head.bias.data[0] = -0.64
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_model(path, network, canvases=TINY_CANVASES, threshold=0.5)
    return path


@pytest.fixture
def round_angiogram() -> np.ndarray:
    """A 160 x 160 uint8 camera frame: gray disc with vessels on black."""
    return draw_round_angiogram(160)


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


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Tests run on as many cores as there are workers."""
    torch.set_num_threads(1)
