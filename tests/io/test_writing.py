"""Results are written whole or not at all, and refusals are said in plain words."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from napari_npa.errors import SaveError
from napari_npa.io.writing import (
    LEFT_BEHIND_SECONDS,
    atomic,
    remove_partials,
    write_gray,
    write_json,
    write_mask,
    write_png,
    write_probability,
    write_text,
)

PLANES = array_shapes(min_dims=2, max_dims=2, max_side=40)


def write_half_of(path, then):
    with atomic(path) as partial:
        partial.write_text("half")
        raise then


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@given(mask=arrays(np.bool_, PLANES))
@settings(max_examples=25, deadline=None)
def test_a_mask_comes_back_as_zeros_and_ones(folder, mask):
    write_mask(folder / "npa.tif", mask)
    stored = tifffile.imread(folder / "npa.tif")
    assert stored.dtype == np.uint8
    assert np.array_equal(stored, np.where(mask, 1, 0))


@given(probability=arrays(np.float32, PLANES, elements=st.floats(0, 1, width=32)))
@settings(max_examples=25, deadline=None)
def test_a_probability_map_comes_back_bit_by_bit(folder, probability):
    write_probability(folder / "probability.tif", probability)
    stored = tifffile.imread(folder / "probability.tif")
    assert stored.dtype == np.float32
    assert stored.tobytes() == probability.tobytes()


@given(pixels=arrays(np.uint8, PLANES))
@settings(max_examples=25, deadline=None)
def test_gray_levels_come_back_from_tiff_and_from_png(folder, pixels):
    write_gray(folder / "gray.tif", pixels)
    write_png(folder / "gray.png", pixels)
    assert np.array_equal(tifffile.imread(folder / "gray.tif"), pixels)
    with Image.open(folder / "gray.png") as image:
        assert image.mode == "L"
        assert np.array_equal(np.asarray(image), pixels)


def test_a_colour_picture_comes_back_from_png(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    write_png(tmp_path / "overlay.png", pixels)
    with Image.open(tmp_path / "overlay.png") as image:
        assert np.array_equal(np.asarray(image), pixels)


def test_a_view_of_a_mask_is_written_as_it_looks(tmp_path):
    mask = np.random.default_rng(0).random((60, 80)) > 0.5
    write_mask(tmp_path / "npa.tif", mask[::-2, 10:].T)
    assert np.array_equal(tifffile.imread(tmp_path / "npa.tif"), mask[::-2, 10:].T)


def test_masks_are_compressed(tmp_path):
    write_mask(tmp_path / "npa.tif", np.zeros((1000, 1000), np.bool_))
    assert (tmp_path / "npa.tif").stat().st_size < 10_000


def test_text_is_written_as_utf8_with_its_own_line_ends(tmp_path):
    write_text(tmp_path / "note.txt", "Gefäß\r\n10 µm\n")
    assert (tmp_path / "note.txt").read_bytes() == "Gefäß\r\n10 µm\n".encode()


def test_json_keeps_the_order_of_its_keys(tmp_path):
    report = {"isi": 0.35, "disc_areas": None, "eye": "œil droit", "zones": [1, 2]}
    write_json(tmp_path / "report.json", report)
    text = (tmp_path / "report.json").read_text(encoding="utf-8")
    assert json.loads(text) == report
    assert list(json.loads(text)) == list(report)
    assert "œil droit" in text


def test_a_report_with_nan_is_refused_and_the_earlier_one_kept(tmp_path):
    write_json(tmp_path / "report.json", {"isi": 0.35})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "report.json", {"isi": float("nan")})
    assert json.loads((tmp_path / "report.json").read_text()) == {"isi": 0.35}
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("write", "array"),
    [
        (write_mask, np.zeros((4, 4), np.uint8)),
        (write_mask, np.zeros((1, 4, 4), np.bool_)),
        (write_gray, np.zeros((4, 4), np.float32)),
        (write_probability, np.zeros((4, 4), np.float64)),
        (write_png, np.zeros((4, 4), np.uint16)),
        (write_png, np.zeros((4, 4, 4), np.uint8)),
    ],
)
def test_an_array_of_another_kind_is_refused_before_anything_is_written(tmp_path, write, array):
    with pytest.raises(ValueError, match="need"):
        write(tmp_path / "result", array)
    assert list(tmp_path.iterdir()) == []


def test_until_the_end_of_the_block_the_earlier_file_stays(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("before")
    with atomic(path) as partial:
        partial.write_text("after")
        assert path.read_text() == "before"
        assert partial.parent == tmp_path
        assert partial.suffix == ".csv"
        assert partial.name.startswith(".")
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


def test_an_exception_of_the_block_passes_through_and_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt):
        write_half_of(path, KeyboardInterrupt())
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "disk full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "no permission"),
        (errno.EIO, "the disk reported a fault"),
        (errno.ENAMETOOLONG, "the name is too long"),
        (errno.EMFILE, "too many open files"),
    ],
)
def test_what_the_system_refuses_is_said_in_plain_words(tmp_path, number, words):
    path = tmp_path / "npa.tif"
    with pytest.raises(SaveError) as caught:
        write_half_of(path, OSError(number, os.strerror(number)))
    assert caught.value.subject == "npa.tif"
    assert words in caught.value.reason
    assert caught.value.remedy.endswith(".")
    assert caught.value.__cause__.errno == number
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fills_up_at_the_last_step_leaves_the_earlier_mask(tmp_path, monkeypatch, step):
    path = tmp_path / "npa.tif"
    write_mask(path, np.ones((9, 9), np.bool_))

    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, refuse)
    with pytest.raises(SaveError, match=r"'npa.tif' could not be written: disk full\. Free some"):
        write_mask(path, np.zeros((9, 9), np.bool_))
    monkeypatch.undo()
    assert tifffile.imread(path).all()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on file sizes")
def test_a_real_limit_on_the_file_size_leaves_the_earlier_files(tmp_path):
    story = """
