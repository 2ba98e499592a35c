"""Correct saved masks from the shell."""

import json

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_npa.annotation.session import Session
from napari_npa.cli.main import app
from napari_npa.errors import NpaError, ReplaceError
from napari_npa.io.angiogram import read_angiogram
from napari_npa.io.masks import read_mask
from napari_npa.io.names import APPROVALS
from napari_npa.refine import TOOLS
from napari_npa.results.approvals import Approvals
from napari_npa.results.folder import ResultFolder
from napari_npa.results.result import Provenance, Result
from napari_npa.results.table import read_table, write_table

REMOVE = ("--rectangle", "40,60,59,99", "--action", "remove")


@pytest.fixture
def saved(tmp_path, round_angiogram):
    """An angiogram and its masks in a folder: upper half non-perfused."""
    tifffile.imwrite(tmp_path / "eye.tif", round_angiogram)
    npa, retina = masks(round_angiogram)
    tifffile.imwrite(tmp_path / "eye_retina.tif", retina.astype(np.uint8))
    tifffile.imwrite(tmp_path / "eye_npa.tif", npa.astype(np.uint8))
    return tmp_path


def masks(image):
    rows, columns = np.indices(image.shape) - 79.5
    retina = np.hypot(rows, columns) < 75
    return retina & (rows < 0), retina


@pytest.fixture
def results(tmp_path, round_angiogram):
    """A folder with a saved result: masks, record, a session of one edit."""
    tifffile.imwrite(tmp_path / "eye.tif", round_angiogram)
    angiogram = read_angiogram(tmp_path / "eye.tif")
    npa, retina = masks(round_angiogram)
    session = Session("eye.tif", angiogram.sha256, "first", "1" * 64, ~npa, retina, who="A")
    session.record("brush", npa, retina, 0.0)
    provenance = Provenance("first", "1" * 64, 0.375, "cuda", 12.5)
    result = Result(angiogram, npa, retina, provenance, session=session.as_record())
    folder = tmp_path / "results"
    write_table(folder, [ResultFolder(folder).save(result, stem="eye").row])
    return folder


def run(*arguments):
    return CliRunner().invoke(app, ["refine", *map(str, arguments)])


def record_in(folder):
    return json.loads((folder / "eye_npa.json").read_text())


def test_a_rectangle_is_cleared_and_nothing_else_changes(saved):
    before = read_mask(saved / "eye_npa.tif")
    done = run(saved / "eye.tif", "--masks", saved, "--output", saved / "out", *REMOVE)
    assert done.exit_code == 0, done.output
    after = read_mask(saved / "out" / "eye_npa.tif")
    expected = before.copy()
    expected[40:60, 60:100] = False
    np.testing.assert_array_equal(after, expected)
    np.testing.assert_array_equal(read_mask(saved / "eye_npa.tif"), before)
    record = record_in(saved / "out")
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


def test_masks_of_a_grader_are_replaced_only_when_asked(saved):
    before = (saved / "eye_npa.tif").read_bytes()
    done = run(saved / "eye.tif", "--masks", saved, *REMOVE)
    assert isinstance(done.exception, ReplaceError)
    assert (saved / "eye_npa.tif").read_bytes() == before
    assert run(saved / "eye.tif", "--masks", saved, "--replace", *REMOVE).exit_code == 0
    assert not read_mask(saved / "eye_npa.tif")[40:60, 60:100].any()


def test_a_click_grows_a_region(saved):
    out = saved / "out"
    done = run(saved / "eye.tif", "--masks", saved, "--output", out, "--click", "110,80")
    assert done.exit_code == 0, done.output
    assert read_mask(out / "eye_npa.tif")[110, 80]


def test_a_result_without_gradable_retina_is_refused(saved):
    everything = ("--polygon", "0,0 0,160 160,160 160,0", "--tool", "shape", "--action", "remove")
    done = run(
        saved / "eye.tif", "--masks", saved, "--output", saved / "out", *everything,
        "--target", "retina",
    )  # fmt: skip
    assert isinstance(done.exception, NpaError)
    assert "no gradable retina" in str(done.exception)


@pytest.mark.parametrize("tool", [tool.id for tool in TOOLS.values() if not tool.needs_network])
def test_a_tool_without_a_network_touches_neither_device_nor_weights(saved, tool):
    where = ("--click", "110,80") if tool == "grow" else ("--rectangle", "40,60,59,99")
    done = run(
        saved / "eye.tif", "--masks", saved, "--output", saved / "out", *where, "--tool", tool,
        "--device", "no such device", "--tile", "no such weights",
    )  # fmt: skip
    assert done.exit_code == 0, done.exception


