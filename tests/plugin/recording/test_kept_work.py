"""What was kept after a crash is offered whichever tab is open, and goes only when it was named."""

import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QMessageBox

from drawing import draw_round_angiogram
from gestures import click, open_tab
from napari_npa.annotation.file import Annotation
from napari_npa.annotation.session import Session
from napari_npa.annotation.store import AnnotationStore
from napari_npa.io.angiogram import read_angiogram
from napari_npa.plugin.dock.workspace import workspace_of
from napari_npa.plugin.recording.recovery import LOOK_MS
from napari_npa.segmentation.segmenter import Segmenter

YES, NO = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No

TABS = ["Segment non-perfusion", "Correct non-perfusion", "Review queue", "Batch"]


@pytest.fixture
def store(monkeypatch, tmp_path):
    monkeypatch.setenv("NAPARI_NPA_DATA", str(tmp_path / "data"))
    return AnnotationStore()


@pytest.fixture
def eyes(tmp_path):
    """Two angiograms in files."""
    folder = tmp_path / "eyes"
    folder.mkdir()
    paths = [folder / "left.tif", folder / "right.tif"]
    for seed, path in enumerate(paths):
        tifffile.imwrite(path, draw_round_angiogram(160, seed))
    return paths


@pytest.fixture
def keep(store, tiny_model):
    """Keep a square as the unsaved correction of a file, as a killed program leaves it.

    Gives the session and the mask.
    """

    def kept(path, row, threshold=0.45):
        segmentation = Segmenter("cpu", tiny_model).segment(read_angiogram(path))
        npa, retina = segmentation.npa, segmentation.retina
        session = Session(
            path.name,
            segmentation.angiogram.sha256,
            segmentation.model,
            segmentation.model_sha256,
            npa,
            retina,
        )
        mask = segmentation.at_threshold(threshold).npa
        mask[row : row + 20, 60:80] = True
        session.record("brush", mask, retina, 1.0)
        store.write(Annotation(session, threshold, source=path))
        return session.id, mask

    return kept


@pytest.fixture
def started(viewer, qtbot, tiny_model):
    """The tab that was opened after napari was started again."""

    def opened(name):
        panel = open_tab(viewer, name)
        workspace = workspace_of(viewer)
        at_rest(viewer, qtbot)
        return panel, workspace.recovery

    return opened


def at_rest(viewer, qtbot):
    workspace = workspace_of(viewer)

    def nothing_runs():
        jobs = [workspace.recovery_of.jobs, *(panel.jobs for panel in workspace.panels.values())]
        review = workspace.panels.get("review")
        busy = review is not None and (review.busy or review.preparer.jobs)
        return not any(jobs) and not busy

    for _ in range(3):  # what has ended may have started something else
        qtbot.waitUntil(nothing_runs, timeout=20_000)
        qtbot.wait(2 * LOOK_MS)


def listed(bar):
    return [bar.choice.itemText(at) for at in range(bar.choice.count())]


def choose(bar, session):
    """Choose what was kept of a session."""
    ids = [bar.choice.itemData(at).session_id for at in range(bar.choice.count())]
    bar.choice.setCurrentIndex(ids.index(session))


def segment_with(viewer, tiny_model):
    """Have the tab that segments use the tiny model, wherever it is asked to run."""
    workspace_of(viewer).panel("segment").models.choose_file(tiny_model)


@pytest.mark.parametrize("name", TABS)
def test_every_tab_offers_all_that_was_kept_and_goes_on_with_it(
    shown, viewer, qtbot, eyes, keep, started, tiny_model, name
):
    kept = [keep(eyes[0], 50), keep(eyes[1], 90), keep(eyes[1], 20)]
    _, bar = started(name)
    assert bar.isVisible()
    assert {path.name for path in eyes} == {text.split("'")[1] for text in listed(bar)}
    segment_with(viewer, tiny_model)
    for left, (session, mask) in zip((2, 1), kept[:2], strict=True):
        choose(bar, session)
        click(qtbot, bar.restore)
        at_rest(viewer, qtbot)
        result = workspace_of(viewer).bar.result
        np.testing.assert_array_equal(result.masks()[0], mask)
        assert result.segmentation.threshold == 0.45
        assert len(listed(bar)) == left


