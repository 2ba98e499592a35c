import csv
from dataclasses import replace

import pytest
import tifffile
from typer.testing import CliRunner

from drawing import draw_round_angiogram
from napari_npa.cli.main import app
from napari_npa.errors import TrainingError
from napari_npa.training.cross_validation import calibration, patient_folds


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_folds_are_by_patient_and_leave_nobody_out(files):
    folds = patient_folds(files, 3, seed=0)
    scored = [{file.patient for file in held_out} for _, held_out in folds]
    assert sorted(patient for fold in scored for patient in fold) == [
        "patient01",
        "patient02",
        "patient03",
    ]
    for (train, held_out), patients in zip(folds, scored, strict=True):
        assert {file.patient for file in train}.isdisjoint(patients)
        assert len(train) + len(held_out) == len(files)
    with pytest.raises(TrainingError, match="as many labelled patients; there are 3"):
        patient_folds(files, 4, seed=0)


def test_simulated_images_are_always_trained_on(files):
    simulated = [replace(file, source="simulated") for file in files]
    folds = patient_folds(files + simulated, 2, seed=0)
    assert all(not [f for f in held_out if f.source == "simulated"] for _, held_out in folds)
    assert all([f for f in train if f.source == "simulated"] == simulated for train, _ in folds)


def test_crossval_command_scores_every_labelled_image_and_continues_after_a_stop(
    labelled, tmp_path
):
    output, perfused = tmp_path / "crossval", tmp_path / "perfused"
    perfused.mkdir()
    tifffile.imwrite(perfused / "normal1.tif", draw_round_angiogram(128, 9))
    arguments = ["crossval", "--images", str(labelled), "--masks", str(labelled)]
    arguments += ["--perfused", str(perfused), "--folds", "2", "--output", str(output)]
    arguments += ["--encoder", "narrow", "--view", "64", "--canvas-55", "64", "--canvas-uwfa", "64"]
    arguments += ["--painted", "1", "--steps", "1", "--batch-size", "1", "--device", "cpu"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    rows = table(output / "labelled.csv")
    assert sorted(row["image"] for row in rows) == [
        "patient01_1",
        "patient01_2",
        "patient02_1",
        "patient03_1",
    ]
    assert len((output / "perfused.csv").read_text().splitlines()) == 2
    thresholds = table(output / "thresholds.csv")
    flagged = [float(row["perfused_flagged_percent"]) for row in thresholds]
    assert flagged == sorted(flagged, reverse=True)
    weights = sorted(output.glob("fold*/weights.safetensors"))
    written = [path.stat().st_mtime_ns for path in weights]
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 0, again.output
    assert [path.stat().st_mtime_ns for path in weights] == written


def test_threshold_is_the_best_that_leaves_perfused_eyes_alone(tmp_path):
    table = "threshold,mean_dice,pooled_dice,perfused_flagged_percent"
    lines = [table, "0.3,0.6,0.7,1.2", "0.5,0.5,0.7,0.4", "0.7,0.45,0.6,0.1"]
    (tmp_path / "thresholds.csv").write_text("\n".join(lines))
    assert calibration(tmp_path).threshold == 0.5
    with pytest.raises(TrainingError, match="no finished cross-validation"):
        calibration(tmp_path / "absent")
