import csv
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from typer.testing import CliRunner

from drawing import TINY_CANVASES, draw_round_angiogram
from napari_npa.cli.main import app
from napari_npa.errors import SaveError, TrainingError
from napari_npa.models.networks import UNetConfig, VGGUNet
from napari_npa.models.weights import load_model, save_model
from napari_npa.simulate.many import simulate_many
from napari_npa.training.augmentation import Augmentation, draw_look, reach, render
from napari_npa.training.command import train_and_score
from napari_npa.training.cross_validation import calibration, patient_folds
from napari_npa.training.examples import (
    Example,
    gather_files,
    load_example,
    patient_of,
    split_by_patient,
)
from napari_npa.training.losses import combined_loss, dice_loss
from napari_npa.training.recipe import Recipe, TrainingConfig, preset_config
from napari_npa.training.segment_loss import segment_loss
from napari_npa.training.tiles import cut
from napari_npa.training.train import fit, training_seconds
from napari_npa.training.views import whole_view

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")

TINY = TrainingConfig(
    steps=4,
    steps_per_epoch=2,
    batch_size=2,
    view=64,
    canvases=TINY_CANVASES,
    network=UNetConfig(decoder=(8, 8, 8, 8)),
)


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


def files_of(folder):
    return gather_files(folder, folder, (), (), r"patient\d+")


def test_dice_loss_by_hand():
    logits = torch.tensor([[[[40.0, 40.0, -40.0, -40.0]]]])  # probabilities 1, 1, 0, 0
    target = torch.tensor([[[[1.0, 0.0, 1.0, 0.0]]]])
    # 1 - (2·1 + 1) / (2 + 2 + 1)
    assert float(dice_loss(logits, target)) == pytest.approx(1 - 3 / 5)


def test_loss_weighs_its_parts_and_the_non_perfused_class():
    logits = torch.zeros(1, 1, 1, 2)  # probability 1/2, cross entropy ln 2 a pixel
    target = torch.tensor([[[[1.0, 0.0]]]])
    dice = 1 - (2 * 0.5 + 1) / (1 + 1 + 1)
    cross_entropy = np.log(2) * (3 + 1) / 2  # the non-perfused pixel counts three times
    for share in (0.0, 0.3, 1.0):
        loss = combined_loss(logits, target, cross_entropy_share=share, class_weight=3)
        assert float(loss) == pytest.approx(share * cross_entropy + (1 - share) * dice)


def test_segment_loss_counts_a_thin_part_as_much_as_a_thick_one():
    target = torch.zeros(1, 1, 60, 60)
    target[..., 5:25, 5:55] = 1  # twenty pixels thick
    target[..., 50:53, 5:55] = 1  # three
    missed = {}
    for name, rows in (("thick", slice(5, 25)), ("thin", slice(50, 53))):
        logits = 40 * target - 20
        logits[..., rows, :] = -20
        missed[name] = float(segment_loss(logits, target))
    assert float(segment_loss(40 * target - 20, target)) == pytest.approx(0, abs=1e-6)
    # The thick bar's skeleton forks into its corners: more segments than the thin one's.
    assert missed["thin"] > 0.1
    pixels = {"thick": 20 * 50, "thin": 3 * 50}
    assert missed["thin"] / missed["thick"] > 3 * pixels["thin"] / pixels["thick"]


def test_segment_loss_is_the_mismatch_of_thickness():
    target = torch.zeros(1, 1, 40, 60)
    target[..., 18:23, 5:55] = 1  # five thick
    half = torch.full_like(target, -20.0)
    half[..., 18:23, 5:55] = 0  # probability 1/2 everywhere inside: half as thick
    assert float(segment_loss(half, target)) == pytest.approx(0.5, abs=0.01)
    nothing = torch.zeros(1, 1, 8, 8, requires_grad=True)
    segment_loss(nothing, torch.zeros(1, 1, 8, 8)).backward()
    assert not nothing.grad.any()


def test_images_without_a_known_target_count_for_nothing():
    logits = torch.randn(2, 1, 4, 4)
    target = torch.zeros(2, 1, 4, 4)
    settings = {"cross_entropy_share": 0.5, "class_weight": 1.0}
    first = combined_loss(logits[:1], target[:1], **settings)
    known = combined_loss(logits, target, known=torch.tensor([1.0, 0.0]), **settings)
    assert float(known) == pytest.approx(float(first))
    assert float(combined_loss(logits, target, known=torch.zeros(2), **settings)) == 0


