"""Training runs: they learn, resume, and keep averaged weights."""

import csv
from dataclasses import replace

import pytest
import torch
from tiny_training import TINY, fit_tiny

from napari_npa.errors import TrainingError
from napari_npa.models.networks import UNetConfig
from napari_npa.models.weights import load_model
from napari_npa.training.run_files import training_seconds


def assert_same_weights(one, other):
    for key, value in one.state_dict().items():
        torch.testing.assert_close(other.state_dict()[key], value, msg=key)


def test_training_lowers_the_loss(files, tmp_path):
    config = replace(TINY, steps=40, steps_per_epoch=10, learning_rate=5e-3)
    fit_tiny(files, tmp_path / "run", config)
    with (tmp_path / "run" / "curve.csv").open(newline="") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < 0.8 * losses[0]


def test_resumed_training_ends_where_an_uninterrupted_one_does(files, tmp_path):
    config = replace(TINY, warm_up=1.0)
    heard = []

    def kill_in_second_epoch(line):
        if line.startswith("step 2"):
            raise InterruptedError

    whole = fit_tiny(files, tmp_path / "whole", config, report=heard.append)
    with pytest.raises(InterruptedError):
        fit_tiny(files, tmp_path / "killed", config, report=kill_in_second_epoch)
    assert (tmp_path / "killed" / "last.ckpt").exists()
    assert not any("going on" in line for line in heard)
    resumed = fit_tiny(files, tmp_path / "killed", config, report=heard.append, resume=True)
    assert any("going on" in line for line in heard)
    assert_same_weights(whole, resumed)


def test_resuming_a_finished_run_gives_its_weights_again(files, tmp_path):
    first, again = (fit_tiny(files, tmp_path / "run", resume=resume) for resume in (False, True))
    assert_same_weights(first, again)


def test_a_run_is_not_overwritten_by_mistake(files, tmp_path):
    once = replace(TINY, steps=1)
    fit_tiny(files, tmp_path / "run", once)
    with pytest.raises(TrainingError, match="--resume"):
        fit_tiny(files, tmp_path / "run", once)


def test_time_of_a_run_is_summed_over_its_stops(tmp_path):
    (tmp_path / "curve.csv").write_text("step,seconds\n1,10.0\n2,25.0\n3,5.0\n4,8.0\n")
    assert training_seconds(tmp_path) == 25 + 8


def test_training_starts_from_given_weights(files, narrow_weights, tmp_path):
    still = replace(TINY, start_from=str(narrow_weights), learning_rate=1e-12, steps=1)
    network = fit_tiny(files, tmp_path / "run", still)
    given = load_model(narrow_weights).network.state_dict()
    for name, value in network.named_parameters():
        torch.testing.assert_close(value.data, given[name], msg=name)
    # In training mode: the normalisations follow the new images.
    mean = "stages.0.1.running_mean"
    assert not torch.equal(network.state_dict()[mean], given[mean])


def test_fine_tuned_weights_are_averaged_with_those_they_started_as(
    files, narrow_weights, tmp_path
):
    config = replace(TINY, steps=1, start_from=str(narrow_weights))
    tuned, half, none = (
        fit_tiny(files, tmp_path / f"{share}", replace(config, fine_tuned_share=share)).state_dict()
        for share in (1.0, 0.5, 0.0)
    )
    for key, value in load_model(narrow_weights).network.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(half[key], (tuned[key] + value) / 2, msg=key)
            torch.testing.assert_close(none[key], value, msg=key)


def test_the_retina_cannot_be_learned_where_it_is_not_outlined(files, tmp_path):
    one_output = UNetConfig(encoder="narrow", decoder=(8, 8, 8, 8), outputs=1)
    with pytest.raises(TrainingError, match="gradable retina is not outlined"):
        fit_tiny(files, tmp_path / "run", replace(TINY, target="retina", network=one_output))
