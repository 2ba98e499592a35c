"""A results folder that somebody sent: what does not fit is not ours, and no link is followed."""

import json
import os

import pytest
from typer.testing import CliRunner

from batch_folders import THRESHOLD, table, write_eye
from clinic.records import UNFIT, change
from napari_npa.cli.main import app
from napari_npa.errors import AngiogramError, NpaError
from napari_npa.io.angiogram import read_angiogram
from napari_npa.results.approvals import is_approved
from napari_npa.results.folder import ResultFolder
from napari_npa.results.record import read_record
from napari_npa.review.queue import ReviewQueue

MASKS = ("eye_npa.tif", "eye_retina.tif", "eye_overlay.png")
FILES = (*MASKS, "eye_npa.json", "ischemia.csv", "run.json", "review.json")


@pytest.fixture
def run(tiny_model):
    """Run a command with the tiny network; it may be refused, but by us."""

    def command(*words):
        options = ["--threshold", THRESHOLD, "--device", "cpu", "--model", tiny_model]
        result = CliRunner().invoke(app, list(map(str, [*words, *options])))
        assert isinstance(result.exception, SystemExit | NpaError | None), repr(result.exception)
        return result

    return command


@pytest.fixture
def eye(tmp_path):
    return write_eye(tmp_path / "eyes" / "eye.tif")


@pytest.fixture
def out(tmp_path, eye, run):
    """A folder of one result, reviewed."""
    run("batch", eye.parent, "--output", tmp_path / "out")
    queue = ReviewQueue(eye.parent, tmp_path / "out")
    queue.store()
    return tmp_path / "out"


@pytest.mark.parametrize(("where", "value"), UNFIT, ids=lambda value: str(value)[:20])
def test_a_record_that_does_not_fit_is_not_ours(eye, out, run, where, value):
    record, row = out / "eye_npa.json", table(out)
    change(record, *where, to=value)
    content = record.read_bytes()
    assert read_record(out / "eye") is None
    queue = ReviewQueue(eye.parent, out)
    assert queue.state(0) == "to do"
    assert queue.saved_result(0, read_angiogram(eye).sha256) is None
    run("summary", out)
    done = run("batch", eye.parent, "--output", out)
    assert done.exit_code == 0
    assert record.read_bytes() == content, "a file that is not ours is not replaced"
    told = {r["result"]: r for r in table(out)}
    assert told["eye"] == row[0]
    new = told[f"eye_{row[0]['sha256'][:8]}"]
    assert new["isi"] == row[0]["isi"]
    assert "is not a file of this program and was kept" in new["message"]


def test_names_in_a_record_lead_nowhere(tmp_path, eye, out, run):
    outside = tmp_path / "outside.tif"
    outside.write_bytes(b"theirs")
    names = ["../outside.tif", str(outside), "x" * 300, "\0", "", ".", "/", "a/../../outside.tif"]
    content = json.loads((out / "eye_npa.json").read_text())
    content["files"] |= dict.fromkeys(names, "ab" * 32)
    (out / "eye_npa.json").write_text(json.dumps(content))
    assert run("batch", eye.parent, "--output", out).exit_code == 0
    assert run("batch", eye.parent, "--output", out, "--overwrite").exit_code == 0
    angiogram = read_angiogram(eye)
    ResultFolder(out).save_ungradable(angiogram)
    assert outside.read_bytes() == b"theirs"
    for stem in ("../x", "/x", "..", "a/b", "x" * 300, ""):
        with pytest.raises(NpaError):
            ResultFolder(out).save_ungradable(angiogram, stem)
        with pytest.raises(NpaError):
            ResultFolder(out).load(angiogram, stem)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["eyes", "out", "outside.tif"]


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("dangling", [False, True], ids=["", "to nowhere"])
def test_nothing_is_written_through_a_link(tmp_path, eye, out, run, name, dangling):
    outside = tmp_path / "outside"
    if not dangling:
        outside.write_bytes((out / name).read_bytes())
    before = None if dangling else outside.read_bytes()
    (out / name).unlink()
    (out / name).symlink_to(outside)
    run("segment", eye, "--output", out)
    run("segment", eye, "--output", out, "--replace")
    run("batch", eye.parent, "--output", out, "--overwrite")
    for act in (
        lambda: ResultFolder(out).save_ungradable(read_angiogram(eye), replace=True),
        lambda: ReviewQueue(eye.parent, out).store(),
    ):
        try:
            act()
        except NpaError as error:
            assert "link" in str(error)  # noqa: PT017 - it may also succeed
    assert (outside.read_bytes() if outside.exists() else None) == before


def test_a_mask_that_is_a_link_is_not_read(tmp_path, eye, out):
    (out / "eye_npa.tif").rename(tmp_path / "mask.tif")
    (out / "eye_npa.tif").symlink_to(tmp_path / "mask.tif")
    with pytest.raises(AngiogramError, match="is a link, which is not followed"):
        ResultFolder(out).load(read_angiogram(eye))


def test_a_linked_subfolder_of_the_results_is_not_followed(tmp_path, run):
    write_eye(tmp_path / "eyes" / "visit" / "a.tif")
    (tmp_path / "elsewhere").mkdir()
    out = tmp_path / "out"
    out.mkdir()
    (out / "visit").symlink_to(tmp_path / "elsewhere")
    run("batch", tmp_path / "eyes", "--output", out, "--recursive")
    assert [row["status"] for row in table(out)] == ["failed"]
    assert "'visit' is a link" in table(out)[0]["message"]
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_name_in_an_archive_leads_nowhere(tmp_path, run):
    import zipfile

    archive = tmp_path / "eyes.zip"
    eye = write_eye(tmp_path / "a.tif").read_bytes()
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("good/a.tif", "../../evil.tif", "good/../../../worse.tif"):
            file.writestr(name, eye)
    out = tmp_path / "deep" / "deeper" / "out"
    run("batch", f"zip://::file://{archive}", "--output", out, "--recursive")
    assert {row["image"]: row["status"] for row in table(out)}["good/a.tif"] == "ok"
    assert not [path for path in tmp_path.rglob("*_npa.tif") if out not in path.parents]


def test_deeply_nested_files_are_not_ours(eye, out, run):
    for name in ("eye_npa.json", "review.json", "run.json"):
        (out / name).write_text("[" * 100_000)
    assert read_record(out / "eye") is None
    with pytest.raises(NpaError, match="approved is not known"):
        is_approved(out, "ab" * 32)
    assert "damaged" in str(ReviewQueue(eye.parent, out).warning)
    run("batch", eye.parent, "--output", out)
