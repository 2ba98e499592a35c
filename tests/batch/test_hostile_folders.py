"""Folders as they come: whatever is in them, each image gets a row and the rest is done."""

import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from batch_folders import THRESHOLD, line_of, results, statuses, table, write_eye
from napari_npa.io import storage as places

BLACK = np.zeros((256, 256), np.uint8)


def write_huge(path: Path, side: int, tile: np.ndarray = BLACK) -> None:
    """A square TIFF whose tiles are all the same."""
    shape = (side, side)
    count = (-(-side // 256)) ** 2
    tifffile.imwrite(
        path,
        (tile for _ in range(count)),
        shape=shape,
        dtype=np.uint8,
        tile=(256, 256),
        compression="deflate",
        photometric="minisblack",
    )


def test_every_hostile_file_gets_a_row_and_the_good_one_is_done(batch, source, output):
    good = (source / "a.tif").read_bytes()
    contents = {
        "empty.tif": b"",
        "truncated.tif": good[: len(good) // 2],
        "header.tif": good[:20],
        "text.tif": "this is not an image",
        "png.tif": b"\x89PNG\r\n\x1a\n and no more",
        "zeros.png": bytes(500),
    }
    for name, content in contents.items():
        (source / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    tifffile.imwrite(source / "pixel.tif", np.ones((1, 1), np.uint8))
    write_huge(source / "too large.tif", 20_224)
    (source / "loop.tif").symlink_to(source / "loop.tif")
    (source / "dangling.tif").symlink_to(source / "nowhere.tif")
    os.mkfifo(source / "pipe.tif")
    (source / "folder.tif").mkdir()
    (source / "._a.tif").write_bytes(b"\0\5\x16\7 resource fork")
    (source / "=1+1.tif").write_bytes(good)
    (source / ' a "b",\nc .tif').write_bytes(good)

    result = batch(source, output)

    line_of(result)
    assert result.exit_code == 1
    bad = {*contents, "pixel.tif", "too large.tif", "loop.tif", "dangling.tif", "pipe.tif"}
    expected = {**dict.fromkeys(bad, "failed"), "a.tif": "ok", ' a "b",\nc .tif': "ok"}
    # A spreadsheet would run what begins with =.
    assert statuses(output) == {**expected, "'=1+1.tif": "ok"}
    for row in table(output):
        if row["status"] == "failed":
            assert row["image"] in row["message"]
            assert "could not be processed" not in row["message"]  # the reason is told
    assert (output / "=1+1_npa.tif").exists()


def test_a_name_that_is_not_unicode_is_a_row(batch, source, output):
    (source / os.fsdecode(b"\xff.tif")).write_bytes((source / "a.tif").read_bytes())
    for _ in range(2):
        assert batch(source, output).exit_code == 1
        assert statuses(output) == {"a.tif": "ok", "\\udcff.tif": "failed"}


def test_a_socket_is_no_image(batch, source, output):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(source / "s.tif"))
        assert batch(source, output).exit_code == 1
    assert statuses(output)["s.tif"] == "failed"


def test_folder_links_are_followed_once(batch, source, output, tmp_path):
    write_eye(tmp_path / "elsewhere" / "c.tif", 5)
    (source / "linked").symlink_to(tmp_path / "elsewhere")
    (source / "again").symlink_to(tmp_path / "elsewhere")
    (source / "loop").symlink_to(source)
    (source / "visit 1" / "up").symlink_to(source)
    (source / "self").symlink_to(source / "self")
    assert batch(source, output, "--recursive").exit_code == 0
    assert set(statuses(output)) == {
        "a.tif", "again/c.tif", "visit 1/b.tif", "visit 1/眼底 造影.tif"
    }  # fmt: skip


def test_a_subfolder_that_cannot_be_read_is_a_row(batch, source, output, monkeypatch):
    """Root may read everything: the refusal is the only thing made up here."""
    scandir = os.scandir

    def refuse(folder):
        if Path(folder).name == "visit 1":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(places.os, "scandir", refuse)
    assert batch(source, output, "--recursive").exit_code == 1
    assert statuses(output) == {"a.tif": "ok", "visit 1": "failed"}
    assert "Permission denied" in table(output)[1]["message"]


def test_a_file_that_may_not_be_opened_is_a_row(batch, source, output, monkeypatch):
    """As above; both stems are one, so that the file must be hashed for its name."""
    write_eye(source / "a.tiff", 8)
    unbound = Path.open

    def refuse(self, *arguments, **options):
        if self.name == "a.tiff":
            raise PermissionError(13, "Permission denied")
        return unbound(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    assert batch(source, output).exit_code == 1
    assert statuses(output) == {"a.tif": "ok", "a.tiff": "failed"}
    assert "no permission" in table(output)[1]["message"]


def test_images_of_one_stem_keep_their_own_results(batch, source, output):
    for seed, name in enumerate(["a.tiff", "A.tif", "visit 1/a.tif", "visit 2/a.tif"]):
        write_eye(source / name, 20 + seed)
    assert batch(source, output, "--recursive").exit_code == 0
    rows = table(output)
    assert len({row["result"].casefold() for row in rows}) == len(rows) == 7
    assert {row["result"] for row in rows} >= {"visit 1/a", "visit 2/a"}
    for row in rows:
        assert tifffile.imread(f"{output / row['result']}_npa.tif").sum() == int(row["npa_pixels"])
    before = results(output)
    assert "7 done before" in line_of(batch(source, output, "--recursive"))
    assert results(output) == before


def test_a_second_image_of_a_stem_leaves_the_first_one_its_result(batch, source, output):
    batch(source, output)
    write_eye(source / "a.tiff", 8)
    assert "1 done before" in line_of(batch(source, output))
    assert table(output)[0]["result"] == "a"
    assert table(output)[1]["result"].startswith("a_")


@pytest.mark.parametrize("where", ["source", "source/results", "link"])
def test_results_among_the_images_are_not_taken_for_images(batch, source, tmp_path, where):
    output = tmp_path / where
    if where == "link":
        (source / "results").mkdir()
        output.symlink_to(source / "results")
    for options in ([], ["--overwrite"], []):
        assert batch(source, output, "--recursive", "--probability", *options).exit_code == 0
        assert len(table(output)) == 3
    (output / "a_npa.json").unlink()  # as after a kill: overlay and map are there, no record
    assert batch(source, output, "--recursive", "--probability").exit_code == 0
    assert len(table(output)) == 3


def test_a_file_url_of_a_folder_below_is_left_out_too(batch, source):
    write_eye(source / "results" / "c.tif", 5)
    batch(source, f"file://{source}/results", "--recursive")
    assert len(table(source / "results")) == 3


def test_hidden_folders_are_left_alone(batch, source, output):
    write_eye(source / ".Trash" / "c.tif", 5)
    assert batch(source, output, "--recursive").exit_code == 0
    assert len(table(output)) == 3


def test_a_large_black_image_is_a_row(batch, source, output):
    """The fast twin of the next: 4000 x 4000, nothing in it."""
    write_huge(source / "black.tif", 4_000)
    assert batch(source, output).exit_code == 1
    assert statuses(output) == {"a.tif": "ok", "black.tif": "failed"}


@pytest.mark.slow
@pytest.mark.parametrize("content", ["black", "eye"])
def test_the_largest_image_that_is_read_is_a_row(tiny_model, tmp_path, content):
    """20,000 x 20,000 pixels, in a process of its own: how long it takes, and how much memory."""
    source, output = tmp_path / "source", tmp_path / "output"
    write_eye(source / "a.tif")
    if content == "black":
        write_huge(source / "large.tif", 20_000)
    else:
        small = tifffile.imread(source / "a.tif")
        tifffile.imwrite(
            source / "large.tif", np.kron(small, np.ones((125, 125), np.uint8)), compression="zlib"
        )
    start = time.perf_counter()
    command = [sys.executable, "-c", "from napari_npa.cli.main import main; main()", "batch"]
    options = ["--output", str(output), "--model", str(tiny_model), "--threshold", THRESHOLD]
    done = subprocess.run([*command, str(source), *options, "--device", "cpu"], check=False)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"\n{content}: {time.perf_counter() - start:.0f} s, {peak:.1f} GiB, {statuses(output)}")
    assert done.returncode == (1 if content == "black" else 0)
    assert statuses(output)["a.tif"] == "ok"
    assert statuses(output)["large.tif"] == ("failed" if content == "black" else "ok")
