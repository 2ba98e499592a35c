"""What was corrected is there again after napari was killed, or the image is opened again."""

import gc
from weakref import ref

import napari
import numpy as np
import pytest
import tifffile
from napari.layers import Layer
from qtpy.QtWidgets import QFileDialog, QMessageBox

from drawing import draw_round_angiogram
from gestures import bar_of, click, close_dock, open_tab
from napari_npa.annotation.store import AnnotationStore
from napari_npa.plugin.dock.workspace import workspace_of
from napari_npa.plugin.layers.open import open_file
from napari_npa.plugin.recording.recorder import UNNAMED
from napari_npa.plugin.recording.recovery import LOOK_MS

YES, NO = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No

PANEL = "Segment non-perfusion"


@pytest.fixture
def store(monkeypatch, tmp_path):
    monkeypatch.setenv("NAPARI_NPA_DATA", str(tmp_path / "data"))
    return AnnotationStore(tmp_path / "data" / "annotations")


@pytest.fixture
def eye(tmp_path, round_angiogram):
    """An angiogram in a file."""
    path = tmp_path / "eye.tif"
    tifffile.imwrite(path, round_angiogram)
    return path


def docked(viewer, qtbot, tiny_model):
    """The panel, ready."""
    panel = open_tab(viewer, PANEL)
    qtbot.waitUntil(lambda: not panel.jobs, timeout=20_000)
    panel.models.choose_file(tiny_model)
    at_rest(viewer, qtbot)
    return panel


def at_rest(viewer, qtbot):
    """Wait until nothing runs, and what is kept is listed."""
    workspace = workspace_of(viewer)
    jobs = [workspace.recovery_of.jobs, *(panel.jobs for panel in workspace.panels.values())]
    for _ in range(3):  # what has ended may have started something else
        qtbot.waitUntil(lambda: not any(jobs), timeout=20_000)
        qtbot.wait(2 * LOOK_MS)


def bar_above(viewer):
    """The bar that offers what was kept."""
    return workspace_of(viewer).recovery


def opened(panel, qtbot, path):
    panel.viewer.add_layer(Layer.create(*open_file(path)))
    at_rest(panel.viewer, qtbot)


def corrected(viewer, panel, qtbot):
    """Segment the image and paint on it; what is then in the layer."""
    panel.start_run()
    qtbot.waitUntil(lambda: panel.run_job is None, timeout=20_000)
    npa = viewer.layers["NPA"]
    npa.mode = "paint"
    npa.brush_size = 21
    with npa.block_history():
        npa.paint((80, 80), 1 - int(npa.data[80, 80]))
    assert panel.annotations.flush(10)
    return npa.data.copy()


def died(qtbot, viewer, panel):
    """What a killed program leaves: files, and nothing else."""
    close_dock(qtbot, viewer)
    viewer.layers.clear()


def test_the_same_image_offers_its_corrections(store, eye, make_napari_viewer, qtbot, tiny_model):
    viewer = make_napari_viewer()
    panel = docked(viewer, qtbot, tiny_model)
    opened(panel, qtbot, eye)
    assert bar_above(viewer).offered is None
    before = corrected(viewer, panel, qtbot)
    assert [edit.tool for edit in panel.annotations.session.edits] == ["brush"]
    died(qtbot, viewer, panel)
    viewer = make_napari_viewer()
    panel = docked(viewer, qtbot, tiny_model)
    opened(panel, qtbot, eye)
    offered = bar_above(viewer).offered
    assert (offered.edits, offered.saved) == (1, False)
    bar_above(viewer).restore.click()
    at_rest(viewer, qtbot)
    npa = viewer.layers["NPA"]
    np.testing.assert_array_equal(npa.data, before)
    assert bar_above(viewer).offered is None
    npa.undo()
    np.testing.assert_array_equal(npa.data != 0, panel.result.segmentation.npa)
    qtbot.waitUntil(lambda: panel.annotations.session.number == 2, timeout=3000)
    assert panel.annotations.session.edits[-1].tool == UNNAMED
    assert panel.annotations.flush(10)


def test_a_start_without_an_image_offers_what_was_not_saved(
    store, eye, make_napari_viewer, qtbot, tiny_model
):
    viewer = make_napari_viewer()
    panel = docked(viewer, qtbot, tiny_model)
    opened(panel, qtbot, eye)
    before = corrected(viewer, panel, qtbot)
    died(qtbot, viewer, panel)
    viewer = make_napari_viewer()
    panel = docked(viewer, qtbot, tiny_model)
    assert bar_above(viewer).offered.source == eye
    bar_above(viewer).restore.click()
    qtbot.waitUntil(lambda: "NPA" in viewer.layers and not panel.jobs, timeout=20_000)
    at_rest(viewer, qtbot)
    np.testing.assert_array_equal(viewer.layers["NPA"].data, before)