def test_gradable_retina_is_learned_where_it_is_outlined_only(labelled):
    tifffile.imwrite(labelled / "patient02_1_retina.tif", np.ones((128, 128), np.uint8))
    examples = [load_example(file, TINY_CANVASES) for file in files_of(labelled)]
    assert [example.retina is not None for example in examples] == [False, False, True, False]
    _, targets, known = whole_view(examples[2])
    assert known.tolist() == [1, 1]
    assert targets[1].all()
    assert whole_view(examples[0])[2].tolist() == [1, 0]


def test_the_retina_is_learned_alone_and_found_with_the_weights(tmp_path):
    folder = tmp_path / "simulated"
    simulate_many(2, "uwfa", 256, 7000, folder)
    options = ["--simulated", folder, "--held-out", "sim_7001", "--steps", 2, "--batch-size", 2]
    small = ["--canvas-uwfa", 64, "--canvas-55", 64, "--view", 64, "--device", "cpu"]
    path = tmp_path / "mine.safetensors"
    command = ["train", "--preset", "retina", "--output", path, *options, *small]
    result = CliRunner().invoke(app, [str(word) for word in command])
    assert result.exit_code == 0, result.output
    model = load_model(path)
    assert (model.input, model.output) == ("levels", "retina")
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["held_out"]["images"][0]["image"] == "sim_7001"
    assert card["architecture"] == "NarrowUNet, outputs: gradable retina"


def test_the_retina_cannot_be_learned_where_it_is_not_outlined(labelled, tmp_path):
    config = replace(TINY, target="retina", network=UNetConfig(decoder=(8, 8, 8, 8), outputs=1))
    with pytest.raises(TrainingError, match="gradable retina is not outlined"):
        fit(files_of(labelled), [], config, tmp_path / "run", device="cpu")


def test_tiles_without_enough_non_perfusion_are_dropped_but_perfused_eyes_are_kept():
    npa = np.zeros((128, 128), bool)
    npa[:64, 64:128][:13, :32] = True  # 10.2 % of the upper right tile
    npa[64:128, :64][:13, :31] = True  # 9.8 % of the lower left one
    gray = np.arange(128 * 128, dtype=np.uint32).reshape(128, 128).astype(np.uint8)
    whole = Example(Path(), "p", "labelled", gray, npa, retina=~npa)
    (kept,) = cut([whole], 64)
    np.testing.assert_array_equal(kept.npa, npa[:64, 64:])
    np.testing.assert_array_equal(kept.stretched, gray[:64, 64:])
    np.testing.assert_array_equal(kept.retina, ~npa[:64, 64:])
    perfused = replace(whole, source="perfused", npa=np.zeros_like(npa))
    perfused.stretched[64:, 64:] = 0
    assert len(cut([perfused], 64)) == 3
    assert cut([replace(whole, npa=np.ones_like(npa))], 128)[0].npa.shape == (128, 128)


def test_an_example_seen_from_afar_is_half_as_wide():
    npa = np.zeros((64, 64), bool)
    npa[:32] = True
    gray = np.where(npa, 20, 100).astype(np.uint8)
    half = Example(Path(), "p", "labelled", gray, npa, retina=~npa).halved()
    np.testing.assert_array_equal(half.npa, npa[::2, ::2])
    np.testing.assert_array_equal(half.retina, ~npa[::2, ::2])
    np.testing.assert_array_equal(half.stretched, gray[::2, ::2])
    assert replace(half, retina=None).halved().retina is None


def test_the_network_for_two_scales_is_shown_both_and_says_so(labelled, tmp_path):
    config = replace(TINY, steps=1, steps_per_epoch=1, halved=True)
    output = tmp_path / "two.safetensors"
    train_and_score(files_of(labelled), [], config, output, tmp_path / "run", device="cpu")
    assert load_model(output).halved


def test_the_folder_of_the_weights_is_made_before_training(labelled, tmp_path):
    files, run = files_of(labelled), tmp_path / "run"
    (tmp_path / "file").touch()
    with pytest.raises(SaveError, match="cannot be made"):
        train_and_score(files, [], TINY, tmp_path / "file" / "m.safetensors", run, device="cpu")
    assert not run.exists()
    output = tmp_path / "new" / "m.safetensors"
    train_and_score(files, [], replace(TINY, steps=1), output, run, device="cpu")
    assert output.exists()


def test_weights_without_a_retina_output_cannot_be_trained_further(tmp_path):
    network = VGGUNet(UNetConfig(decoder=(8, 8, 8, 8), outputs=1))
    path = tmp_path / "old.safetensors"
    save_model(path, network, canvases=TINY_CANVASES, threshold=0.5)
    with pytest.raises(TrainingError, match="1 output"):
        Recipe(replace(TINY, start_from=str(path)))


