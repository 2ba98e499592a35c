"""Whatever a file is called, its image gets a row, or a line with its name and the reason."""

import errno
import json
import os
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

from batch_folders import THRESHOLD, line_of, statuses, table, write_eye
from clinic import masks
from drawing import draw_round_angiogram
from napari_npa.batch import one_image
from napari_npa.cli.main import app
from napari_npa.io.angiogram import read_angiogram


@pytest.fixture
def segment(tiny_model, tmp_path):
    """Run `napari-npa segment` with the tiny network."""

    def run(*images, output=tmp_path / "output"):
        arguments = ["segment", *map(str, images), "--output", str(output)]
        options = ["--model", str(tiny_model), "--threshold", THRESHOLD, "--device", "cpu"]
        return CliRunner().invoke(app, [*arguments, *options])

    return run


NOT_UTF8 = os.fsdecode(b"\xe9il.tif")
LONG = "a" * 245 + ".tif"
NAMES = {"眼" * 80 + ".tif": "ok", LONG: "failed", NOT_UTF8: "failed"}


@pytest.mark.parametrize("command", ["segment", "batch"])
def test_a_name_that_no_result_can_have_costs_only_its_own_row(
    segment, batch, tmp_path, output, command
):
    folder = tmp_path / "source"
    good = write_eye(folder / "good.tif")
    for name in NAMES:
        (folder / name).write_bytes(good.read_bytes())
    if command == "segment":
        result = segment(*(folder / name for name in NAMES), good, folder / "absent.tif")
    else:
        result = batch(folder, output)
    assert result.exit_code == 1
    told = line_of(result)
    expected = {
        name.encode("utf-8", "backslashreplace").decode(): status for name, status in NAMES.items()
    }
    absent = {"absent.tif": "failed"} if command == "segment" else {}
    assert statuses(output) == {**expected, **absent, "good.tif": "ok"}
    assert "could not be processed" not in told
    for row in table(output):
        if row["status"] == "failed":
            assert row["image"].removesuffix(".tif") in row["message"]
            assert row["message"].count(".") > 1  # the reason, and what to do


@pytest.mark.parametrize("name", ["eye [late].tif", "[red]eye[/red].tif", "[/].tif"])
def test_brackets_in_names_are_printed_as_they_are(segment, tmp_path, name):
    folder = tmp_path / "[bold]visit[/bold]"
    eye = write_eye(folder / name.replace("/", "|"))
    result = segment(eye, output=folder / "out [1]")
    assert result.exit_code == 0, result.output
    assert "".join(name.replace("/", "|").split()) in unwrapped(result.output)
    assert "[bold]visit[/bold]/out [1]/ischemia.csv" in result.output


def unwrapped(output):
    """The first column of the printed table without the line ends of its cells."""
    return "".join(
        "".join(line.split("│")[1].split()) for line in output.splitlines() if "│" in line
    )


def test_a_name_cannot_steer_the_terminal(segment, tmp_path):
    eye = tmp_path / "\x1b[2J\x1b]0;title\x07.tif"
    eye.write_text("not an image")
    result = segment(eye)
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert "\\x1b[2J" in result.output


def test_every_image_file_gets_a_row_or_a_line(batch, tmp_path, output):
    folder = tmp_path / "source"
    write_eye(folder / "case.tif")
    eye = draw_round_angiogram(160, 1)
    for name in ("OD_retina.jpg", "case_npa.jpg", "x_overlay.png", "y.jfif"):
        Image.fromarray(eye).save(folder / name, format="PNG" if "png" in name else "JPEG")
    masks.picture(folder / "case_retina.png", masks.GRAY)
    masks.tiff(folder / "z_npa.tif", masks.instances())
    Image.fromarray(eye).save(folder / "a.bmp")
    (folder / "b.jp2").write_bytes(imagecodecs.jpeg2k_encode(eye))
    (folder / "c.DCM").write_bytes(bytes(200))
    (folder / "notes.txt").touch()
    result = batch(folder, output)
    assert result.exit_code == 0, result.output
    seen = {"case.tif", "OD_retina.jpg", "case_npa.jpg", "x_overlay.png", "y.jfif"}
    assert statuses(output) == dict.fromkeys(seen, "ok")
    for line in (
        "Left out: 'case_retina.png' is a mask, not an angiogram.",
        "Left out: 'z_npa.tif' is a mask, not an angiogram.",
        "Left out: 'a.bmp' is BMP, which is not read. Export it as TIFF or PNG.",
        "Left out: 'b.jp2' is JPEG 2000, which is not read.",
        "Left out: 'c.DCM' is DICOM, which is not read.",
        "5 images, 5 ok, 5 left out, 1 other files",
    ):
        assert line in line_of(result)
    manifest = json.loads((output / "run.json").read_text(encoding="utf-8"))
    assert manifest["left_out"]["z_npa.tif"] == "is a mask, not an angiogram"
    assert len(manifest["left_out"]) == 5


def test_a_folder_without_angiograms_says_what_it_holds(batch, tmp_path, output):
    write_eye(tmp_path / "source" / "a.tif").rename(tmp_path / "source" / "a.bmp")
    result = batch(tmp_path / "source", output)
    assert "'a.bmp' is BMP, which is not read" in str(result.exception)


def test_results_of_ours_are_left_out_because_their_record_names_them(batch, source, tmp_path):
    assert batch(source, source, "--probability").exit_code == 0
    for _ in range(2):
        result = batch(source, source, "--probability")
        assert len(table(source)) == 1
        assert "left out" not in line_of(result)
    (source / "a_npa.json").unlink()
    result = batch(source, source, "--probability", "--pattern", "a_*")
    assert "Left out: 'a_npa.tif' is a mask" in str(result.exception) + result.output
    assert "Left out: 'a_probability.tif' is called as" in str(result.exception) + result.output


def test_a_pipe_is_refused_at_once(segment, tmp_path):
    os.mkfifo(tmp_path / "pipe.tif")
    result = segment(tmp_path / "pipe.tif", Path("/dev/zero"))
    assert result.exit_code == 1
    assert line_of(result).count("is not an ordinary file but a pipe or a device") == 2


def test_a_file_that_changes_while_it_is_read_has_the_hash_of_its_pixels(
    batch, source, output, monkeypatch
):
    """The batch hashes a file to find its result, and reads it when its turn has come."""
    changed = draw_round_angiogram(160, 9)

    def change(path):
        tifffile.imwrite(path, changed)
        return 0

    monkeypatch.setattr(one_image, "pixel_count", change)
    assert batch(source, output).exit_code == 0
    (row,) = table(output)
    assert row["sha256"] == read_angiogram(source / "a.tif").sha256
    record = json.loads((output / "a_npa.json").read_text())
    assert record["image"]["sha256"] == row["sha256"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_share_that_cannot_flush_can_be_written_to(
    segment, tmp_path, output, monkeypatch, number
):
    def refuse(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    result = segment(write_eye(tmp_path / "eye.tif"))
    assert result.exit_code == 0, result.output
    assert np.unique(tifffile.imread(output / "eye_npa.tif")).size
