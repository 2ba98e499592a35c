"""Loading a training set: variants beside perfused eyes, on one core and on several."""

import numpy as np
import pytest
import tifffile

from drawing import TINY_CANVASES, draw_round_angiogram
from napari_npa.training import loading
from napari_npa.training.config import TrainingConfig
from napari_npa.training.dataset import gather_files
from napari_npa.training.loading import load_examples


@pytest.fixture
def files(tmp_path):
    """Two perfused frames, and one simulated eye."""
    for seed, name in enumerate(["normal1", "normal2"]):
        (tmp_path / "perfused").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / "perfused" / f"{name}.tif", draw_round_angiogram(128, seed))
    (tmp_path / "simulated").mkdir()
    eye = draw_round_angiogram(128, 3)
    files = {"": eye, "_npa": (eye > 100).astype(np.uint8), "_retina": (eye > 0).astype(np.uint8)}
    for ending, pixels in files.items():
        tifffile.imwrite(tmp_path / "simulated" / f"sim_1{ending}.tif", pixels)
    return gather_files(None, None, [tmp_path / "perfused"], [tmp_path / "simulated"], "")


CONFIG = TrainingConfig(view=64, canvases=TINY_CANVASES, painted=2)


def test_perfused_eyes_are_loaded_with_their_variants(files):
    examples = load_examples(files, CONFIG)
    sources = [[example.source for example in examples[file]] for file in files]
    assert sources == [["perfused", "painted", "painted"]] * 2 + [["simulated"]]


@pytest.mark.slow  # each process imports torch
def test_several_processes_load_the_same(files, monkeypatch):
    alone = load_examples(files, CONFIG)
    monkeypatch.setattr(loading, "FILES_PER_WORKER", 1)
    monkeypatch.setattr(loading.os, "cpu_count", lambda: 2)
    shared = load_examples(files, CONFIG)
    for file in files:
        for one, other in zip(alone[file], shared[file], strict=True):
            np.testing.assert_array_equal(one.stretched, other.stretched)
            np.testing.assert_array_equal(one.npa, other.npa)


def test_an_eye_has_the_same_variants_whatever_else_is_loaded(files):
    both, second = load_examples(files, CONFIG), load_examples(files[1:2], CONFIG)
    painted = both[files[1]][1].stretched
    np.testing.assert_array_equal(painted, second[files[1]][1].stretched)
    assert not np.array_equal(painted, both[files[0]][1].stretched)
