"""Values that no command can use end in a line, and nothing is written where nobody looks."""

import json
import os

import pytest
from typer.testing import CliRunner

from batch_folders import THRESHOLD, write_eye
from napari_npa.batch import BatchOptions
from napari_npa.cli.main import app
from napari_npa.errors import DeviceError, NpaError
from napari_npa.io.storage import storage_of
from napari_npa.io.texts.urls import without_password
from napari_npa.results.folder import ResultFolder
from napari_npa.results.table import read_table
from napari_npa.segmentation.segmenter import Segmenter


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in a folder of its own; any error of ours is a line."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    def command(*words):
        result = CliRunner().invoke(app, list(map(str, words)))
        assert result.exit_code in (1, 2)
        assert isinstance(result.exception, SystemExit | NpaError), repr(result.exception)
        assert not list(here.iterdir())
        return f"{result.output}{result.exception}"

    return command


@pytest.fixture
def eye(tmp_path):
    return write_eye(tmp_path / "eyes" / "a.tif")


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_name_is_not_the_folder_that_the_shell_is_in(run, eye, empty):
    for words in (
        ("segment", eye, "--output", empty),
        ("segment", eye, f"--output={empty}"),
        ("segment", empty, "--output", "out"),
        ("batch", eye.parent, "--output", empty),
        ("batch", empty, "--output", "out"),
        ("refine", eye, "--masks", empty, "--click", "1,1"),
        ("refine", eye, "--masks", eye.parent, "--click", empty),
        ("evaluate", "--predictions", empty, "--masks", eye.parent, "--output", "x.csv"),
        ("summary", empty),
        ("simulate", "--output", empty),
        ("train", "--images", eye.parent, "--masks", empty, "--output", "w.safetensors"),
    ):
        assert "An empty value was given" in run(*words)
    with pytest.raises(NpaError, match="empty name"):
        ResultFolder(empty)
    with pytest.raises(NpaError, match="empty name"):
        storage_of(empty)


@pytest.mark.parametrize(
    "device", ["cuda:abc", "cuda:", "cuda:-1", "cpu:7", "cuda:1:2", "auto:1", "x"]
)
def test_a_device_that_cannot_be_is_refused(run, eye, device, tiny_model):
    model = ("--model", tiny_model)
    assert f"'{device}' is not" in run("segment", eye, "--output", "o", "--device", device, *model)
    with pytest.raises(DeviceError):
        Segmenter(device, tiny_model)


@pytest.mark.parametrize("place", ["1", "1,2,3", "a,b", "nan,1", "1,inf", "1e999,1", ",", "1,"])
def test_a_place_that_cannot_be_is_refused(run, eye, place):
    run("refine", eye, "--masks", eye.parent, "--click", place)
    run("refine", eye, "--masks", eye.parent, "--rectangle", f"{place},1,1")
    run("refine", eye, "--masks", eye.parent, "--polygon", f"0,0 5,5 {place}")


@pytest.mark.parametrize(
    ("command", "option"),
    [("segment", "--threshold"), ("batch", "--threshold"), ("train", "--learning-rate")],
)
@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
def test_what_is_not_a_number_is_in_no_range(run, eye, command, option, value):
    source = () if command == "train" else (eye if command == "segment" else eye.parent,)
    output = "w.safetensors" if command == "train" else "out"
    assert option in run(command, *source, "--output", output, option, value)


@pytest.mark.parametrize("threshold", [float("nan"), float("inf"), 0, -1, 5, "x"])
def test_a_threshold_that_cannot_be_is_refused_by_python_too(eye, tiny_model, threshold):
    segmenter = Segmenter("cpu", tiny_model)
    with pytest.raises(NpaError, match=r"'threshold' is .*above 0 and at most 1"):
        segmenter.segment(eye, threshold=threshold)
    found = segmenter.segment(eye, threshold=0.4)
    with pytest.raises(NpaError, match="threshold"):
        found.at_threshold(threshold)
    with pytest.raises(NpaError, match="threshold"):
        BatchOptions(threshold=threshold)