def random_view(image, targets, centre, side, augmentation, rng):
    """One view of arrays, as arrays."""
    layers = torch.from_numpy(np.concatenate([image[None], targets]))
    look = draw_look(image.shape, centre, side, augmentation, rng)
    images, masks = render([layers], [look], side)
    return images[0].numpy(), masks[0].numpy()


def test_view_without_variation_is_the_image():
    still = Augmentation(1, 1, 0, False, 1, (1, 1), 0, (0, 0), 0)
    image = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    target = (image > 0.5).astype(np.float32)
    rng = np.random.default_rng(1)
    while True:  # horizontal flips stay: take a draw without one
        view, mask = random_view(image, target[None], (31.5, 31.5), 64, still, rng)
        if np.allclose(view, image, atol=1e-5):
            break
        np.testing.assert_allclose(view, image[:, ::-1], atol=1e-5)
    np.testing.assert_array_equal(mask[0], target)


def test_view_moves_image_and_mask_together():
    image = np.zeros((96, 96), np.float32)
    image[30:60, 20:70] = 1
    rng = np.random.default_rng(3)
    plain = Augmentation(gamma_ratio=1, gain_range=(1, 1), noise=0, sharpness=(0, 0), shading=0)
    for _ in range(20):
        view, mask = random_view(image, image[None], (48, 48), 96, plain, rng)
        np.testing.assert_array_equal(mask[0], np.round(view))


@pytest.mark.parametrize(("sharpness", "ratio"), [(-0.7, 0.6), (1.0, 1.5)])
def test_sharpness_takes_detail_away_or_adds_it(sharpness, ratio):
    image = (0.5 + 0.05 * np.random.default_rng(0).standard_normal((64, 64))).astype(np.float32)
    changed = Augmentation(1, 1, 0, False, 1, (1, 1), 0, (sharpness, sharpness), 0)
    view, _ = random_view(image, image[None], (31.5, 31.5), 64, changed, np.random.default_rng(1))
    assert view.mean() == pytest.approx(image.mean(), abs=0.01)
    assert (view.std() / image.std() > ratio) == (sharpness > 0)


def test_shading_brightens_one_side_and_dims_the_other():
    image = np.full((64, 64), 0.5, np.float32)
    shaded = Augmentation(1, 1, 0, False, 1, (1, 1), 0, (0, 0), 0.4)
    view, _ = random_view(image, image[None], (31.5, 31.5), 64, shaded, np.random.default_rng(1))
    assert 0.01 < np.ptp(view) < 0.4 * 0.5 * np.sqrt(2)
    assert view.mean() == pytest.approx(0.5, abs=0.01)


def test_images_of_one_patient_stay_on_one_side(labelled):
    train, test = split_by_patient(files_of(labelled), ["patient01"])
    assert {file.patient for file in train} == {"patient02", "patient03"}
    assert [file.image.stem for file in test] == ["patient01_1", "patient01_2"]


def test_patient_is_found_in_the_name_or_is_the_name(tmp_path):
    assert patient_of(tmp_path / "patient11_11-3.jpg", r"patient\d+") == "patient11"
    assert patient_of(tmp_path / "normal0036.jpg", r"patient\d+") == "normal0036"


def test_holding_out_nobody_known_or_everybody_is_an_error(labelled):
    with pytest.raises(TrainingError, match="no patient of the training set"):
        split_by_patient(files_of(labelled), ["patient99"])
    with pytest.raises(TrainingError, match="no image with a mask left"):
        split_by_patient(files_of(labelled), ["patient*"])


def test_empty_and_absent_folders_are_errors(tmp_path):
    with pytest.raises(TrainingError, match="holds no angiogram"):
        gather_files(None, None, [tmp_path], (), "")
    with pytest.raises(TrainingError, match="cannot be read"):
        gather_files(None, None, [tmp_path / "absent"], (), "")


def test_mask_of_another_size_is_named(labelled, tmp_path):
    tifffile.imwrite(labelled / "patient02_1_npa.tif", np.zeros((9, 9), np.uint8))
    with pytest.raises(TrainingError, match=r"patient02_1\.tif.*Export the mask"):
        fit(files_of(labelled), [], TINY, tmp_path / "run", device="cpu")


def test_canvas_that_does_not_fit_the_network_is_refused():
    with pytest.raises(TrainingError, match="multiple of 32"):
        TrainingConfig(view=64, canvases={"55": 64, "uwfa": 100})


def test_learning_rate_rises_then_falls_along_a_cosine():
    recipe = Recipe(TrainingConfig(steps=100, warm_up=0.1, network=TINY.network))
    rates = [recipe._rate(step) for step in range(101)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[10] == pytest.approx(1.0)
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0.0, abs=1e-9)


