"""What a user does in the panel, with the mouse, in a napari on screen."""

import logging
import threading

import dask.array
import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QFileDialog
from vispy.util import keys

from gestures import click, close_dock, notifications, press_key
from napari_npa.measure.ischemia import PixelCounts
from napari_npa.models.networks import VGGUNet
from napari_npa.plugin.layers.live_index import counter_of


def run(qtbot, panel):
    click(qtbot, panel.run)
    qtbot.waitUntil(lambda: panel.run_job is None, timeout=20_000)


def counted(panel) -> PixelCounts:
    """Pixels by which the panel shows the index."""
    return counter_of(panel.result).counts


def move_threshold(qtbot, panel, threshold):
    """Move the slider, and wait until the mask has followed."""
    panel.threshold.setValue(threshold)
    value = panel.threshold.value()
    qtbot.waitUntil(lambda: panel.result.segmentation.threshold == value, timeout=2000)


def paint(layer, row, column, label=1):
    """One stroke of the brush, in data coordinates."""
    layer.selected_label = label
    layer.brush_size = 20
    layer.mode = "paint"
    with layer.block_history():
        layer.paint((row, column), label)


@pytest.fixture
def held(monkeypatch):
    """A network that waits: `entered` tells it has begun, setting `go` lets it go on."""

    class Held:
        entered, go = threading.Event(), threading.Event()

    forward = VGGUNet.forward

    def waiting(self, images):
        Held.entered.set()
        assert Held.go.wait(20)
        return forward(self, images)

    monkeypatch.setattr(VGGUNet, "forward", waiting)
    yield Held
    Held.go.set()


def test_a_sample_is_segmented_with_the_mouse(shown, viewer, panel, bar, samples, qtbot):
    viewer.open_sample("napari-npa", "simulated_1")
    steps = []
    click(qtbot, panel.run)
    panel.run_job.on_progress.append(lambda done, total: steps.append((done, total)))
    assert not panel.run.isEnabled()
    assert panel.cancel.isEnabled()
    qtbot.waitUntil(lambda: panel.run_job is None, timeout=20_000)
    assert [layer.name for layer in viewer.layers] == ["Simulated angiogram 1", "Retina", "NPA"]
    assert len(steps) > 3
    assert steps[-1][0] == steps[-1][1]
    assert panel.result.shown.image is viewer.layers[0]
    assert f"{panel.result.segmentation.isi:.1%}"[:-1] in bar.index.index.text()


def test_result_layers_lie_on_the_image(viewer, panel, image, qtbot):
    run(qtbot, panel)
    for name in ("NPA", "Retina"):
        layer = viewer.layers[name]
        assert layer.data.shape == image.data.shape
        assert layer.data.dtype == np.uint8
        assert not layer.multiscale
        assert layer.units == image.units
        for corner in ((0, 0), (159, 0), (10, 70)):
            np.testing.assert_allclose(layer.data_to_world(corner), image.data_to_world(corner))


def test_the_index_follows_strokes_undo_and_redo(shown, viewer, panel, bar, image, qtbot):
    run(qtbot, panel)
    npa = viewer.layers["NPA"]
    panel.result.move_threshold(0.95)
    bar.index.recount()
    before, text = counted(panel), bar.index.index.text()
    paint(npa, 80, 80)
    qtbot.waitUntil(lambda: counted(panel) != before, timeout=2000)
    painted = counted(panel)
    assert bar.index.index.text() != text
    press_key(viewer, "Z", keys.CONTROL)
    qtbot.waitUntil(lambda: counted(panel) == before, timeout=2000)
    assert bar.index.index.text() == text
    press_key(viewer, "Z", keys.CONTROL, keys.SHIFT)
    qtbot.waitUntil(lambda: counted(panel) == painted, timeout=2000)


def test_the_index_is_what_the_layers_hold(viewer, panel, bar, image, qtbot):
    run(qtbot, panel)
    npa, retina = viewer.layers["NPA"], viewer.layers["Retina"]
    npa.data_setitem(np.nonzero(np.ones_like(npa.data)), 0)
    retina.data_setitem(np.nonzero(np.ones_like(npa.data)), 0)
    retina.data_setitem(np.nonzero(np.arange(160)[:, None] * np.ones(160) < 40), 1)
    npa.data_setitem(np.nonzero(np.arange(160)[:, None] * np.ones(160) < 10), 1)
    bar.index.recount()
    assert counted(panel) == PixelCounts(1600, 6400)
    assert "25.0" in bar.index.index.text()
    retina.data_setitem(np.nonzero(retina.data), 0)
    bar.index.recount()
    assert counted(panel) == PixelCounts(0, 0)
    assert "0" not in bar.index.index.text()


