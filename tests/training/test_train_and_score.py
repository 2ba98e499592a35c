"""From files to weights with their card, in Python and by the command."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from tiny_training import TINY
from typer.testing import CliRunner

from napari_npa.cli.main import app
from napari_npa.errors import SaveError
from napari_npa.models.weights import load_model
from napari_npa.simulation import simulate_many
from napari_npa.training.config import TrainingConfig
from napari_npa.training.train_and_score import train_and_score

ONCE = replace(TINY, steps=1)

TINY_OPTIONS = (
    *("--encoder", "narrow", "--view", 64, "--canvas-55", 64, "--canvas-uwfa", 64),
    *("--steps", 1, "--batch-size", 1, "--device", "cpu"),
)


def train_command(*options):
    return [str(word) for word in ("train", *options, *TINY_OPTIONS)]


def test_the_network_for_two_scales_is_shown_both_and_says_so(files, tmp_path):
    output = tmp_path / "two.safetensors"
    config = replace(ONCE, halved=True)
    train_and_score(files, [], config, output, tmp_path / "run", device="cpu")
    assert load_model(output).halved


def test_the_folder_of_the_weights_is_made_before_training(files, tmp_path):
    run = tmp_path / "run"
    (tmp_path / "file").touch()
    with pytest.raises(SaveError, match="cannot be made"):
        train_and_score(files, [], ONCE, tmp_path / "file" / "m.safetensors", run, device="cpu")
    assert not run.exists()
    output = tmp_path / "new" / "m.safetensors"
    train_and_score(files, [], ONCE, output, run, device="cpu")
    assert output.exists()


def test_train_command_writes_weights_with_scores_of_unseen_patients(labelled, tmp_path):
    output = tmp_path / "mine.safetensors"
    folders = ("--images", labelled, "--masks", labelled)
    command = train_command(*folders, "--held-out", "patient02", "--output", output)
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    card = json.loads(output.with_suffix(".json").read_text())
    assert card["sha256"] == load_model(output).sha256
    assert card["training"]["patients"] == ["patient01", "patient03"]
    settings = card["training"]["settings"]
    assert (settings["batch_size"], settings["view"], settings["seed"]) == (1, 64, 0)
    assert settings["canvases"] == {"55": 64, "uwfa": 64}
    assert settings["learning_rate"] == TrainingConfig().learning_rate, "not given"
    assert [image["patient"] for image in card["held_out"]["images"]] == ["patient02"]
    assert 0 <= card["held_out"]["summary"]["labelled"]["mean_dice"] <= 1


@pytest.mark.parametrize("wrong", [("--steps", 0), ("--segment-share", 1.1), ("--view", 63)])
def test_train_command_refuses_values_out_of_range(wrong, tmp_path):
    command = ("train", "--output", tmp_path / "m.safetensors", *wrong)
    assert CliRunner().invoke(app, [str(word) for word in command]).exit_code == 2


@pytest.mark.slow
def test_train_command_keeps_lightning_out_of_the_terminal(labelled, tmp_path):
    folders = ("--images", labelled, "--masks", labelled)
    command = train_command(*folders, "--output", tmp_path / "mine.safetensors")
    shell = [sys.executable, "-m", "napari_npa", *command]
    result = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert not re.search("lightning|GPU|TPU", result.stderr, re.IGNORECASE)


def test_the_retina_is_learned_alone_and_found_with_the_weights(tmp_path):
    folder = tmp_path / "simulated"
    simulate_many(2, "uwfa", 128, 7000, folder)
    path = tmp_path / "mine.safetensors"
    simulated = ("--simulated", folder, "--held-out", "sim_7001")
    command = train_command("--preset", "retina", *simulated, "--output", path)
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    model = load_model(path)
    assert (model.input, model.output) == ("levels", "retina")
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["held_out"]["images"][0]["image"] == "sim_7001"
    assert card["architecture"] == "NarrowUNet, outputs: gradable retina"
