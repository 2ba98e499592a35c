"""The table: what it tells, and that nobody's rows are lost from it."""

import csv
import threading
import time
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_folders import statuses, table, write_eye
from napari_npa.batch import BatchOptions, growing_table, run_batch
from napari_npa.batch.growing_table import GrowingTable
from napari_npa.errors import SaveError
from napari_npa.io.names import TABLE, stays_inside
from napari_npa.io.storage import LocalStorage
from napari_npa.io.texts.tables import plain
from napari_npa.results.table import (
    MOST_BYTES,
    Row,
    merged,
    read_table,
    rows_of,
    table_text,
    update_table,
)
from napari_npa.segmentation.segmenter import Segmenter
from saving import save_corrected

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
tricky = st.one_of(texts, texts.map("=".__add__), texts.map("'".__add__), texts.map("'-".__add__))
numbers = st.none() | st.integers(0, 2**53)
shares = st.none() | st.floats(0, 1)
rows = st.builds(
    Row,
    image=tricky.filter(bool),
    isi=shares,
    npa_pixels=numbers,
    retina_pixels=numbers,
    model=tricky,
    seconds=st.none() | st.floats(0, 1e6),
    status=st.sampled_from(["ok", "failed", "ungradable"]),
    message=tricky,
    threshold=shares,
    edited=st.none() | st.booleans(),
    sha256=texts,
    result=tricky.filter(lambda name: not name or stays_inside(name)),
    others=st.just(()) | st.tuples(st.tuples(st.just("remark"), tricky.filter(bool))),
)


@given(st.lists(rows))
@settings(deadline=None)
def test_what_is_written_is_read_back(written):
    assert rows_of(table_text(written).encode()) == written


@given(st.lists(rows, min_size=1))
@settings(deadline=None)
def test_any_csv_reader_sees_the_same_and_no_spreadsheet_a_formula(written):
    told = list(csv.DictReader(StringIO(table_text(written), newline="")))
    assert [plain(row["image"]) for row in told] == [row.image for row in written]
    assert [plain(row["message"]) for row in told] == [row.message for row in written]
    for row in told:
        assert not any(
            (cell or "").startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values()
        )


def test_the_table_survives_the_file(tmp_path):
    names = ["a,b.tif", 'a"b".tif', "a\nb.tif", "a\r\nb.tif", "=1+1.tif", "-1.tif", "眼.tif"]
    written = [Row(image=name, message="'a' is empty. Export it again.") for name in names]
    LocalStorage(tmp_path).write(TABLE, table_text(written).encode())
    assert read_table(tmp_path) == written
    assert rows_of(LocalStorage(tmp_path).read(TABLE, MOST_BYTES)) == written
    assert "\n'-1.tif,,,,,,ok,'a' is empty" in (tmp_path / TABLE).read_text("utf-8")


def test_tables_of_older_versions_and_of_excel_are_read(tmp_path):
    header = "image,isi,npa_pixels,retina_pixels,model,seconds,status,message"
    old = f"{header}\na.tif,0.5,1,2,m,3,ok,\n"
    row = Row("a.tif", 0.5, 1, 2, "m", 3.0)
    assert rows_of(old.encode()) == [row]
    assert rows_of(f"{old},,,,\n".encode()) == [row]
    excel = f"{header},threshold,edited\na.tif,0.5,1,2,m,3,ok,,0.5,TRUE\n"
    edited = replace(row, threshold=0.5, edited=True)
    assert rows_of(excel.encode()) == [edited]
    assert rows_of(excel.replace(",", ";").replace("0.5", "0,5").encode()) == [edited]
    (tmp_path / TABLE).write_text(f"\ufeff{old}", "utf-8")
    assert read_table(tmp_path) == rows_of(LocalStorage(tmp_path).read(TABLE, MOST_BYTES)) == [row]


@pytest.mark.parametrize("text", ["patient;eye\n1;OD\n", 'image\n"' + "x" * 200_000])
def test_another_table_is_not_written_over(batch, source, output, text):
    output.mkdir()
    (output / TABLE).write_text(text)
    result = batch(source, output)
    assert isinstance(result.exception, SaveError)
    assert (output / TABLE).read_text() == text


def test_no_row_is_dropped_because_somebody_changed_another(tmp_path):
    text = table_text([Row("a.tif", result="a"), Row("b.tif", isi=0.5, result="b")])
    damaged = text.replace("0.5", "half")
    (tmp_path / TABLE).write_text(damaged)
    with pytest.raises(SaveError, match="line 3"):
        update_table(tmp_path, Row("a.tif", isi=0.25, result="a"))
    assert (tmp_path / TABLE).read_text() == damaged


def test_new_rows_come_first_and_replace_their_result_and_their_failures():
    ok = Row("a.tif", result="a", sha256="1")
    other = Row("a.tif", result="a_2", sha256="2")
    failed, elsewhere = Row("a.tif", status="failed"), Row("b.tif", status="failed")
    old = [elsewhere, failed, other, replace(ok, isi=0.5)]
    assert merged([ok], old) == [ok, elsewhere, other]


