"""Correct saved masks from the shell."""

import json

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_npa.cli.main import app
from napari_npa.errors import NpaError
from napari_npa.io.masks import read_mask
from napari_npa.refine.command import Correction, correct_files


@pytest.fixture
def saved(tmp_path, round_angiogram):
    """An angiogram and its masks in a folder: upper half non-perfused."""
    tifffile.imwrite(tmp_path / "eye.tif", round_angiogram)
    rows, columns = np.indices(round_angiogram.shape) - 79.5
    retina = np.hypot(rows, columns) < 75
    tifffile.imwrite(tmp_path / "eye_retina.tif", retina.astype(np.uint8))
    tifffile.imwrite(tmp_path / "eye_npa.tif", (retina & (rows < 0)).astype(np.uint8))
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, ["refine", *map(str, arguments)])


def test_a_rectangle_is_cleared_and_nothing_else_changes(saved, tiny_model):
    before = read_mask(saved / "eye_npa.tif")
    done = run(
        saved / "eye.tif", "--masks", saved, "--output", saved / "out", "--tile", tiny_model,
        "--rectangle", "40,60,59,99", "--action", "remove",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    after = read_mask(saved / "out" / "eye_npa.tif")
    expected = before.copy()
    expected[40:60, 60:100] = False
    np.testing.assert_array_equal(after, expected)
    np.testing.assert_array_equal(read_mask(saved / "eye_npa.tif"), before)
    record = json.loads((saved / "out" / "eye_npa.json").read_text())
    assert "corrected by network: remove, sensitivity 0.5" in record["notes"]
    assert f"{100 * record['isi']:.1f} %" in done.output


def test_a_polygon_goes_to_the_tool_and_its_sensitivity(saved, tiny_model):
    where = ("--polygon", "30,40 30,120 70,120 70,40", "--action", "replace")
    base = (saved / "eye.tif", "--masks", saved, "--tile", tiny_model, *where)
    areas = []
    for sensitivity in ("0.05", "0.95"):
        done = run(*base, "--output", saved / sensitivity, "--sensitivity", sensitivity)
        assert done.exit_code == 0, done.output
        areas.append(read_mask(saved / sensitivity / "eye_npa.tif").sum())
    assert areas[0] < areas[1]


def test_a_click_grows_a_region(saved, tiny_model):
    done = run(saved / "eye.tif", "--masks", saved, "--tile", tiny_model, "--click", "110,80")
    assert done.exit_code == 0, done.output
    assert read_mask(saved / "eye_npa.tif")[110, 80]


def test_the_retina_is_a_target_too(saved, tiny_model):
    correction = Correction(
        ((0, 0), (0, 160), (160, 160), (160, 0)), None, "shape", "remove", "retina"
    )
    with pytest.raises(NpaError, match="no gradable retina"):
        correct_files(saved / "eye.tif", saved, saved / "out", correction, tile=tiny_model)


@pytest.mark.parametrize(
    "where",
    [(), ("--rectangle", "1,2,3"), ("--polygon", "1,2 3"), ("--click", "a,b"),
     ("--click", "1,2", "--polygon", "1,2 3,4 5,6")],
)  # fmt: skip
def test_what_is_no_place_is_wrong_use(saved, where):
    assert run(saved / "eye.tif", "--masks", saved, *where).exit_code == 2


@pytest.mark.parametrize(
    ("where", "line"),
    [
        (("--rectangle", "500,500,600,600"), "has no pixel inside the shape"),
        (("--click", "500,500"), "cannot be grown into"),
    ],
)
def test_a_place_outside_the_image_is_told(saved, tiny_model, where, line):
    done = run(saved / "eye.tif", "--masks", saved, "--tile", tiny_model, *where)
    assert isinstance(done.exception, NpaError)
    assert line in str(done.exception)


def test_masks_of_another_image_are_refused(saved, tiny_model):
    tifffile.imwrite(saved / "eye_npa.tif", np.zeros((9, 9), np.uint8))
    done = run(saved / "eye.tif", "--masks", saved, "--tile", tiny_model, "--click", "80,80")
    assert "but the image is (160, 160)" in str(done.exception)
