"""What a user does with a folder at a time, with the mouse, in a napari on screen."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QPoint, Qt, QThreadPool
from qtpy.QtWidgets import QFileDialog, QMessageBox, QToolTip

from drawing import draw_round_angiogram
from gestures import click, close_dock, notifications, open_tab
from napari_npa.io.names import MANIFEST, TABLE
from napari_npa.plugin.batch.histogram import IsiHistogram
from napari_npa.plugin.batch.table import (
    COLUMNS,
    KEYS,
    ROW,
    STATE,
    BatchTable,
    ShownRows,
    TableView,
)
from napari_npa.plugin.batch.thumbnails import KEPT, Thumbnails
from napari_npa.plugin.dock.workspace import workspace_of
from napari_npa.plugin.layers.result_layers import results_of
from napari_npa.results.colours import NPA_COLOUR
from napari_npa.results.table import Row, read_table, update_table, write_table

BATCH = "Batch"
ISI = KEYS.index("isi")
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def folder(tmp_path):
    """Three small angiograms, one of them in a subfolder, and a file that is none."""
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    for seed, name in enumerate(("a", "b", "sub/c")):
        tifffile.imwrite(folder / f"{name}.tif", draw_round_angiogram(160, seed))
    (folder / "broken.tif").write_bytes(b"II*\0 and then nothing")
    return folder


@pytest.fixture
def batch(shown, viewer, qtbot, tiny_model, runs):
    """The panel, docked in a napari on screen, with the tiny model."""
    batch = open_tab(viewer, BATCH)
    qtbot.waitUntil(lambda: not batch.jobs, timeout=30_000)
    batch.models.choose_file(tiny_model)
    yield batch
    runs.go.set()
    settle(qtbot, batch)


@pytest.fixture
def done(batch, folder, output, qtbot):
    """The panel after a run over the folder and its subfolder."""
    batch.choose_folders(folder, output)
    settle(qtbot, batch)
    click(qtbot, batch.recursive)
    run(qtbot, batch)
    return batch


def add_twelve(folder):
    """More angiograms than are in hand at a time."""
    for seed in range(12):
        tifffile.imwrite(folder / f"more_{seed:02}.tif", draw_round_angiogram(160, seed + 5))


def settle(qtbot, batch):
    """Wait until nothing runs any more."""
    running = (batch.jobs, batch.on_disk.jobs, batch.results.thumbnails.jobs)
    qtbot.waitUntil(lambda: not any(map(len, running)) and not batch.opener.is_busy, timeout=60_000)


def run(qtbot, batch):
    click(qtbot, batch.run)
    assert batch.run_job is not None
    qtbot.waitUntil(lambda: batch.run_job is None, timeout=60_000)
    settle(qtbot, batch)


def cells(batch, column=0) -> list[str]:
    rows = batch.results.shown_rows
    return [rows.index(at, column).data() for at in range(rows.rowCount())]


def states(batch) -> list[str]:
    rows = batch.results.shown_rows
    return [rows.index(at, 0).data(STATE) for at in range(rows.rowCount())]


def place(view, at, column=0) -> QPoint:
    return view.visualRect(view.model().index(at, column)).center()


def choose(qtbot, batch, image):
    """Click an image in the table."""
    view = batch.results.view
    at = cells(batch).index(image)
    qtbot.mouseClick(view.viewport(), LEFT, pos=place(view, at))
    settle(qtbot, batch)


def click_header(qtbot, batch, column):
    header = batch.results.view.horizontalHeader()
    at = QPoint(header.sectionViewportPosition(column) + 10, header.height() // 2)
    qtbot.mouseClick(header.viewport(), LEFT, pos=at)


def status(output) -> str:
    """Of the run, as run.json tells it."""
    return json.loads((output / MANIFEST).read_text())["status"]


def layers(viewer) -> list[str]:
    return [layer.name for layer in viewer.layers]


def paint(viewer, row=80, column=80):
    """Change a patch of the non-perfusion mask."""
    npa = viewer.layers["NPA"]
    rows, columns = (part.ravel() for part in np.mgrid[row : row + 9, column : column + 9])
    npa.data_setitem((rows, columns), 1 - int(npa.data[row, column]))


def test_a_folder_chosen_and_run_with_the_mouse_fills_the_table(
    batch, folder, output, qtbot, monkeypatch
):
    assert not batch.run.isEnabled()
    answers = iter([str(folder), str(output)])
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: next(answers))
    click(qtbot, batch.choose_images)
    assert batch.output == folder / "npa_results"
    click(qtbot, batch.choose_output)
    settle(qtbot, batch)
    assert batch.run.isEnabled()
    click(qtbot, batch.recursive)
    click(qtbot, batch.run)
    assert not batch.run.isEnabled()
    assert not batch.recursive.isEnabled()
    assert batch.cancel.isEnabled()
    qtbot.waitUntil(lambda: batch.run_job is None, timeout=60_000)
    settle(qtbot, batch)
    assert sorted(cells(batch)) == ["a.tif", "b.tif", "broken.tif", "sub/c.tif"]
    assert sorted(batch.results.table.rows, key=repr) == sorted(read_table(output), key=repr)
    assert (output / "sub" / "c_npa.tif").exists()
    assert sorted(states(batch)) == ["failed", "ok", "ok", "ok"]
    assert batch.results.histogram.counts.sum() == 3
    assert batch.run.isEnabled()
    assert notifications() == []


def test_rows_come_while_the_run_goes_on(batch, folder, output, qtbot, runs):
    for seed in range(12):
        tifffile.imwrite(folder / f"more_{seed}.tif", draw_round_angiogram(160, seed + 5))
    batch.choose_folders(folder, output)
    click(qtbot, batch.run)
    qtbot.waitUntil(lambda: runs.count > 3, timeout=60_000)
    runs.go.clear()
    qtbot.waitUntil(lambda: 0 < batch.results.table.rowCount() < 14, timeout=60_000)
    assert batch.progress.maximum() == 15
    assert batch.progress.value() == batch.results.table.rowCount()
    runs.go.set()
    qtbot.waitUntil(lambda: batch.run_job is None, timeout=60_000)
    assert batch.results.table.rowCount() == 15


def test_a_click_on_a_header_sorts_by_number(done, qtbot):
    click_header(qtbot, done, ISI)
    values = [float(text) for text in cells(done, ISI) if text != "–"]
    assert values == sorted(values)
    assert cells(done)[-1] == "broken.tif"  # which has none
    click_header(qtbot, done, ISI)
    assert [float(text) for text in cells(done, ISI) if text != "–"] == values[::-1]
    assert cells(done)[-1] == "broken.tif"


def test_the_reason_of_a_failure_is_shown(done, qtbot):
    choose(qtbot, done, "broken.tif")
    assert "'broken.tif' " in done.results.details.text()
    assert done.results.preview.pixmap().isNull()
    click(qtbot, done.results.failures_only)
    assert cells(done) == ["broken.tif"]
    assert states(done) == ["failed"]
    click(qtbot, done.results.failures_only)
    assert len(cells(done)) == 4


def test_image_files_that_were_left_out_are_named(batch, folder, output, qtbot):
    tifffile.imwrite(folder / "a_npa.tif", np.eye(160, dtype=np.uint8))
    (folder / "a.bmp").touch()
    batch.choose_folders(folder, output)
    settle(qtbot, batch)
    run(qtbot, batch)
    assert sorted(cells(batch)) == ["a.tif", "b.tif", "broken.tif"]
    assert "2 left out" in batch.status.text()
    assert "'a.bmp' is BMP, which is not read" in batch.status.text()
    assert "'a_npa.tif' is a mask, not an angiogram" in batch.status.text()


def test_cancel_stops_after_the_images_in_hand_and_run_goes_on(batch, folder, output, qtbot, runs):
    add_twelve(folder)
    batch.choose_folders(folder, output)
    settle(qtbot, batch)
    runs.go.clear()
    click(qtbot, batch.run)
    qtbot.waitUntil(runs.waiting.is_set, timeout=60_000)
    click(qtbot, batch.cancel)
    assert batch.run_job.is_cancelled
    assert not batch.cancel.isEnabled()
    runs.go.set()
    qtbot.waitUntil(lambda: batch.run_job is None, timeout=60_000)
    settle(qtbot, batch)
    assert status(output) == "stopped"
    reached = batch.results.table.rowCount()
    assert 0 < reached < 15
    written = {mask: mask.stat().st_mtime_ns for mask in output.glob("*_npa.tif")}
    run(qtbot, batch)
    assert batch.results.table.rowCount() == 15
    assert states(batch).count("ok") == 14
    assert 0 < len(written) < 14
    assert {mask: mask.stat().st_mtime_ns for mask in written} == written


def test_a_double_click_opens_the_image_with_its_saved_masks(done, viewer, output, qtbot):
    view = done.results.view
    choose(qtbot, done, "sub/c.tif")
    at = place(view, cells(done).index("sub/c.tif"))
    qtbot.mouseDClick(view.viewport(), LEFT, pos=at)
    settle(qtbot, done)
    assert layers(viewer) == ["c", "Retina", "NPA"]
    saved = tifffile.imread(output / "sub" / "c_npa.tif") != 0
    np.testing.assert_array_equal(viewer.layers["NPA"].data != 0, saved)
    assert done.opener.shown.is_on_disk
    assert results_of(viewer).of(viewer.layers["c"], viewer) is not None
    choose(qtbot, done, "a.tif")
    qtbot.keyClick(view, Qt.Key.Key_Return)
    settle(qtbot, done)
    assert layers(viewer) == ["a", "Retina", "NPA"]


def test_an_image_with_corrections_stays_when_another_is_opened(done, viewer, qtbot):
    choose(qtbot, done, "a.tif")
    click(qtbot, done.open)
    settle(qtbot, done)
    paint(viewer)
    choose(qtbot, done, "b.tif")
    click(qtbot, done.open)
    settle(qtbot, done)
    assert layers(viewer)[:4] == ["a", "Retina [a]", "NPA [a]", "b"]


def test_a_file_that_cannot_be_opened_gives_one_line(done, viewer, qtbot):
    choose(qtbot, done, "broken.tif")
    click(qtbot, done.open)
    settle(qtbot, done)
    assert done.opening.text().startswith("'broken.tif' ")
    assert notifications() == [done.opening.text()]
    assert layers(viewer) == []


def test_overlays_are_read_when_they_are_looked_at(done, qtbot):
    thumbnails = done.results.thumbnails
    assert len(thumbnails) == 0
    done.results.tabs.setCurrentWidget(done.results.overlays)
    qtbot.waitUntil(lambda: len(thumbnails) > 0, timeout=20_000)
    settle(qtbot, done)
    rows = [done.results.shown_rows.index(at, 0).data(ROW) for at in range(4)]
    at, first = next((at, row) for at, row in enumerate(rows) if row.result)  # one has failed
    qtbot.waitUntil(lambda: done.results.picture_of(first) is not None, timeout=20_000)
    assert done.results.picture_of(first).width() == 160
    view = done.results.overlays
    qtbot.mouseClick(view.viewport(), LEFT, pos=place(view, at))
    assert done.results.chosen == first
    assert done.results.preview.pixmap().width() > 100


def test_no_more_pictures_are_kept_than_fit(shown, qtbot, done, output):
    (row, *_) = [row for row in done.results.table.rows if row.result]
    overlay = output / f"{row.result}_overlay.png"
    thumbnails = Thumbnails(done)
    paths = [output / f"copy_{number}.png" for number in range(KEPT + 30)]
    for start in range(0, len(paths), 30):
        for path in paths[start : start + 30]:
            path.hardlink_to(overlay)
            assert thumbnails.get(path) is None
        qtbot.waitUntil(lambda: not thumbnails.jobs, timeout=20_000)
    assert len(thumbnails) == KEPT
    assert thumbnails.get(paths[-1]) is not None
    thumbnails.forget([paths[-1]])
    assert thumbnails.get(paths[-1]) is None
    qtbot.waitUntil(lambda: not thumbnails.jobs, timeout=20_000)


def test_the_histogram_counts_images_by_index(shown, qtbot):
    histogram = IsiHistogram()
    qtbot.addWidget(histogram)
    histogram.resize(300, 90)
    histogram.show_indices([0.0, 0.04, 0.07, 0.5, 1.0])
    assert histogram.counts[[0, 1, 10, 19]].tolist() == [2, 1, 1, 1]
    assert histogram.median == 0.07
    histogram.mark(0.5)
    histogram.show()
    qtbot.wait(50)
    picture = histogram.grab().toImage()
    colours = [picture.pixelColor(x, 60).getRgb()[:3] for x in range(300)]
    # A screen of 16 bits a pixel, as a virtual one may have, shows 32 levels of each.
    assert any(np.allclose(colour, NPA_COLOUR, atol=8) for colour in colours)
    assert "2" in histogram.words_at(QPoint(20, 50))
    assert histogram.words_at(QPoint(2, 50)) == ""
    QToolTip.hideText()


def test_the_run_goes_on_while_another_image_is_segmented(
    batch, panel, viewer, folder, output, qtbot, round_angiogram, runs
):
    for seed in range(8):
        tifffile.imwrite(folder / f"more_{seed:02}.tif", draw_round_angiogram(160, seed + 5))
    batch.choose_folders(folder, output)
    settle(qtbot, batch)
    click(qtbot, batch.run)
    qtbot.waitUntil(runs.waiting.is_set, timeout=60_000)
    viewer.add_image(round_angiogram, name="eye")
    click(qtbot, panel.run)
    qtbot.waitUntil(lambda: panel.run_job is None, timeout=60_000)
    assert panel.result is not None
    assert layers(viewer) == ["eye", "Retina", "NPA"]
    qtbot.waitUntil(lambda: batch.run_job is None, timeout=60_000)
    settle(qtbot, batch)
    assert batch.results.table.rowCount() == 11
    pool = QThreadPool.globalInstance()
    qtbot.waitUntil(lambda: pool.activeThreadCount() == 0, timeout=20_000)


def test_a_finished_run_is_shown_again(done, viewer, folder, output, qtbot, monkeypatch):
    rows = done.results.table.rows
    done.choose_folders(None, output.parent / "elsewhere")
    settle(qtbot, done)
    assert cells(done) == []
    assert not done.run.isEnabled()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(output))
    click(qtbot, done.choose_output)
    settle(qtbot, done)
    assert sorted(done.results.table.rows, key=repr) == sorted(rows, key=repr)
    assert done.images == folder  # as run.json says
    assert done.run.isEnabled()


def test_a_folder_that_cannot_be_segmented_gives_one_line(batch, output, qtbot, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    batch.choose_folders(empty, output)
    settle(qtbot, batch)
    run(qtbot, batch)
    assert batch.status.text().startswith("'empty' ")
    assert notifications() == [batch.status.text()]
    assert batch.run.isEnabled()


def test_review_corrects_and_the_row_follows(done, viewer, output, qtbot, tiny_model):
    choose(qtbot, done, "sub/c.tif")
    (before,) = [row for row in done.results.table.rows if row.image == "sub/c.tif"]
    click(qtbot, done.review)
    settle(qtbot, done)
    review = workspace_of(viewer).current
    assert review is workspace_of(viewer).panels["review"]
    qtbot.waitUntil(lambda: not review.jobs and not review.preparer.jobs, timeout=60_000)
    assert layers(viewer) == ["c", "Retina", "NPA"]
    assert str(review.model) == str(tiny_model)
    paint(viewer)
    click(qtbot, review.approve_button)

    def corrected():
        return done.results.chosen.edited and done.results.chosen.isi != before.isi

    qtbot.waitUntil(corrected, timeout=20_000)
    settle(qtbot, done)
    assert "corrected" in states(done)
    assert [row.image for row in read_table(output) if row.edited] == ["sub/c.tif"]
    assert done.results.chosen.image == "sub/c.tif"
    qtbot.waitUntil(lambda: not review.jobs and not review.preparer.jobs, timeout=60_000)


def test_review_begins_at_the_chosen_image(done, viewer, qtbot):
    choose(qtbot, done, "b.tif")
    click(qtbot, done.review)
    settle(qtbot, done)
    review = open_tab(viewer, "Review queue")
    qtbot.waitUntil(lambda: not review.jobs and not review.preparer.jobs, timeout=60_000)
    assert layers(viewer) == ["b", "Retina", "NPA"]
    assert review.queue.output == done.output


def test_review_goes_through_the_subfolders_that_were_run_too(
    done, viewer, folder, output, qtbot, monkeypatch
):
    yes = QMessageBox.StandardButton.Yes
    monkeypatch.setattr(QMessageBox, "question", lambda *_: yes)  # masks may be lost
    choose(qtbot, done, "sub/c.tif")
    click(qtbot, done.review)
    review = open_tab(viewer, "Review queue")

    def wait():
        qtbot.waitUntil(lambda: not review.jobs and not review.preparer.jobs, timeout=60_000)

    wait()
    assert (review.queue.folder, review.queue.output) == (folder, output)
    assert review.queue.names == ("a.tif", "b.tif", "broken.tif", "sub/c.tif")
    assert (review.queue.position, review.queue.approved) == (3, 0)
    assert review.recursive.isChecked()
    click(qtbot, review.ungradable_button)
    wait()
    assert layers(viewer) == ["a", "Retina", "NPA"]
    click(qtbot, review.approve_button)
    wait()
    assert {row.image: row.status for row in read_table(output)}["sub/c.tif"] == "ungradable"
    kept = json.loads((output / "review.json").read_text())
    assert kept["approved"].keys() == {"a.tif", "sub/c.tif"}
    settle(qtbot, done)
    choose(qtbot, done, "a.tif")
    click(qtbot, done.review)  # again, at another image
    wait()
    assert (review.queue.position, review.queue.approved) == (0, 2)
    # What was approved stays when all is made again, the masks that nobody changed too.
    before = (output / "a_npa.tif").stat().st_mtime_ns
    click(qtbot, done.overwrite)
    run(qtbot, done)
    assert (output / "a_npa.tif").stat().st_mtime_ns == before
    assert not (output / "sub" / "c_npa.tif").exists()


def test_review_of_a_run_without_subfolders_stays_in_the_folder(
    batch, viewer, folder, output, qtbot
):
    batch.choose_folders(folder, output)
    settle(qtbot, batch)
    run(qtbot, batch)
    click(qtbot, batch.review)
    review = open_tab(viewer, "Review queue")
    qtbot.waitUntil(lambda: not review.jobs and not review.preparer.jobs, timeout=60_000)
    assert review.queue.names == ("a.tif", "b.tif", "broken.tif")
    assert not review.recursive.isChecked()


def test_a_run_over_corrected_masks_keeps_them(done, output, qtbot):
    (row,) = [row for row in done.results.table.rows if row.image == "a.tif"]
    record = output / "a_npa.json"
    record.write_text(record.read_text().replace('"edited": false', '"edited": true'))
    before = (output / "a_npa.tif").read_bytes()
    click(qtbot, done.overwrite)
    run(qtbot, done)
    assert (output / "a_npa.tif").read_bytes() == before
    (after,) = [row for row in done.results.table.rows if row.image == "a.tif"]
    assert after.edited
    assert after.isi == row.isi


def test_closing_the_panel_stops_the_run(batch, viewer, folder, output, qtbot, runs):
    batch.choose_folders(folder, output)
    settle(qtbot, batch)
    runs.go.clear()
    click(qtbot, batch.run)
    qtbot.waitUntil(runs.waiting.is_set, timeout=60_000)
    job = batch.run_job
    close_dock(qtbot, viewer)
    assert job.is_cancelled
    runs.go.set()
    qtbot.waitUntil(lambda: job.is_done, timeout=60_000)
    assert status(output) != "running"
    assert notifications() == []


def test_closing_napari_stops_the_run(batch, viewer, folder, output, qtbot, runs):
    add_twelve(folder)
    batch.choose_folders(folder, output)
    settle(qtbot, batch)
    runs.go.clear()
    click(qtbot, batch.run)
    qtbot.waitUntil(runs.waiting.is_set, timeout=60_000)
    viewer.close()
    qtbot.wait(50)
    runs.go.set()
    qtbot.waitUntil(lambda: status(output) != "running", timeout=60_000)
    assert status(output) == "stopped"
    assert 0 < len(read_table(output)) < 15
    assert notifications() == []


def test_a_correction_during_the_run_is_shown_and_stays(batch, folder, output, qtbot, runs):
    add_twelve(folder)
    batch.choose_folders(folder, output)
    settle(qtbot, batch)
    click(qtbot, batch.run)
    qtbot.waitUntil(lambda: "a.tif" in cells(batch), timeout=60_000)
    runs.go.clear()
    (automatic,) = [row for row in batch.results.table.rows if row.image == "a.tif"]
    update_table(output, replace(automatic, isi=0.5, edited=True))

    def corrected():
        return [row.image for row in batch.results.table.rows if row.edited]

    qtbot.waitUntil(lambda: corrected() == ["a.tif"], timeout=20_000)
    assert batch.run_job is not None
    runs.go.set()
    qtbot.waitUntil(lambda: batch.run_job is None, timeout=60_000)
    settle(qtbot, batch)
    assert corrected() == ["a.tif"]


def test_every_control_says_what_it_does(batch):
    controls = (*batch.options(), batch.devices, batch.run, batch.cancel, batch.progress)
    results = batch.results
    shows = (results.counts, results.histogram, results.view, results.overlays, results.preview)
    for control in (*controls, *shows, batch.open, batch.review, results.failures_only):
        assert control.toolTip(), control
    for at, column in enumerate(COLUMNS):
        tip = results.table.headerData(at, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole)
        assert tip.startswith(column.tooltip)
    for control in (batch.run, batch.cancel, batch.open, batch.review, results.failures_only):
        assert not control.isEnabled()
    for method in (batch.start_run, batch.cancel_run, batch.open_chosen, batch.review_these):
        method()  # a key pressed too early


def test_how_it_went_and_why_is_in_view_without_scrolling(shown, done, qtbot):
    view = done.results.view
    done.window().resize(1366, 768)
    qtbot.wait(50)
    ends = {column.key: view.columnViewportPosition(at) for at, column in enumerate(COLUMNS)}
    assert 0 < ends["status"] < ends["isi"] < ends["message"] < view.viewport().width() - 40


def test_a_failed_row_has_a_dash_for_each_value_that_it_lacks(done):
    failed = states(done).index("failed")
    texts = {column.key: cells(done, at)[failed] for at, column in enumerate(COLUMNS)}
    assert texts["status"] == "failed"
    assert texts["message"].startswith("'broken.tif' ")
    assert {texts[key] for key in ("isi", "npa_pixels", "retina_pixels", "seconds")} == {"–"}


def many(count, seed=0) -> list[Row]:
    rng = np.random.default_rng(seed)
    return [
        Row(
            image=f"eye_{at:05}.tif",
            isi=round(float(rng.random()), 6) if at % 50 else None,
            npa_pixels=int(rng.integers(10**7)),
            retina_pixels=10**7,
            status="ok" if at % 50 else "failed",
            message="" if at % 50 else f"'eye_{at:05}.tif' is broken.",
            result=f"eye_{at:05}" if at % 50 else "",
        )
        for at in range(count)
    ]


def test_ten_thousand_rows_come_in_one_step_each(qtbot):
    table = BatchTable()
    rows = many(10_000)
    steps = []
    table.rowsInserted.connect(lambda _, first, last: steps.append(("new", first, last)))
    table.dataChanged.connect(lambda first, last: steps.append(("changed", first.row())))
    table.modelReset.connect(lambda: steps.append(("reset",)))
    table.show(rows[:4000])
    table.show(rows)
    assert steps == [("new", 0, 3999), ("new", 4000, 9999)]
    steps.clear()
    table.show(rows)
    assert steps == []
    corrected = Row(image=rows[7].image, isi=0.5, edited=True, result=rows[7].result)
    table.show([*rows[:7], corrected, *rows[8:]])
    assert steps == [("changed", 7)]
    table.show(rows[:10])
    assert steps[1:] == [("reset",)]
    assert table.rowCount() == 10


def test_the_choice_stays_with_its_row_when_ten_thousand_are_sorted_and_filtered(shown, qtbot):
    table = BatchTable()
    shown_rows = ShownRows(table)
    view = TableView(shown_rows)
    qtbot.addWidget(view)
    view.show()
    rows = many(10_000)
    table.show(rows[:9000])
    view.selectRow(100)
    chosen = view.selectionModel().selectedRows()[0].data(ROW)
    assert chosen == rows[100]
    view.sortByColumn(ISI, Qt.SortOrder.DescendingOrder)
    table.show(rows)  # sorted in as they come
    assert view.selectionModel().selectedRows()[0].data(ROW) == chosen
    indices = [shown_rows.index(at, 0).data(ROW).isi for at in range(10_000)]
    filled = [isi for isi in indices if isi is not None]
    assert filled == sorted(filled, reverse=True)
    assert indices[len(filled) :] == [None] * 200
    shown_rows.show_failures_only(True)
    assert shown_rows.rowCount() == 200
    shown_rows.show_failures_only(False)
    assert shown_rows.rowCount() == 10_000


def test_two_results_of_one_image_are_two_rows(qtbot):
    table = BatchTable()
    table.show([Row(image="a.tif", isi=0.1, result="a"), Row(image="a.tif", isi=0.2, result="a_1")])
    assert [table.index(at, ISI).data() for at in (0, 1)] == ["10.0", "20.0"]


def test_a_table_of_ten_thousand_rows_is_read_in_a_worker(batch, output, qtbot):
    output.mkdir()
    write_table(output, many(10_000))
    batch.choose_folders(None, output)
    assert batch.results.table.rowCount() == 0
    settle(qtbot, batch)
    assert batch.results.table.rowCount() == 10_000
    assert Counter(states(batch)) == {"ok": 9800, "failed": 200}
    (output / TABLE).unlink()
    settle(qtbot, batch)


def test_review_does_not_open_the_image_of_the_batch_a_second_time(done, viewer, qtbot):
    choose(qtbot, done, "a.tif")
    click(qtbot, done.open)
    settle(qtbot, done)
    assert layers(viewer) == ["a", "Retina", "NPA"]
    click(qtbot, done.review)
    review = workspace_of(viewer).current
    qtbot.waitUntil(lambda: not review.jobs and not review.preparer.jobs, timeout=60_000)
    assert layers(viewer) == ["a", "Retina", "NPA"]
