"""`napari-npa batch` as a user meets it."""

import json
import sys

import numpy as np
import pandas
import pytest
import tifffile
from PIL import Image

from batch_folders import line_of, results, statuses, table, write_eye
from napari_npa.batch import BatchOptions, run_batch
from napari_npa.cli import main as cli
from napari_npa.io import writing
from napari_npa.io.locking import LOCK
from napari_npa.io.names import PARQUET_TABLE, TABLE
from napari_npa.io.storage import LocalStorage
from saving import visible


def test_a_folder_becomes_masks_overlays_records_a_table_and_a_manifest(batch, source, output):
    result = batch(source, output, "--recursive")
    assert result.exit_code == 0, result.output
    images = ["a.tif", "visit 1/b.tif", "visit 1/眼底 造影.tif"]
    assert statuses(output) == dict.fromkeys(images, "ok")
    assert [row["image"] for row in table(output)] == images
    for row in table(output):
        base = output / row["result"]
        npa, retina = (tifffile.imread(f"{base}_{name}.tif") for name in ("npa", "retina"))
        assert npa.shape == retina.shape == (160, 160)
        assert (int(row["npa_pixels"]), int(row["retina_pixels"])) == (npa.sum(), retina.sum())
        assert float(row["isi"]) == pytest.approx(npa.sum() / retina.sum(), abs=1e-6)
        assert np.asarray(Image.open(f"{base}_overlay.png")).shape == (160, 160, 3)
        assert json.loads(base.with_name(f"{base.name}_npa.json").read_text("utf-8"))["isi"]
    manifest = json.loads((output / "run.json").read_text("utf-8"))
    assert manifest["status"] == "finished"
    assert manifest["source"] == str(source)
    assert manifest["counts"] == {
        **{"images": 3, "ok": 3, "ungradable": 0, "failed": 0},
        **{"not reached": 0, "left out": 0, "done before": 0, "other files": 1},
        "corrected or approved, kept": 0,
    }
    assert "1 other files" in line_of(result)
    assert {path.name for path in output.rglob(".*")} <= {LOCK}


def test_without_recursive_subfolders_are_left_alone(batch, source, output):
    assert batch(source, output).exit_code == 0
    assert list(statuses(output)) == ["a.tif"]


def test_pattern_chooses_by_name(batch, source, output):
    assert batch(source, output, "--recursive", "--pattern", "眼*").exit_code == 0
    assert list(statuses(output)) == ["visit 1/眼底 造影.tif"]


def test_one_worker_and_four_give_the_same(batch, source, output, tmp_path):
    for seed in range(5):
        write_eye(source / f"more{seed}.tif", 10 + seed)
    batch(source, output, "--recursive", "--workers", 1)
    batch(source, tmp_path / "four", "--recursive", "--workers", 4)
    assert results(output) == results(tmp_path / "four")


def test_a_failure_is_a_row_and_exit_code_1(batch, source, output):
    (source / "broken.tif").write_bytes(b"II*\0 and no more")
    result = batch(source, output)
    assert result.exit_code == 1
    assert statuses(output) == {"a.tif": "ok", "broken.tif": "failed"}
    assert "broken.tif" in line_of(result)


def test_parquet_holds_the_same_rows(batch, source, output):
    assert batch(source, output, "--recursive", "--parquet").exit_code == 0
    frame = pandas.read_parquet(output / PARQUET_TABLE)
    assert list(frame["image"]) == list(statuses(output))
    assert list(frame["isi"]) == [float(row["isi"]) for row in table(output)]


def test_report_summarises(batch, source, output):
    result = batch(source, output, "--recursive", "--report")
    assert result.exit_code == 0, result.output
    assert (output / "summary" / "summary.csv").exists()


@pytest.mark.parametrize("folder", ["absent", "empty", "file"])
def test_nothing_to_segment_is_one_clear_line(tiny_model, tmp_path, folder, monkeypatch, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    line = said_by_the_program(
        tmp_path / folder, tmp_path / "output", tiny_model, monkeypatch, capsys
    )
    assert folder in line
    assert not (tmp_path / "output").exists()


def test_an_output_that_cannot_be_made_is_one_clear_line(source, tiny_model, monkeypatch, capsys):
    output = source / "notes.txt" / "output"
    line = said_by_the_program(source, output, tiny_model, monkeypatch, capsys)
    assert "cannot be made" in line


def test_a_read_only_output_is_one_clear_line(source, output, tiny_model, monkeypatch, capsys):
    output.mkdir()

    def refuse(path):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(writing, "flush_to_disk", refuse)
    line = said_by_the_program(source, output, tiny_model, monkeypatch, capsys)
    assert "read-only" in line
    assert not visible(output)


def said_by_the_program(source, output, model, monkeypatch, capsys):
    arguments = ["batch", str(source), "--output", str(output), "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", ["napari-npa", *arguments, "--model", str(model)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1
    return said


def test_a_disk_that_fills_makes_failed_rows_and_a_run_that_goes_on(
    batch, source, output, monkeypatch
):
    flush = writing.flush_to_disk

    def full(path):
        if path.suffix == ".png":
            raise OSError(28, "No space left on device")
        flush(path)

    monkeypatch.setattr(writing, "flush_to_disk", full)
    assert batch(source, output, "--recursive").exit_code == 1
    assert set(statuses(output).values()) == {"failed"}
    assert all("disk full" in row["message"] for row in table(output))
    monkeypatch.undo()
    assert batch(source, output, "--recursive").exit_code == 0
    assert set(statuses(output).values()) == {"ok"}


def test_a_table_that_cannot_be_written_at_the_end_is_one_clear_line(
    source, output, tiny_model, monkeypatch, capsys
):
    """The disk fills after the first image; the others are failed rows, and the table is told."""
    flush = writing.flush_to_disk
    full = []

    def fill(path):
        if full:
            raise OSError(28, "No space left on device")
        if path.suffix == ".png":
            full.append(path)
        flush(path)

    monkeypatch.setattr(writing, "flush_to_disk", fill)
    write_eye(source / "c.tif", 9)
    arguments = ["batch", str(source), "--output", str(output), "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", ["napari-npa", *arguments, "--model", str(tiny_model)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    said = capsys.readouterr().err
    assert stop.value.code == 1
    assert "Traceback" not in said
    assert "ischemia.csv" in said.splitlines()[-1]
    assert "disk full" in said.splitlines()[-1]


def test_a_table_open_in_another_program_does_not_end_the_run(
    tiny_model, source, output, monkeypatch
):
    """As Excel on Windows: the table cannot be written for a while."""
    monkeypatch.setattr("napari_npa.batch.growing_table.LEAST_SECONDS_BETWEEN_TABLES", 0)
    monkeypatch.setattr("napari_npa.batch.growing_table.TABLE_SHARE", 1e9)
    refused, done = [], []
    write = LocalStorage.write

    def refuse(self, name, content):
        if name == TABLE and 0 < len(done) < 3:
            refused.append(name)
            raise writing.SaveError(name, "could not be written: no permission", "Close it.")
        write(self, name, content)

    monkeypatch.setattr(LocalStorage, "write", refuse)
    options = BatchOptions(model=str(tiny_model))
    report = run_batch(
        source, output, options, device="cpu", recursive=True, on_finished=done.append
    )
    assert refused
    assert len(report.rows) == len(table(output)) == 3