def test_training_lowers_the_loss(labelled, tmp_path):
    config = TrainingConfig(
        **{**vars(TINY), "steps": 40, "steps_per_epoch": 10, "learning_rate": 2e-3}
    )
    fit(files_of(labelled), [], config, tmp_path / "run", device="cpu", report=lambda _: None)
    losses = [
        float(line.split(",")[1])
        for line in (tmp_path / "run" / "curve.csv").read_text().splitlines()[1:]
    ]
    assert losses[-1] < 0.8 * losses[0]


def test_resumed_training_ends_where_an_uninterrupted_one_does(labelled, tmp_path):
    files = files_of(labelled)
    told = []

    def state(steps, run, **options):
        config = TrainingConfig(**{**vars(TINY), "warm_up": 1.0, "steps": steps})
        network = fit(
            files, [], config, tmp_path / run, device="cpu", report=told.append, **options
        )
        return network.state_dict()

    def kill_in_second_epoch(line):
        if line.startswith("step 4"):
            raise InterruptedError

    whole = state(4, "whole")
    config = TrainingConfig(**{**vars(TINY), "warm_up": 1.0})
    with pytest.raises(InterruptedError):
        fit(files, [], config, tmp_path / "killed", device="cpu", report=kill_in_second_epoch)
    assert (tmp_path / "killed" / "last.ckpt").exists()
    assert not any("going on" in line for line in told)
    resumed = state(4, "killed", resume=True)
    assert any("going on" in line for line in told)
    for key, value in whole.items():
        torch.testing.assert_close(resumed[key], value, msg=key)


def test_time_of_a_run_is_summed_over_its_stops(tmp_path):
    (tmp_path / "curve.csv").write_text("step,seconds\n1,10.0\n2,25.0\n3,5.0\n4,8.0\n")
    assert training_seconds(tmp_path) == 25 + 8


def test_resuming_a_finished_run_gives_its_weights_again(labelled, tmp_path):
    files = files_of(labelled)
    first, again = (
        fit(files, [], TINY, tmp_path / "run", device="cpu", report=lambda _: None, resume=resume)
        for resume in (False, True)
    )
    for key, value in first.state_dict().items():
        torch.testing.assert_close(again.state_dict()[key], value, msg=key)


def test_fine_tuned_weights_are_averaged_with_those_they_began_as(labelled, tiny_model, tmp_path):
    files = files_of(labelled)
    config = replace(TINY, start_from=str(tiny_model))
    tuned, half, none = (
        fit(
            files,
            [],
            replace(config, fine_tuned_share=share),
            tmp_path / f"{share}",
            device="cpu",
            report=lambda _: None,
        ).state_dict()
        for share in (1.0, 0.5, 0.0)
    )
    begun = load_model(tiny_model).network.state_dict()
    for key, value in begun.items():
        if value.is_floating_point():
            torch.testing.assert_close(half[key], (tuned[key] + value) / 2, msg=key)
            torch.testing.assert_close(none[key], value, msg=key)


def test_training_goes_on_from_given_weights(labelled, tiny_model, tmp_path):
    still = replace(TINY, start_from=str(tiny_model), learning_rate=1e-12, steps=1)
    network = fit(
        files_of(labelled), [], still, tmp_path / "run", device="cpu", report=lambda _: None
    )
    given = load_model(tiny_model).network.state_dict()
    for name, value in network.named_parameters():
        torch.testing.assert_close(value.data, given[name], msg=name)
    # In training mode: the normalisations follow the new images.
    mean = "stages.0.1.running_mean"
    assert not torch.equal(network.state_dict()[mean], given[mean])


def test_a_run_is_not_overwritten_by_mistake(labelled, tmp_path):
    files = files_of(labelled)
    fit(files, [], TINY, tmp_path / "run", device="cpu", report=lambda _: None)
    with pytest.raises(TrainingError, match="--resume"):
        fit(files, [], TINY, tmp_path / "run", device="cpu", report=lambda _: None)


def test_folds_are_by_patient_and_leave_nobody_out(labelled):
    files = files_of(labelled)
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


def test_simulated_images_are_always_trained_on(labelled):
    files = [replace(file, source="simulated") for file in files_of(labelled)]
    folds = patient_folds(files_of(labelled) + files, 2, seed=0)
    assert all(not [f for f in held_out if f.source == "simulated"] for _, held_out in folds)
    assert all([f for f in train if f.source == "simulated"] == files for train, _ in folds)