def test_the_index_follows_a_retina_that_grows_after_the_brush_was_used(
    viewer, panel, image, qtbot
):
    run(qtbot, panel)
    npa, retina = viewer.layers["NPA"], viewer.layers["Retina"]
    rows = np.arange(160)[:, None] * np.ones(160, int)
    retina.data_setitem(np.nonzero(rows >= 0), 0)
    npa.data_setitem(np.nonzero(rows >= 0), 1)
    retina.data_setitem(np.nonzero(rows < 40), 1)
    npa.data_setitem(np.nonzero(rows < 20), 0)
    qtbot.waitUntil(lambda: counted(panel) == PixelCounts(3200, 6400), timeout=2000)
    retina.data_setitem(np.nonzero(rows < 80), 1)
    qtbot.waitUntil(lambda: counted(panel) == PixelCounts(9600, 12800), timeout=2000)
    npa.data_setitem(np.nonzero(rows >= 60), 0)
    qtbot.waitUntil(lambda: counted(panel) == PixelCounts(6400, 12800), timeout=2000)


def test_the_slider_moves_the_mask_and_keeps_strokes_elsewhere(viewer, panel, image, qtbot):
    run(qtbot, panel)
    npa, probability = viewer.layers["NPA"], panel.result.segmentation.probability
    retina = panel.result.segmentation.retina
    paint(npa, 2, 2)  # a corner outside the retina, where no threshold reaches
    levels = np.quantile(probability[retina], [0.3, 0.6])
    for threshold in np.clip(np.round(levels, 2), 0.05, 0.95):
        move_threshold(qtbot, panel, threshold)
        expected = (probability >= np.float32(panel.threshold.value())) & retina
        np.testing.assert_array_equal((npa.data != 0)[30:130, 30:130], expected[30:130, 30:130])
    assert npa.data[2, 2] != 0


def test_a_second_run_goes_into_the_same_layers_and_can_be_undone(viewer, panel, image, qtbot):
    run(qtbot, panel)
    npa = viewer.layers["NPA"]
    choice = panel.devices.choice, panel.models.choice, panel.modes.mode
    segmenter = panel.segmenter.get(*choice)
    paint(npa, 80, 80, label=0 if npa.data[80, 80] else 1)
    corrected = npa.data.copy()
    run(qtbot, panel)
    assert panel.segmenter.get(*choice) is segmenter
    assert len(viewer.layers) == 3
    np.testing.assert_array_equal(npa.data != 0, panel.result.segmentation.npa)
    npa.undo()
    np.testing.assert_array_equal(npa.data, corrected)


def test_cancel_ends_the_run_and_changes_nothing(viewer, panel, image, qtbot, held):
    click(qtbot, panel.run)
    qtbot.waitUntil(held.entered.is_set, timeout=20_000)
    click(qtbot, panel.cancel)
    held.go.set()
    qtbot.waitUntil(lambda: panel.run_job is None, timeout=20_000)
    assert panel.result is None
    assert list(viewer.layers) == [image]
    assert panel.run.isEnabled()
    assert notifications() == []


def test_a_result_is_dropped_when_its_image_was_removed(viewer, panel, image, qtbot, held):
    click(qtbot, panel.run)
    qtbot.waitUntil(held.entered.is_set, timeout=20_000)
    viewer.layers.remove(image)
    held.go.set()
    qtbot.waitUntil(lambda: panel.run_job is None, timeout=20_000)
    assert list(viewer.layers) == []
    assert panel.result is None


def test_a_result_is_dropped_when_its_image_has_changed(viewer, panel, image, qtbot, held):
    click(qtbot, panel.run)
    qtbot.waitUntil(held.entered.is_set, timeout=20_000)
    image.data = image.data[::-1].copy()
    held.go.set()
    qtbot.waitUntil(lambda: panel.run_job is None, timeout=20_000)
    assert list(viewer.layers) == [image]
    assert panel.result is None


def test_closing_the_panel_during_a_run_leaves_a_working_viewer(viewer, panel, image, qtbot, held):
    click(qtbot, panel.run)
    qtbot.waitUntil(held.entered.is_set, timeout=20_000)
    job = panel.run_job
    close_dock(qtbot, viewer)
    held.go.set()
    qtbot.waitUntil(lambda: job.is_done, timeout=20_000)
    viewer.add_image(image.data)
    viewer.layers.clear()
    assert not panel.jobs


def test_what_cannot_be_segmented_gives_one_line_and_no_layers(viewer, panel, qtbot, tmp_path):
    colours = np.zeros((160, 160, 3), np.uint8)
    colours[40:120, 40:120, 0] = np.random.default_rng(0).integers(100, 255, (80, 80))
    viewer.add_image(colours, name="fundus", rgb=True)
    run(qtbot, panel)
    assert len(viewer.layers) == 1
    assert panel.status.text().startswith("'fundus' ")
    assert notifications() == [panel.status.text()]
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    panel.models.choose_file(tmp_path / "bad.safetensors")
    run(qtbot, panel)
    assert panel.status.text().startswith("'bad.safetensors' ")
    assert len(viewer.layers) == 1


def test_a_runtime_error_in_the_network_is_shown_and_logged(
    viewer, panel, image, qtbot, monkeypatch, caplog
):
    def broken(self, images):
        raise RuntimeError("sizes do not match")

    monkeypatch.setattr(VGGUNet, "forward", broken)
    with caplog.at_level(logging.ERROR):
        run(qtbot, panel)
    assert "sizes do not match" in panel.status.text()
    assert notifications() == [panel.status.text()]
    assert "sizes do not match" in caplog.text
    assert panel.run.isEnabled()