import resource, sys
from pathlib import Path
import numpy as np
from napari_npa.errors import SaveError
from napari_npa.io import writing

noise = np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
for write, name, content in [
    (writing.write_gray, "gray.tif", noise),
    (writing.write_mask, "mask.tif", noise > 127),
    (writing.write_probability, "probability.tif", noise.astype(np.float32)),
    (writing.write_png, "picture.png", noise),
    (writing.write_text, "table.csv", "x" * 5000),
]:
    try:
        write(Path(sys.argv[1]) / name, content)
    except SaveError as error:
        print(error)
"""
    (tmp_path / "gray.tif").write_text("before")
    result = subprocess.run(
        [sys.executable, "-c", story, str(tmp_path)], capture_output=True, text=True, check=True
    )
    lines = result.stdout.splitlines()
    assert len(lines) == 5
    assert all("larger than this disk or account allows" in line for line in lines)
    assert [path.name for path in tmp_path.iterdir()] == ["gray.tif"]
    assert (tmp_path / "gray.tif").read_text() == "before"


def test_a_missing_folder_is_named_as_the_reason(tmp_path):
    with pytest.raises(SaveError, match="the folder does not exist"):
        write_text(tmp_path / "nowhere" / "table.csv", "")


def test_a_file_in_place_of_the_folder_is_named_as_the_reason(tmp_path):
    (tmp_path / "results").write_text("")
    with pytest.raises(SaveError, match=r"the folder (is a file|does not exist)"):
        write_text(tmp_path / "results" / "table.csv", "")


def test_a_folder_is_not_replaced_by_a_file(tmp_path):
    (tmp_path / "npa.tif").mkdir()
    with pytest.raises(SaveError):
        write_mask(tmp_path / "npa.tif", np.zeros((9, 9), np.bool_))
    assert [path.name for path in tmp_path.iterdir()] == ["npa.tif"]


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such permission on Windows")
def test_a_folder_without_permission_is_named_as_the_reason(tmp_path):
    tmp_path.chmod(0o500)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may write everywhere
    try:
        with pytest.raises(SaveError, match="no permission to write there"):
            write_text(tmp_path / "table.csv", "")
    finally:
        os.seteuid(user)
        tmp_path.chmod(0o700)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs the rights of an administrator")
def test_nothing_is_written_through_a_link(tmp_path):
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "npa.csv").write_text("before")
    (tmp_path / "npa.csv").symlink_to(tmp_path / "archive" / "npa.csv")
    with pytest.raises(SaveError, match=r"'npa\.csv' is a link to another file"):
        write_text(tmp_path / "npa.csv", "after")
    assert (tmp_path / "npa.csv").is_symlink()
    assert (tmp_path / "archive" / "npa.csv").read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file mode")
def test_colleagues_may_read_what_they_may_read_otherwise(tmp_path):
    (tmp_path / "ordinary.txt").write_text("")
    write_text(tmp_path / "atomic.txt", "")
    assert (tmp_path / "atomic.txt").stat().st_mode == (tmp_path / "ordinary.txt").stat().st_mode


def test_many_writers_of_one_file_leave_one_whole_version(tmp_path):
    path = tmp_path / "session.json"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: write_text(path, f"{n}" * 50_000), range(8)))
    text = path.read_text()
    assert text == text[0] * 50_000
    assert list(tmp_path.iterdir()) == [path]


def test_only_what_was_left_half_written_long_ago_is_removed(tmp_path):
    with atomic(tmp_path / "npa.tif") as name:
        half = name.name
        name.touch()
    old = time.time() - LEFT_BEHIND_SECONDS - 60
    for path in ("npa.tif", half, f"{half}.bak", ".hidden.tif"):
        (tmp_path / path).touch()
        os.utime(tmp_path / path, (old, old))
    with atomic(tmp_path / "npa.tif") as young:
        young.touch()
        remove_partials(tmp_path)
        assert young.exists()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"npa.tif", f"{half}.bak", ".hidden.tif"}
