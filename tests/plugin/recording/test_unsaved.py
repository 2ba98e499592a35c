"""What is not saved is told, and napari does not close over it without a question."""

from time import monotonic

import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QFileDialog, QMessageBox

from gestures import click, notifications

SAVE, DISCARD, CANCEL = (
    QMessageBox.StandardButton.Save,
    QMessageBox.StandardButton.Discard,
    QMessageBox.StandardButton.Cancel,
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "study"))
    return tmp_path / "study"


@pytest.fixture
def segmented(shown, panel, image, qtbot):
    click(qtbot, panel.run)
    qtbot.waitUntil(lambda: panel.run_job is None and not panel.jobs, timeout=20_000)
    return panel


def paint(qtbot, panel, row=80):
    npa = panel.result.npa
    npa.mode = "paint"
    npa.brush_size = 15
    with npa.block_history():
        npa.paint((row, 80), 1 - int(npa.data[row, 80]))
    qtbot.wait(20)


def save(qtbot, bar):
    click(qtbot, bar.save)
    qtbot.waitUntil(lambda: not bar.jobs, timeout=20_000)


@pytest.fixture
def closings(viewer, monkeypatch):
    """Closings that reach napari's window; there they end, or no test could clear up after it."""
    closings = []

    def reached(window, event):
        closings.append(True)
        event.ignore()

    with monkeypatch.context() as patch:
        patch.setattr(type(viewer.window._qt_window), "closeEvent", reached)
        yield closings


def close(viewer, qtbot):
    """Press the × of the window."""
    viewer.window._qt_window.close()
    qtbot.wait(20)


def test_a_change_after_saving_is_told_and_taken_back_with_it(
    segmented, bar, viewer, qtbot, folder
):
    assert bar.save.text() == "Save…"
    paint(qtbot, segmented)
    assert "unsaved" in bar.save.text()
    save(qtbot, bar)
    assert bar.save.text() == "Save…"
    assert bar.status.text().startswith("Saved in")
    paint(qtbot, segmented, 100)
    assert "unsaved" in bar.save.text()
    assert bar.status.text() == f"Changed since it was saved in {folder}."
    segmented.result.npa.undo()
    qtbot.waitUntil(lambda: bar.save.text() == "Save…", timeout=2000)


def test_an_automatic_result_closes_without_a_question(segmented, viewer, qtbot, closings):
    close(viewer, qtbot)
    assert closings


def test_saved_corrections_close_without_a_question(
    segmented, bar, viewer, qtbot, folder, closings
):
    paint(qtbot, segmented)
    save(qtbot, bar)
    close(viewer, qtbot)
    assert closings


def test_cancel_stays(segmented, viewer, qtbot, answers, closings):
    paint(qtbot, segmented)
    for _ in range(2):
        answers.append(CANCEL)
        close(viewer, qtbot)
        assert not closings


def test_without_saving_it_closes_and_keeps_the_corrections(
    segmented, viewer, qtbot, answers, closings
):
    paint(qtbot, segmented)
    annotations = segmented.annotations
    answers.append(DISCARD)
    close(viewer, qtbot)
    assert closings
    ids = [summary.session_id for summary in annotations.store.unsaved()]
    assert annotations.session.id in ids


def test_save_writes_the_corrections_and_then_closes(
    segmented, viewer, qtbot, answers, folder, closings
):
    paint(qtbot, segmented)
    expected = segmented.result.masks()[0]
    answers.append(SAVE)
    close(viewer, qtbot)
    qtbot.waitUntil(lambda: bool(closings), timeout=20_000)
    np.testing.assert_array_equal(tifffile.imread(folder / "eye_npa.tif") != 0, expected)


def test_what_cannot_be_saved_keeps_the_window_open(
    segmented, viewer, qtbot, answers, monkeypatch, closings
):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "/proc/nowhere")
    paint(qtbot, segmented)
    answers.append(SAVE)
    close(viewer, qtbot)
    qtbot.waitUntil(lambda: len(notifications()) == 1, timeout=20_000)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    answers.append(SAVE)
    close(viewer, qtbot)  # no folder is chosen
    assert not closings


def test_several_images_are_saved_each_into_its_file(
    segmented, viewer, qtbot, answers, folder, round_angiogram, image, closings
):
    paint(qtbot, segmented)
    other = np.flipud(round_angiogram).copy()
    viewer.add_image(other, name="other", scale=image.scale, units=image.units)
    click(qtbot, segmented.run)
    qtbot.waitUntil(lambda: segmented.run_job is None and not segmented.jobs, timeout=20_000)
    paint(qtbot, segmented)
    answers.append(SAVE)
    close(viewer, qtbot)
    qtbot.waitUntil(lambda: bool(closings), timeout=20_000)
    assert (folder / "eye_npa.tif").exists()
    assert (folder / "other_npa.tif").exists()


def on_disk(annotations):
    """Number of the last edit of the present session on disk."""
    kept = annotations.store.kept_of(annotations.session.image_sha256)
    return max((k.edits for k in kept if k.session_id == annotations.session.id), default=0)


def strokes(panel, qtbot):
    npa = panel.result.npa
    npa.mode = "paint"
    with npa.block_history():
        npa.paint((80, 80), 1 - int(npa.data[80, 80]))


def undo(panel, qtbot):
    panel.result.npa.undo()


def moves_threshold(panel, qtbot):
    value = panel.threshold.value()
    panel.threshold.setValue(0.42 if value > 0.43 else 0.45)


@pytest.mark.parametrize("act", [strokes, undo, moves_threshold])
def test_what_was_done_is_on_disk_within_the_window_that_is_promised(segmented, qtbot, act):
    paint(qtbot, segmented)
    annotations = segmented.annotations
    seconds = []
    for _ in range(3):  # a busy machine may be late once
        qtbot.waitUntil(lambda: on_disk(annotations) == annotations.session.number, timeout=5000)
        before, started = annotations.session.number, monotonic()
        act(segmented, qtbot)
        qtbot.waitUntil(lambda before=before: on_disk(annotations) > before, timeout=5000)
        seconds.append(monotonic() - started)
        if act is undo:
            paint(qtbot, segmented)
    assert min(seconds) < 0.3