def correct(source, output, model, name):
    """Have a person draw over the masks, as the panel saves them, and tell the table."""
    segmentation = Segmenter("cpu", model).segment(source / f"{name}.tif")
    npa = np.zeros_like(segmentation.retina)
    npa[60:90, 60:90] = True
    return save_corrected(output, name, segmentation, npa).row


def test_a_correction_saved_during_the_run_stays_in_the_table(
    tiny_model, source, output, monkeypatch
):
    monkeypatch.setattr(growing_table, "LEAST_SECONDS_BETWEEN_TABLES", 0)
    monkeypatch.setattr(growing_table, "TABLE_SHARE", 1e9)
    for seed, name in enumerate("bcd"):
        write_eye(source / f"{name}.tif", 30 + seed)
    options = BatchOptions(model=str(tiny_model))
    corrected = []

    def person(finished):
        if finished.done == 1:  # its row was written
            corrected.append(correct(source, output, tiny_model, "a"))
        if finished.done == 3:  # corrected again, and told more than before
            again = replace(corrected[0], message="seen twice")
            update_table(output, again)
            corrected.append(again)

    for resume in (True, False):
        corrected.clear()
        report = run_batch(
            source, output, options, device="cpu", workers=1, resume=resume, on_finished=person
        )
        assert [row.image for row in report.rows] == ["a.tif", "b.tif", "c.tif", "d.tif"]
        assert read_table(output)[0] == corrected[1]
        assert len(read_table(output)) == 4


def test_corrections_and_the_batch_never_lose_a_row_to_each_other(tmp_path, monkeypatch):
    """A thread corrects each image as soon as the batch has written it."""
    monkeypatch.setattr(growing_table, "LEAST_SECONDS_BETWEEN_TABLES", 0)
    monkeypatch.setattr(growing_table, "TABLE_SHARE", 1e9)
    images = [f"{at:03}.tif" for at in range(150)]
    growing = GrowingTable(LocalStorage(tmp_path), images)
    growing.write()
    written: list[Row] = []
    done = threading.Event()

    def person():
        at = 0
        while at < len(images):
            if at < len(written):
                update_table(tmp_path, replace(written[at], edited=True))
                at += 1
            time.sleep(0)
        done.set()

    thread = threading.Thread(target=person)
    thread.start()
    for image in images:
        row = Row(image, isi=0.5, edited=False, sha256=image, result=image)
        growing.add(row)
        written.append(row)
    while not done.is_set():
        growing.write()
    thread.join()
    growing.write()
    assert [row.image for row in read_table(tmp_path)] == images
    assert all(row.edited for row in read_table(tmp_path))


def test_the_table_grows_in_order_while_the_batch_runs(tiny_model, source, output, monkeypatch):
    monkeypatch.setattr(growing_table, "LEAST_SECONDS_BETWEEN_TABLES", 0)
    monkeypatch.setattr(growing_table, "TABLE_SHARE", 1e9)
    seen = []
    run_batch(
        source,
        output,
        BatchOptions(model=str(tiny_model)),
        device="cpu",
        recursive=True,
        on_finished=lambda finished: seen.append(list(statuses(output))),
    )
    assert [len(images) for images in seen] == [1, 2, 3]
    assert all(images == sorted(images) for images in seen)


def test_the_table_is_written_once_a_second_at_most(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(growing_table.time, "monotonic", lambda: now[0])
    images = [f"{at}.tif" for at in range(100)]
    growing = GrowingTable(LocalStorage(tmp_path), images)
    growing.write()
    sizes = []
    for image in images:
        now[0] += 0.25
        growing.add(Row(image))
        sizes.append(len(table(tmp_path)))
    assert len(set(sizes)) <= 26


def test_rows_of_other_images_stay(batch, source, output):
    batch(source, output)
    batch(source, output, "--recursive", "--pattern", "b*")
    assert set(statuses(output)) == {"a.tif", "visit 1/b.tif"}


def test_a_correction_keeps_the_name_of_the_image_and_its_place(tmp_path):
    rows = [Row("x/a.tif", result="a"), Row("b.tif", result="b")]
    LocalStorage(tmp_path).write(TABLE, table_text(rows).encode())
    update_table(tmp_path, Row("a.tif", edited=True, result="a"))
    update_table(tmp_path, Row("c.tif", edited=True, result="c"))
    assert [(row.image, row.edited) for row in read_table(tmp_path)] == [
        ("x/a.tif", True), ("b.tif", None), ("c.tif", True)
    ]  # fmt: skip


def test_a_folder_without_a_table_gets_none(tmp_path):
    update_table(tmp_path, Row("a.tif"))
    assert not list(tmp_path.iterdir())