def test_save_writes_the_corrected_masks(viewer, panel, bar, image, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    run(qtbot, panel)
    paint(viewer.layers["NPA"], 80, 80, label=1)
    click(qtbot, bar.save)
    qtbot.waitUntil(lambda: not bar.jobs, timeout=20_000)
    written = tifffile.imread(tmp_path / "eye_npa.tif")
    np.testing.assert_array_equal(written != 0, viewer.layers["NPA"].data != 0)
    assert "eye_npa.tif" in bar.status.text()
    assert str(tmp_path) in bar.status.text()


def test_a_folder_that_refuses_files_gives_one_line(viewer, panel, bar, image, qtbot, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "/proc/nowhere")
    run(qtbot, panel)
    click(qtbot, bar.save)
    qtbot.waitUntil(lambda: not bar.jobs, timeout=20_000)
    assert bar.status.text().startswith("'nowhere' ")
    assert notifications() == [bar.status.text()]


def test_controls_work_only_when_they_can(viewer, panel, bar, qtbot, round_angiogram):
    later = (panel.cancel, panel.threshold, bar.save)
    choices = (panel.images.native, panel.models, panel.modes, panel.devices, panel.run)
    for control in (*later, *choices, panel.progress, bar.index.index, panel.status):
        assert control.toolTip()
    assert not panel.run.isEnabled()
    assert not any(control.isEnabled() for control in later)
    viewer.add_image(round_angiogram)
    assert panel.run.isEnabled()
    run(qtbot, panel)
    assert panel.threshold.isEnabled()
    assert bar.save.isEnabled()
    viewer.layers.remove("NPA")
    assert not panel.threshold.isEnabled()
    assert not bar.save.isEnabled()


def test_each_image_has_its_own_result(viewer, panel, image, qtbot):
    run(qtbot, panel)
    other = viewer.add_image(image.data[:, ::-1].copy(), name="other eye")
    assert panel.images.value is other
    assert panel.result is None
    run(qtbot, panel)
    assert [layer.name for layer in viewer.layers][-2:] == ["Retina [other eye]", "NPA [other eye]"]
    panel.images.value = image
    assert panel.result.npa.name == "NPA [eye]"
    image.name = "left eye"
    assert panel.result.npa.name == "NPA [left eye]"
    assert panel.images.native.currentText() == "left eye"


def test_any_kind_of_image_layer_is_segmented(viewer, panel, qtbot, round_angiogram):
    gray = round_angiogram
    kinds = {
        "rgb": {"data": np.stack([gray] * 3, axis=-1), "rgb": True},
        "multiscale": {"data": [gray, gray[::2, ::2]], "multiscale": True},
        "dask": {"data": dask.array.from_array(gray)},
        "stack": {"data": np.stack([np.zeros_like(gray), gray])},
    }
    for name, settings in kinds.items():
        viewer.add_image(name=name, **settings)
        if name == "stack":
            viewer.dims.set_current_step(0, 1)
        run(qtbot, panel)
        assert panel.result.npa.data.shape == gray.shape, panel.status.text()
    assert "frame 2 of 2" in panel.result.segmentation.angiogram.notes


def test_the_field_of_view_is_told_and_can_be_chosen(viewer, panel, image, qtbot):
    assert panel.fields.itemText(0) == "Automatic"
    run(qtbot, panel)
    assert panel.fields.itemText(0) == "Auto: 55° camera"
    panel.fields.setCurrentIndex(panel.fields.findData("uwfa"))
    run(qtbot, panel)
    assert panel.result.segmentation.imaged.view.name == "uwfa"
    assert panel.result.snapshot().provenance.field_of_view == "uwfa"
    viewer.layers.remove(image)
    assert panel.fields.itemText(0) == "Automatic"


def test_two_scales_look_a_second_time_with_the_tile_network(viewer, panel, image, qtbot):
    run(qtbot, panel)
    assert "tile" not in panel.result.segmentation.model
    assert panel.modes.isEnabled()
    panel.modes.setChecked(True)
    run(qtbot, panel)
    assert panel.result.segmentation.model.endswith("+tile")


def test_two_scales_are_proposed_with_the_weights_made_for_it(panel, tiny_model):
    assert panel.modes.mode == "whole"  # with weights of one's own
    panel.models.activated.emit(0)
    assert panel.models.choice == "auto"
    assert panel.modes.mode == "two-scale"
    panel.modes.setChecked(False)
    panel.models.choose_file(tiny_model)
    assert panel.modes.mode == "whole"


def test_the_automatic_choice_stands_for_both_embedded_networks(viewer, panel):
    names = [panel.models.itemText(at) for at in range(panel.models.count())]
    assert names[0] == "Automatic"
    assert not {"whole", "tile", "Whole image", "Close-up"} & set(names)