def test_the_record_keeps_what_the_network_was_and_the_log_gains_an_edit(results):
    image = results.parent / "eye.tif"
    before = record_in(results)
    done = run(image, "--masks", results, *REMOVE)
    assert done.exit_code == 0, done.exception
    after = record_in(results)
    for kept in ("model", "threshold", "device", "seconds"):
        assert after[kept] == before[kept]
    assert after["edited"]
    assert after["isi"] < before["isi"]
    assert after["session"]["who"] == "A"
    edits = after["session"]["edits"]
    assert edits[:1] == before["session"]["edits"]
    assert [edit["tool"] for edit in edits] == ["brush", "network: remove"]
    assert edits[-1]["isi"] == pytest.approx(after["isi"], abs=1e-6)


def test_a_second_correction_goes_on_from_the_first(results):
    image = results.parent / "eye.tif"
    for row in (40, 50):
        where = ("--rectangle", f"{row},60,{row + 9},99")
        done = run(image, "--masks", results, *where, "--action", "remove")
        assert done.exit_code == 0, done.exception
    assert not read_mask(results / "eye_npa.tif")[40:60, 60:100].any()
    assert len(record_in(results)["session"]["edits"]) == 3


def test_the_table_shows_the_new_index_and_an_approval_is_withdrawn(results):
    image = results.parent / "eye.tif"
    approvals = Approvals(results)
    approvals.give("eye.tif", read_angiogram(image).sha256)
    approvals.store()
    done = run(image, "--masks", results, "--rectangle", "50,40,70,90", "--action", "remove")
    assert done.exit_code == 0, done.exception
    [row] = read_table(results)
    assert row.isi == pytest.approx(record_in(results)["isi"])
    assert row.edited
    assert "eye.tif" not in Approvals(results)
    assert (results / APPROVALS).exists()


def test_a_corrected_result_elsewhere_is_replaced_only_when_asked(results):
    image, other = results.parent / "eye.tif", results.parent / "other"
    into = ("--masks", results, "--output", other)
    assert run(image, *into, *REMOVE).exit_code == 0
    before = read_mask(other / "eye_npa.tif")
    refused = run(image, *into, "--rectangle", "20,60,39,99", "--action", "remove")
    assert isinstance(refused.exception, ReplaceError)
    np.testing.assert_array_equal(read_mask(other / "eye_npa.tif"), before)
    asked = run(image, *into, "--rectangle", "20,60,39,99", "--action", "remove", "--replace")
    assert asked.exit_code == 0, asked.exception
    assert read_mask(other / "eye_npa.tif")[50, 80]  # not corrected in the folder it began from


@pytest.mark.parametrize(
    "where",
    [(), ("--rectangle", "1,2,3"), ("--polygon", "1,2 3"), ("--click", "a,b"),
     ("--click", "1,2 3,4"), ("--click", "1,2", "--polygon", "1,2 3,4 5,6"),
     ("--click", "1,2", "--tool", "walker"), ("--rectangle", "1,2,3,4", "--tool", "grow"),
     ("--rectangle", "1,2,3,4", "--tool", "magic")],
)  # fmt: skip
def test_what_is_no_place_or_no_tool_for_it_is_wrong_use(saved, where):
    assert run(saved / "eye.tif", "--masks", saved, *where).exit_code == 2


@pytest.mark.parametrize(
    ("where", "line"),
    [
        (("--rectangle", "500,500,600,600"), "has no pixel inside the shape"),
        (("--click", "500,500"), "cannot be grown into"),
    ],
)
def test_a_place_outside_the_image_is_told(saved, where, line):
    done = run(saved / "eye.tif", "--masks", saved, *where)
    assert isinstance(done.exception, NpaError)
    assert line in str(done.exception)


def test_masks_of_another_size_are_refused(saved):
    tifffile.imwrite(saved / "eye_npa.tif", np.zeros((9, 9), np.uint8))
    done = run(saved / "eye.tif", "--masks", saved, "--click", "80,80")
    assert isinstance(done.exception, NpaError)
    assert "eye_npa.tif" in str(done.exception)


def test_the_help_lists_every_tool_with_its_explanation():
    told = " ".join(run("--help").output.replace("│", " ").split())
    for tool in TOOLS.values():
        assert tool.explanation.split()[0] in told
        assert f"{tool.id}:" in told
