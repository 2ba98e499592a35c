"""Shared by the tests of training: a few labelled frames, and weights to start from."""

import numpy as np
import pytest
import tifffile
import torch
from threadpoolctl import threadpool_limits
from tiny_training import TINY, files_of

from drawing import TINY_CANVASES, draw_round_angiogram
from napari_npa.models.networks import build
from napari_npa.models.weights import save_model


@pytest.fixture(scope="package", autouse=True)
def one_thread():
    """Compute on one thread: networks this small gain nothing from more, busy machines lose."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def labelled(tmp_path):
    """Folder of four labelled frames of three patients."""
    folder = tmp_path / "labelled"
    folder.mkdir()
    for seed, name in enumerate(["patient01_1", "patient01_2", "patient02_1", "patient03_1"]):
        image = draw_round_angiogram(128, seed)
        mask = np.zeros((128, 128), np.uint8)
        mask[40:80, 40 + seed : 90] = 1
        image[mask == 1] //= 8
        tifffile.imwrite(folder / f"{name}.tif", image)
        tifffile.imwrite(folder / f"{name}_npa.tif", mask)
    return folder


@pytest.fixture
def files(labelled):
    """The labelled frames as a training set."""
    return files_of(labelled)


@pytest.fixture(scope="session")
def narrow_weights(tmp_path_factory):
    """Weights file of an untrained narrow network."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "narrow.safetensors"
    save_model(path, build(TINY.network).eval(), canvases=TINY_CANVASES, threshold=0.5)
    return path