def test_crossval_command_scores_every_labelled_image_and_goes_on_after_a_stop(labelled, tmp_path):
    output = tmp_path / "crossval"
    perfused = tmp_path / "perfused"
    perfused.mkdir()
    tifffile.imwrite(perfused / "normal1.tif", draw_round_angiogram(128, 9))
    arguments = ["crossval", "--images", str(labelled), "--masks", str(labelled)]
    arguments += ["--perfused", str(perfused), "--folds", "2", "--output", str(output)]
    arguments += ["--view", "64", "--canvas-55", "64", "--canvas-uwfa", "64"]
    arguments += ["--steps", "1", "--batch-size", "1", "--device", "cpu"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader((output / "labelled.csv").open()))
    assert sorted(row["image"] for row in rows) == [
        "patient01_1",
        "patient01_2",
        "patient02_1",
        "patient03_1",
    ]
    assert len((output / "perfused.csv").read_text().splitlines()) == 2
    thresholds = list(csv.DictReader((output / "thresholds.csv").open()))
    flagged = [float(row["perfused_flagged_percent"]) for row in thresholds]
    assert flagged == sorted(flagged, reverse=True)
    made = [path.stat().st_mtime_ns for path in sorted(output.glob("fold*/weights.safetensors"))]
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 0, again.output
    assert made == [
        path.stat().st_mtime_ns for path in sorted(output.glob("fold*/weights.safetensors"))
    ]


def test_threshold_is_the_best_that_leaves_perfused_eyes_alone(tmp_path):
    table = "threshold,mean_dice,pooled_dice,perfused_flagged_percent"
    lines = [table, "0.3,0.6,0.7,1.2", "0.5,0.5,0.7,0.4", "0.7,0.45,0.6,0.1"]
    (tmp_path / "thresholds.csv").write_text("\n".join(lines))
    assert calibration(tmp_path).threshold == 0.5
    with pytest.raises(TrainingError, match="no finished cross-validation"):
        calibration(tmp_path / "absent")


@pytest.mark.parametrize("seed", range(12))
def test_a_view_reaches_no_further_than_it_says(seed):
    rng = np.random.default_rng(seed)
    canvas = rng.random((300, 300), np.float32)
    row, column = (int(place) for place in rng.integers(0, 300, 2))
    far = int(reach(64, Augmentation())) + 2
    top, left = max(0, row - far), max(0, column - far)
    near = canvas[top : row + far, left : column + far]
    views = [
        random_view(image, image[None], centre, 64, Augmentation(), np.random.default_rng(seed))
        for image, centre in ((canvas, (row, column)), (near, (row - top, column - left)))
    ]
    np.testing.assert_allclose(views[0][0], views[1][0], atol=1e-3)


def test_the_tile_recipe_is_a_preset_that_goes_on_from_the_whole_image_network():
    config = preset_config("tile", encoder=None, canvases={}, changes={})
    assert config.canvases == {"55": 512, "uwfa": 2048}
    assert config.start_from == "whole"
    assert config.halved


def test_published_recipe_is_a_preset():
    config = preset_config("published", encoder=None, canvases={}, changes={"steps": 5})
    assert config.network.decoder == (512, 256, 128, 64)
    assert (config.batch_size, config.learning_rate, config.steps) == (2, 1e-4, 5)
    small = preset_config("default", encoder="plain", canvases={"55": 64}, changes={})
    assert small.canvases == {"55": 64, "uwfa": 1024}
    assert small.network.encoder == "plain"
    with pytest.raises(TrainingError, match="multiple of 32"):
        preset_config("default", encoder=None, canvases={"55": 100}, changes={})


def test_train_command_writes_weights_with_scores_of_unseen_patients(labelled, tmp_path):
    output = tmp_path / "mine.safetensors"
    folder = str(labelled)
    arguments = ["train", "--images", folder, "--masks", folder, "--held-out", "patient02"]
    arguments += [
        "--view",
        "64",
        "--canvas-55",
        "64",
        "--canvas-uwfa",
        "64",
        "--steps",
        "1",
        "--batch-size",
        "1",
        "--device",
        "cpu",
        "--output",
        str(output),
    ]
    shell = [sys.executable, "-m", "napari_npa", *arguments]
    result = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert not re.search("lightning|GPU|TPU", result.stderr, re.IGNORECASE)
    card = json.loads(output.with_suffix(".json").read_text())
    assert card["sha256"] == load_model(output).sha256
    assert card["training"]["patients"] == ["patient01", "patient03"]
    assert [image["patient"] for image in card["held_out"]["images"]] == ["patient02"]
    assert 0 <= card["held_out"]["summary"]["labelled"]["mean_dice"] <= 1