def test_run_does_not_hide_the_offer(shown, viewer, qtbot, eyes, keep, started, tiny_model):
    _, mask = keep(eyes[0], 50)
    panel, bar = started(TABS[0])
    segment_with(viewer, tiny_model)
    panel.open_and_run(eyes[0])
    at_rest(viewer, qtbot)
    automatic = panel.result.masks()[0]
    assert (automatic != mask).any()
    assert bar.isVisible()
    click(qtbot, bar.restore)
    at_rest(viewer, qtbot)
    np.testing.assert_array_equal(panel.result.masks()[0], mask)
    assert panel.threshold.value() == pytest.approx(0.45)
    assert not bar.isVisible()
    panel.result.npa.undo()
    np.testing.assert_array_equal(panel.result.masks()[0], automatic)
    assert panel.threshold.value() == pytest.approx(0.5)


def test_discard_asks_and_deletes_only_what_was_named(
    shown, viewer, qtbot, eyes, keep, started, store, answers
):
    ids = [keep(eyes[0], 50)[0], keep(eyes[0], 90)[0], keep(eyes[1], 20)[0]]
    _, bar = started(TABS[1])
    choose(bar, ids[1])
    answers.append(NO)
    click(qtbot, bar.discard)
    at_rest(viewer, qtbot)
    assert len(store.unsaved()) == 3
    answers.append(YES)
    click(qtbot, bar.discard)
    qtbot.waitUntil(lambda: len(listed(bar)) == 2, timeout=5_000)
    assert {summary.session_id for summary in store.unsaved()} == {ids[0], ids[2]}


def test_corrections_of_a_file_that_has_moved_are_listed_and_found_by_its_content(
    shown, viewer, qtbot, eyes, keep, started, tiny_model
):
    _, mask = keep(eyes[0], 50)
    moved = eyes[0].rename(eyes[0].with_name("moved.tif"))
    panel, bar = started(TABS[0])
    click(qtbot, bar.restore)
    assert "Open the image" in workspace_of(viewer).bar.status.text()
    segment_with(viewer, tiny_model)
    panel.open_and_run(moved)
    at_rest(viewer, qtbot)
    assert "moved" in listed(bar)[0]
    click(qtbot, bar.restore)
    at_rest(viewer, qtbot)
    np.testing.assert_array_equal(panel.result.masks()[0], mask)


def test_the_review_offers_them_and_approves_nothing_else_unnoticed(
    shown, viewer, qtbot, eyes, keep, started, tiny_model, answers, tmp_path
):
    session, mask = keep(eyes[1], 50)
    panel, bar = started(TABS[2])
    panel.models.choose_file(tiny_model)
    panel.open_folder(eyes[0].parent, tmp_path / "results")
    at_rest(viewer, qtbot)
    panel.go_next()
    at_rest(viewer, qtbot)
    assert bar.offered.session_id == session
    for button, replies in ((panel.approve_button, [NO]), (panel.ungradable_button, [YES, NO])):
        answers += replies
        click(qtbot, button)
        at_rest(viewer, qtbot)
        assert panel.queue.approved == 0
    panel.go_previous()
    at_rest(viewer, qtbot)
    click(qtbot, bar.restore)  # leads to the image of the queue
    at_rest(viewer, qtbot)
    assert panel.queue.position == 1
    np.testing.assert_array_equal(panel.shown.result.masks()[0], mask)
    click(qtbot, panel.approve_button)
    at_rest(viewer, qtbot)
    assert panel.queue.approved == 1
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "results" / "right_npa.tif") != 0, mask
    )