@pytest.mark.parametrize("is_open", [False, True])
def test_corrections_of_a_frame_come_back_on_that_frame(
    is_open, store, tmp_path, make_napari_viewer, qtbot, tiny_model
):
    path = tmp_path / "series.tif"
    frames = np.stack([draw_round_angiogram(160, seed) for seed in range(3)])
    tifffile.imwrite(path, frames, photometric="minisblack")
    viewer = make_napari_viewer()
    panel = docked(viewer, qtbot, tiny_model)
    opened(panel, qtbot, path)
    viewer.dims.set_current_step(0, 1)
    panel.start_run()
    qtbot.waitUntil(lambda: panel.run_job is None, timeout=20_000)
    npa = panel.result.npa
    npa.data_setitem((np.full(20, 80), np.arange(60, 80)), 1 - int(npa.data[80, 60] != 0))
    panel.annotations.record("by hand")
    before = npa.data != 0
    assert panel.annotations.flush(10)
    died(qtbot, viewer, panel)
    viewer = make_napari_viewer()
    panel = docked(viewer, qtbot, tiny_model)
    if is_open:
        opened(panel, qtbot, path)
        viewer.dims.set_current_step(0, 0)
        at_rest(viewer, qtbot)
    offered = bar_above(viewer).offered
    assert (offered.source, offered.frame) == (path, 1)
    bar_above(viewer).restore.click()
    at_rest(viewer, qtbot)
    assert viewer.dims.current_step[0] == 1
    assert [layer.name for layer in viewer.layers] == [
        *("series", "Retina [series, frame 2]", "NPA [series, frame 2]")
    ]
    np.testing.assert_array_equal(panel.result.npa.data != 0, before)


def test_another_image_offers_nothing(store, eye, make_napari_viewer, qtbot, tiny_model):
    viewer = make_napari_viewer()
    panel = docked(viewer, qtbot, tiny_model)
    opened(panel, qtbot, eye)
    corrected(viewer, panel, qtbot)
    other = eye.with_name("other.tif")
    tifffile.imwrite(other, np.flipud(tifffile.imread(eye)))
    opened(panel, qtbot, other)
    assert bar_above(viewer).offered is None


def test_what_was_saved_is_offered_with_its_folder_and_can_be_discarded(
    store, eye, tmp_path, make_napari_viewer, qtbot, tiny_model, monkeypatch, answers
):
    viewer = make_napari_viewer()
    panel = docked(viewer, qtbot, tiny_model)
    opened(panel, qtbot, eye)
    corrected(viewer, panel, qtbot)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "out"))
    bar = bar_of(viewer)
    bar.who.setText("grader 2")
    click(qtbot, bar.save)
    qtbot.waitUntil(lambda: not bar.jobs, timeout=20_000)
    assert panel.annotations.flush(10)
    record = (tmp_path / "out" / "eye_npa.json").read_text()
    assert '"who": "grader 2"' in record
    assert '"tool": "brush"' in record
    died(qtbot, viewer, panel)
    viewer = make_napari_viewer()
    panel = docked(viewer, qtbot, tiny_model)
    assert bar_above(viewer).offered is None  # nothing was lost
    opened(panel, qtbot, eye)
    offered = bar_above(viewer).offered
    assert (offered.saved, offered.folder) == (True, tmp_path / "out")
    answers += [NO, YES]
    bar_above(viewer).discard.click()
    assert panel.annotations.flush(10)
    assert len(list(store.folder.glob("*"))) == 1
    bar_above(viewer).discard.click()
    assert panel.annotations.flush(10)
    assert list(store.folder.glob("*")) == []
    at_rest(viewer, qtbot)
    assert bar_above(viewer).offered is None


def test_a_closed_viewer_is_freed_and_its_last_change_is_kept(
    store, eye, qtbot, tiny_model, mock_app_model
):
    def worked_on():
        viewer = napari.Viewer(show=False)
        panel = docked(viewer, qtbot, tiny_model)
        viewer.window.add_plugin_dock_widget("napari-npa", "Correct non-perfusion")
        opened(panel, qtbot, eye)
        corrected(viewer, panel, qtbot)
        viewer.layers["NPA"].undo()  # recorded once the layers have been still for a while
        kept = [ref(each) for each in (viewer, panel, panel.annotations, viewer.layers["NPA"])]
        viewer.close()
        return kept

    def all_freed():
        gc.collect()
        assert [each() for each in left] == [None] * 4

    left = worked_on()
    qtbot.waitUntil(all_freed, timeout=20_000)
    [unsaved] = store.unsaved()
    assert unsaved.edits == 2
