"""A run that was killed, or whose files were damaged: it goes on as if nothing was, or says why."""

import csv
import json
import os
import shutil
import tempfile
from dataclasses import replace
from functools import partial

import pytest
import torch
from tiny_training import TINY, fit_tiny
from typer.testing import CliRunner

from napari_npa.cli.main import app
from napari_npa.errors import NpaError, SaveError, TrainingError
from napari_npa.models.networks import UNetConfig
from napari_npa.training.config import TrainingConfig
from napari_npa.training.cross_validation import calibration
from napari_npa.training.run_files import CHECKPOINT, CURVE, SETTINGS, training_seconds
from napari_npa.training.train_and_score import train_and_score


@pytest.fixture
def run(files, tmp_path):
    """Folder of a finished run of two steps."""
    fit_tiny(files, tmp_path / "run")
    return tmp_path / "run"


def resume(files, run, config=TINY):
    return fit_tiny(files, run, config, resume=True)


def steps(run):
    with (run / CURVE).open(newline="") as file:
        return [int(row["step"]) for row in csv.DictReader(file)]


def test_a_kill_between_curve_and_checkpoint_doubles_no_row(files, tmp_path):
    run = tmp_path / "run"
    fit_tiny(files, run, replace(TINY, steps=3))
    assert steps(run) == [1, 2, 3]
    # As the kill leaves it: the checkpoint is of the first epoch, the curve tells of the third.
    first = tmp_path / "first"
    with pytest.raises(InterruptedError):
        fit_tiny(files, first, replace(TINY, steps=3), report=interrupt_at("step 2"))
    curve = (run / CURVE).read_text()
    (first / CURVE).write_text(curve)
    resume(files, first, replace(TINY, steps=3))
    assert steps(first) == [1, 2, 3]


def interrupt_at(words):
    def report(line):
        if line.startswith(words):
            raise InterruptedError

    return report


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"not one", "half", "another"])
def test_a_damaged_checkpoint_is_named(files, run, content):
    path = run / CHECKPOINT
    if content == "half":
        content = path.read_bytes()[: path.stat().st_size // 2]
    if content == "another":
        torch.save({"state_dict": 5}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"'last\.ckpt' is .*damaged.*Move the run's folder"):
        resume(files, run)


def test_a_run_without_a_curve_goes_on(files, run):
    (run / CURVE).unlink()
    resume(files, run)
    assert training_seconds(run) is None


@pytest.mark.parametrize("text", ["", "step,seconds\nx,1\n", "step,seconds\n1,\n", "\0", "a,b\n"])
def test_a_damaged_curve_is_named_before_any_work(files, run, text):
    (run / CURVE).write_text(text)
    with pytest.raises(TrainingError, match=r"'curve\.csv' is damaged.*Move it away"):
        resume(files, run)
    assert training_seconds(run) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("step,seconds\n1,10.0\n2,25.0\n3,5.0\n4,8.0\n", 33),
        ("step,seconds\n2,10.0\n4,25.0\n5,30.0\n", 30),
        ("step,seconds\n2,10.0\n3,25.0\n4,30.0\n", None),  # the first row is missing
        ("step,seconds\n1,10.0\n3,25.0\n4,30.0\n", None),
    ],
)
def test_the_time_is_told_where_no_row_is_missing(tmp_path, text, seconds):
    (tmp_path / CURVE).write_text(text)
    assert training_seconds(tmp_path) == seconds


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 10_000, "\0", '{"steps": 1e999'])
def test_damaged_settings_are_named(files, run, text):
    (run / SETTINGS).write_text(text)
    with pytest.raises(TrainingError, match=r"'settings\.json' cannot be read"):
        resume(files, run)


