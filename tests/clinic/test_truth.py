"""Graders' masks beside the images: no result is taken for one, whatever was run before."""

import csv

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from batch_folders import THRESHOLD, table, write_eye
from napari_npa.cli.main import app
from napari_npa.errors import AngiogramError, EvaluationError, NpaError, TrainingError
from napari_npa.io.angiogram import read_angiogram
from napari_npa.io.masks import find_masks
from napari_npa.results.folder import ResultFolder
from napari_npa.review.queue import ReviewQueue


@pytest.fixture
def run(tiny_model):
    """Run a command, with the tiny network where one is needed."""

    def command(*words):
        model = ["--model", tiny_model, "--threshold", THRESHOLD, "--device", "cpu"]
        words = [*words, *(model if words[0] in ("segment", "batch") else [])]
        result = CliRunner().invoke(app, list(map(str, words)))
        assert isinstance(result.exception, SystemExit | NpaError | None), repr(result.exception)
        return result

    return command


@pytest.fixture(params=["png", "PNG", "tiff", "jpg"])
def study(tmp_path, request):
    """Angiograms, and a grader's masks beside them."""
    folder = tmp_path / "study"
    for seed, name in enumerate("ab"):
        write_eye(folder / f"{name}.tif", seed)
        mask = np.zeros((160, 160), np.uint8)
        mask[30:60, 30 : 60 + seed] = 255
        Image.fromarray(mask).save(folder / f"{name}_npa.{request.param}")
    return folder


def dice(run, predictions, masks, tmp_path):
    out = tmp_path / "scores.csv"
    done = run("evaluate", "--predictions", predictions, "--masks", masks, "--output", out)
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    with out.open(newline="") as file:
        return [row["dice"] for row in csv.DictReader(file)]


def test_predictions_do_not_become_the_truth(run, study, tmp_path):
    assert run("batch", study, "--output", tmp_path / "out").exit_code == 0
    before = dice(run, tmp_path / "out", study, tmp_path)
    said = run("segment", study / "a.tif", "--output", study)
    assert said.exit_code == 1
    assert "is a mask of this name" in said.output
    assert run("batch", study, "--output", study).exit_code == 0
    assert all("_npa." in row["message"] for row in table(study))
    assert all(row["result"].count("_") == 1 for row in table(study))
    assert dice(run, tmp_path / "out", study, tmp_path) == before


def test_two_masks_of_an_image_are_not_chosen_between(run, study, tmp_path):
    run("batch", study, "--output", tmp_path / "out")
    for name in "ab":  # as an older version left them, or somebody copied them
        mask = tmp_path / "out" / f"{name}_npa.tif"
        (study / f"{name}_npa.tif").write_bytes(mask.read_bytes())
    if (study / "a_npa.jpg").exists():
        assert find_masks(study, "_npa")["a"].suffix == ".tif"
        return
    with pytest.raises(AngiogramError, match="holds two masks of 'a'"):
        find_masks(study, "_npa")
    words = ("evaluate", "--predictions", tmp_path / "out", "--masks", study)
    assert "two masks" in str(run(*words, "--output", tmp_path / "x.csv").exception)
    words = ("train", "--images", study, "--masks", study, "--output", tmp_path / "w.safetensors")
    assert "two masks" in str(run(*words).exception)


def test_a_network_is_neither_compared_with_itself_nor_trained_on_itself(run, tmp_path):
    eyes = tmp_path / "eyes"
    for seed, name in enumerate("ab"):
        write_eye(eyes / f"{name}.tif", seed)
    out = tmp_path / "out"
    run("batch", eyes, "--output", out)
    words = ("evaluate", "--predictions", out, "--masks", out, "--output", tmp_path / "x.csv")
    said = run(*words).exception
    assert isinstance(said, EvaluationError)
    assert "that nobody corrected or approved" in str(said)
    train = ("train", "--images", eyes, "--masks", out, "--output", tmp_path / "w.safetensors")
    assert isinstance(run(*train).exception, TrainingError)
    assert not (tmp_path / "w.run").exists()
    # What a person approved or corrected may stand for the truth.
    queue = ReviewQueue(eyes, out)
    queue.approve(0, read_angiogram(eyes / "a.tif").sha256)
    queue.store()
    folder = ResultFolder(out)
    result = folder.load(read_angiogram(eyes / "b.tif"))
    folder.save(result.corrected("npa", ~result.npa), replace=True)
    assert run(*words).exit_code == 0