@pytest.mark.parametrize(
    "url",
    [
        "s3://[x", "http://[", "://x", "file://\0", "nonsense://x", "s3://", "http://h:99999/x",
        "memory://", "zip://", "zip://a::file:///absent.zip", "::", "a://b://c", "ftp://[::1", "\0",
    ],
)  # fmt: skip
def test_a_malformed_url_is_refused(run, eye, url, tiny_model):
    options = ("--model", tiny_model, "--device", "cpu")
    run("batch", url, "--output", "../out", *options)
    if url not in ("memory://", "::"):
        run("batch", eye.parent, "--output", url, *options)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://key:sec/ret@bucket/a", "s3://key@bucket/a"),
        ("https://host/a?sig=abc%2F&x=1", "https://host/a?sig=…&x=1"),
        ("https://host:80/a@b", "https://host:80/a@b"),
        ("zip://*::https://u:p@host/a.zip?AccessKeyId=1", "zip://*::https://u@host/a.zip?AccessKeyId=…"),
    ],
)  # fmt: skip
def test_no_record_keeps_a_password(url, told):
    assert without_password(url) == told


def test_the_manifest_keeps_no_password(tmp_path, tiny_model, eye):
    from stores import empty_store

    empty_store().put(str(eye), "/doctor:secr/et@eyes/a.tif")
    words = ["batch", "memory://doctor:secr/et@eyes", "--output", str(tmp_path / "out")]
    CliRunner().invoke(app, [*words, "--model", str(tiny_model), "--device", "cpu"])
    written = [path.read_text() for path in tmp_path.glob("out/run.json")]
    assert not any("secr/et" in text for text in written)
    assert "doctor@eyes" in json.loads(written[0])["source"]


def test_an_error_of_the_file_system_is_a_line_and_the_rest_goes_on(tmp_path, tiny_model, eye):
    loop = tmp_path / "loop.tif"
    loop.symlink_to(loop)
    long = write_eye(tmp_path / f"{'x' * 250}.tif", 3)  # no room for the ending of its masks
    out = tmp_path / "out"
    images = [loop, tmp_path / ("y" * 300 + ".tif"), long, tmp_path / "absent.tif", eye]
    options = ["--model", tiny_model, "--threshold", THRESHOLD, "--device", "cpu"]
    words = ["segment", *images, "--output", out, *options]
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exit_code == 1
    assert [row.status for row in read_table(out)] == ["failed"] * 4 + ["ok"]
    said = result.output.splitlines()
    for image in images[:4]:
        assert any(image.stem in line and line.endswith(".") for line in said)


def test_a_name_commands_no_terminal(tmp_path, tiny_model):
    name = "\x1b]0[l]\u202e.tif"
    eye = write_eye(tmp_path / "eyes" / name)
    bad = tmp_path / "eyes" / "\x1b[2Jbad.tif"
    bad.write_bytes(b"")
    options = ["--output", tmp_path / "out", "--model", tiny_model, "--device", "cpu"]
    for words in (["segment", eye, bad], ["batch", eye.parent], ["summary", tmp_path / "out"]):
        words = words if words[0] == "summary" else [*words, *options]
        said = CliRunner().invoke(app, list(map(str, words)), color=True)
        assert isinstance(said.exception, SystemExit | None)
        assert not {"\x1b", "\x07", "\u202e"} & set(said.output)
        if words[0] == "segment":
            assert "[l]" in said.output
            assert "\\x1b[2Jbad.tif" in said.output


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes among files")
@pytest.mark.parametrize("name", ["ischemia.csv", "a_npa.json", "review.json"])
def test_a_pipe_among_the_results_blocks_nothing(tmp_path, tiny_model, eye, name):
    out = tmp_path / "out"
    out.mkdir()
    os.mkfifo(out / name)
    options = ["--output", out, "--model", tiny_model, "--device", "cpu"]
    for words in (["segment", eye], ["batch", eye.parent]):
        said = CliRunner().invoke(app, list(map(str, [*words, *options])))
        assert isinstance(said.exception, SystemExit | NpaError | None)
