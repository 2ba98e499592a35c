"""A mask means the same whatever saved it, or is refused: never the opposite, never all of it."""

import csv

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from clinic import masks
from clinic.masks import GRAY, INSIDE, REFUSED, UNDERSTOOD
from napari_npa.cli.main import app
from napari_npa.errors import AngiogramError
from napari_npa.io.masks import read_mask


@pytest.mark.parametrize("kind", UNDERSTOOD)
def test_a_mask_is_the_same_whatever_saved_it(tmp_path, kind):
    path = UNDERSTOOD[kind](tmp_path / "eye_npa.tif")
    np.testing.assert_array_equal(read_mask(path), INSIDE)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_could_be_understood_in_two_ways_is_refused(tmp_path, kind):
    path = REFUSED[kind](tmp_path / "eye_npa.tif")
    with pytest.raises(AngiogramError) as caught:
        read_mask(path)
    assert caught.value.subject == path.name
    assert caught.value.remedy.endswith(".")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_soft_edges_end_at_one_half(tmp_path, dtype):
    soft = masks.blurred(sigma=1.5)
    white = 1 if dtype is np.float32 else np.iinfo(dtype).max
    path = masks.tiff(tmp_path / "eye_npa.tif", (soft * white).astype(dtype))
    np.testing.assert_array_equal(read_mask(path), (soft * white).astype(dtype) > white / 2)
    assert np.count_nonzero(read_mask(path) != INSIDE) < 30  # of corners


def test_soft_edges_of_a_mask_that_is_not_quite_white_end_at_one_half_too(tmp_path):
    path = masks.picture(
        tmp_path / "eye_npa.png", (180 * masks.blurred()).astype(np.uint8), format="PNG"
    )
    np.testing.assert_array_equal(read_mask(path), masks.blurred() > 0.5)


@pytest.mark.parametrize(
    ("values", "inside"),
    [
        (0 * GRAY, False),
        (0 * GRAY + 255, True),
        (0 * GRAY + 1, True),
        (np.where(INSIDE, np.nan, 0).astype(np.float32), False),
        (0 * INSIDE, False),
    ],
    ids=["black", "white", "ones", "NaN and 0", "false"],
)
def test_a_mask_may_be_empty_or_full(tmp_path, values, inside):
    masks.tiff(tmp_path / "eye_npa.tif", values)
    assert (read_mask(tmp_path / "eye_npa.tif") == inside).all()


def test_an_empty_mask_saved_as_jpeg_is_empty(tmp_path):
    rng = np.random.default_rng(0)
    path = masks.picture(
        tmp_path / "eye_npa.jpg", rng.integers(0, 9, (64, 64), np.uint8), format="JPEG"
    )
    assert not read_mask(path).any()


@pytest.mark.parametrize(
    "kind", ["RGB", "JPEG", "orientation 6", "NaN outside", "a table of black and red"]
)
def test_evaluate_reads_the_masks_of_any_program(tmp_path, kind):
    (tmp_path / "graders").mkdir()
    (tmp_path / "results").mkdir()
    UNDERSTOOD[kind](tmp_path / "graders" / "eye_npa.tif")
    tifffile.imwrite(tmp_path / "results" / "eye_npa.tif", INSIDE.astype(np.uint8))
    result = evaluate(tmp_path)
    assert result.exit_code == 0, result.output
    with (tmp_path / "table.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["dice"] == "1"


@pytest.mark.parametrize(
    "kind",
    [
        "white is zero",
        "a reversed table",
        "a damaged part of a PNG",
        "more pixels than the data can hold",
        "more pixels than are read",
    ],
)
def test_evaluate_says_what_is_wrong_with_a_mask(tmp_path, kind):
    (tmp_path / "graders").mkdir()
    (tmp_path / "results").mkdir()
    REFUSED[kind](tmp_path / "graders" / "eye_npa.tif")
    tifffile.imwrite(tmp_path / "results" / "eye_npa.tif", INSIDE.astype(np.uint8))
    result = evaluate(tmp_path)
    assert isinstance(result.exception, AngiogramError)  # printed as one line by the program
    assert not (tmp_path / "table.csv").exists()


def evaluate(folder):
    options = {"predictions": "results", "masks": "graders", "output": "table.csv"}
    arguments = [part for name, at in options.items() for part in (f"--{name}", str(folder / at))]
    return CliRunner().invoke(app, ["evaluate", *arguments])
