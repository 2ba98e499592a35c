"""One story from the shell: no command loses a correction, an approval, or a file of others."""

import json

import pytest
import tifffile
from typer.testing import CliRunner

from batch_folders import THRESHOLD, table, write_eye
from napari_npa.cli.main import app
from napari_npa.io.angiogram import read_angiogram
from napari_npa.io.masks import read_mask
from napari_npa.review.queue import ReviewQueue


@pytest.fixture
def run(tiny_model):
    """Run a command with the tiny network, and tell how it went."""

    def run(command, *arguments):
        model = ["--tile" if command == "refine" else "--model", tiny_model]
        threshold = [] if command == "refine" else ["--threshold", THRESHOLD]
        given = [command, *arguments, *model, *threshold, "--device", "cpu"]
        result = CliRunner().invoke(app, list(map(str, given)))
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture
def eyes(tmp_path):
    folder = tmp_path / "eyes"
    return [write_eye(folder / f"{name}.tif", seed) for seed, name in enumerate("ab")]


def masks(output):
    return {path.name: path.read_bytes() for path in output.glob("*.tif")}


def rows(output):
    return {row["image"]: row for row in table(output)}


def refine(run, image, output):
    """Correct the mask inside a rectangle, so that it changes."""
    is_there = read_mask(output / f"{image.stem}_npa.tif")[50:91, 50:91].any()
    what = ["--action", "remove"] if is_there else ["--tool", "shape", "--action", "add"]
    done = run("refine", image, "--masks", output, "--rectangle", "50,50,90,90", *what)
    assert done.exit_code == 0, done.output


def test_nothing_corrected_or_approved_is_lost(run, eyes, tmp_path):
    a, b = eyes
    output = tmp_path / "out"
    assert run("batch", a.parent, "--output", output).exit_code == 0
    network = json.loads((output / "a_npa.json").read_text())
    refine = ("refine", a, "--masks", output, "--rectangle", "40,40,90,90", "--action", "remove")
    assert run(*refine).exit_code == 0
    queue = ReviewQueue(a.parent, output)
    queue.approve(1, read_angiogram(b).sha256)
    queue.store()
    before = masks(output)

    said = run("segment", a, b, "--output", output)
    assert said.exit_code == 1
    assert "'a_npa.tif' is of a result that a person corrected" in said.output
    assert "'b_npa.tif' is of a result that a person approved" in said.output
    assert masks(output) == before
    assert rows(output).keys() == {"a.tif", "b.tif"}

    again = run("batch", a.parent, "--output", output, "--overwrite")
    assert again.exit_code == 0
    assert "2 corrected or approved" in again.output
    assert masks(output) == before
    assert len(table(output)) == 2
    row = rows(output)["a.tif"]
    assert row["edited"] == "True"
    assert int(row["npa_pixels"]) == read_mask(output / "a_npa.tif").sum()
    record = json.loads((output / "a_npa.json").read_text())
    told = ("model", "threshold", "device", "seconds")
    assert {name: record[name] for name in told} == {name: network[name] for name in told}
    assert [edit["tool"] for edit in record["session"]["edits"]] == ["network: remove"]


def test_a_later_correction_ends_the_approval_and_updates_the_index(run, eyes, tmp_path):
    a, _ = eyes
    output = tmp_path / "out"
    run("batch", a.parent, "--output", output)
    queue = ReviewQueue(a.parent, output)
    queue.approve(0, read_angiogram(a).sha256)
    queue.store()
    before = rows(output)
    refine(run, a, output)
    assert ReviewQueue(a.parent, output).state(0) == "edited"
    after = rows(output)
    assert after["a.tif"]["isi"] != before["a.tif"]["isi"]
    assert after["b.tif"] == before["b.tif"]
    record = json.loads((output / "a_npa.json").read_text())
    assert record["isi"] == float(after["a.tif"]["isi"])


def test_replace_replaces(run, eyes, tmp_path):
    a, _ = eyes
    output = tmp_path / "out"
    run("segment", a, "--output", output)
    automatic = masks(output)
    refine(run, a, output)
    assert masks(output) != automatic
    assert run("segment", a, "--output", output, "--replace").exit_code == 0
    assert masks(output) == automatic
    assert [row["edited"] for row in table(output)] == ["False"]


def test_files_of_others_survive(run, eyes, tmp_path):
    """A grader's own mask, and an angiogram that is named like one of ours."""
    study = tmp_path / "study"
    image = write_eye(study / "OD.tif", 1)
    theirs = {
        "OD_retina.tif": write_eye(study / "OD_retina.tif", 2).read_bytes(),
        "X_npa.tif": write_eye(study / "X_npa.tif", 3).read_bytes(),
    }
    other = write_eye(study / "X.tif", 4)
    said = run("segment", image, other, "--output", study)
    assert said.exit_code == 1
    assert "'OD_retina.tif' is there and was not written by this program" in said.output
    assert "'X_npa.tif' is there" in said.output
    assert {name: (study / name).read_bytes() for name in theirs} == theirs
    assert run("batch", study, "--output", study).exit_code == 0
    assert {name: (study / name).read_bytes() for name in theirs} == theirs
    told = rows(study)
    for name, kept in (("OD.tif", "OD_retina.tif"), ("X.tif", "X_npa.tif")):
        assert told[name]["result"] == f"{name[:-4]}_{told[name]['sha256'][:8]}"
        assert kept in told[name]["message"]
        assert tifffile.imread(study / f"{told[name]['result']}_npa.tif").shape == (160, 160)


def test_rows_of_other_images_stay(run, eyes, tmp_path):
    a, b = eyes
    output = tmp_path / "out"
    run("segment", a, "--output", output)
    run("segment", b, "--output", output)
    assert rows(output).keys() == {"a.tif", "b.tif"}