def test_a_run_goes_on_under_its_own_settings_only(files, run):
    before = (run / SETTINGS).read_text()
    for other in (
        replace(TINY, steps=5),
        replace(TINY, network=UNetConfig(encoder="narrow", decoder=(8, 8, 8, 4))),
    ):
        with pytest.raises(TrainingError, match="was begun with other settings"):
            resume(files, run, other)
    assert (run / SETTINGS).read_text() == before
    settings = json.loads(before)
    del settings["averaging"]  # as an older version wrote them
    (run / SETTINGS).write_text(json.dumps(settings))
    resume(files, run)


def test_a_checkpoint_of_another_network_is_named(files, run):
    (run / SETTINGS).unlink()
    other = replace(TINY, network=UNetConfig(encoder="narrow", decoder=(8, 8, 8, 4)))
    with pytest.raises(TrainingError, match=r"'last\.ckpt' is not of this training run"):
        resume(files, run, other)


def test_the_checkpoint_is_put_in_its_place_whole(files, tmp_path, monkeypatch, request):
    """It is written beside itself, and nowhere else: a rename on one disk is all or nothing."""
    # Its name must be short: PyTorch's processes put a socket there, and end where it is too long.
    elsewhere = tempfile.mkdtemp(prefix="n")
    request.addfinalizer(partial(shutil.rmtree, elsewhere, ignore_errors=True))
    monkeypatch.setattr("tempfile.tempdir", elsewhere)
    renamed = []
    rename = os.replace

    def told(source, target, **rest):
        renamed.append((os.fspath(source), os.fspath(target)))
        rename(source, target, **rest)

    monkeypatch.setattr("os.replace", told)
    fit_tiny(files, tmp_path / "run")
    moved = [source for source, target in renamed if target.endswith(CHECKPOINT)]
    assert len(moved) == 2
    assert all(os.path.dirname(source) == str(tmp_path / "run") for source in moved)  # noqa: PTH120
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "curve.csv", "last.ckpt", "settings.json"
    ]  # fmt: skip


def test_weights_that_went_astray_are_not_written(files, run):
    state = torch.load(run / CHECKPOINT, weights_only=True)
    name = next(iter(state["state_dict"]))
    state["state_dict"][name].fill_(float("nan"))
    torch.save(state, run / CHECKPOINT)
    with pytest.raises(TrainingError, match="weights that are not numbers"):
        resume(files, run)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0), ("steps", float("nan")), ("steps", "3"), ("learning_rate", float("inf")),
        ("averaging", float("nan")), ("segment_share", 2), ("seed", -1), ("view", None),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(name, value):
    with pytest.raises(TrainingError, match=name):
        TrainingConfig(**{name: value})


@pytest.mark.parametrize(
    "text",
    [
        "", "threshold\n", "threshold,mean_dice,pooled_dice,perfused_flagged_percent\n",
        "threshold,mean_dice,pooled_dice,perfused_flagged_percent\nx,1,1,\n",
        "threshold,mean_dice,pooled_dice,perfused_flagged_percent\n5,1,1,\n",
        "threshold,mean_dice,pooled_dice,perfused_flagged_percent\n0.5,,1,\n",
    ],
)  # fmt: skip
def test_a_damaged_table_of_thresholds_is_named(tmp_path, text):
    (tmp_path / "thresholds.csv").write_text(text)
    with pytest.raises(TrainingError, match=r"thresholds\.csv"):
        calibration(tmp_path)


def test_a_link_is_no_place_for_weights(labelled, tmp_path):
    (tmp_path / "w.safetensors").symlink_to(tmp_path / "elsewhere")
    words = ["train", "--images", labelled, "--masks", labelled]
    words += ["--output", tmp_path / "w.safetensors"]
    result = CliRunner().invoke(app, list(map(str, words)))
    assert isinstance(result.exception, SaveError)
    assert not (tmp_path / "w.run").exists()


def test_settings_of_weights_are_checked_before_training(files, tmp_path):
    with pytest.raises(NpaError, match="cannot be used as described"):
        train_and_score(
            files, [], TINY, tmp_path / "w.safetensors", tmp_path / "run", threshold=5, device="cpu"
        )
    assert not (tmp_path / "run").exists()
