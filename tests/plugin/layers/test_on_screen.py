"""Two eyes, or the frames of a series, in one viewer: masks belong to what is on screen."""

import json

import numpy as np
import pytest
import tifffile
from napari._qt.dialogs.qt_notification import NapariQtNotification
from qtpy.QtWidgets import QFileDialog

from drawing import draw_round_angiogram
from gestures import bar_of, click, drag, notifications
from napari_npa.io.angiogram import read_angiogram
from napari_npa.plugin.dock.workspace import workspace_of


def segment(qtbot, panel):
    click(qtbot, panel.run)
    qtbot.waitUntil(lambda: panel.run_job is None and not panel.jobs, timeout=20_000)
    assert panel.result is not None, panel.status.text()
    return panel.result


def stroke(qtbot, viewer, *places):
    """A stroke with the brush and the mouse, on whatever layer is selected."""
    layer = viewer.layers.selection.active
    layer.mode = "paint"
    layer.brush_size = 11
    layer.selected_label = 1
    drag(qtbot, viewer, layer, *places)


def clear(result):
    result.npa.data_setitem(np.nonzero(result.npa.data), 0)


def painted(result) -> int:
    return int(np.count_nonzero(result.npa.data))


def visible(viewer) -> set[str]:
    return {layer.name for layer in viewer.layers if layer.visible}


def go_on(qtbot, viewer, panel, sha256, drawn):
    """Press the button that goes on with what was kept of the image; all of it comes back."""
    bar, looked = workspace_of(viewer).recovery, workspace_of(viewer).recovery_of

    def is_offered():
        is_of_image = bar.offered is not None and bar.offered.image_sha256 == sha256
        return is_of_image and looked.image_sha256 == sha256

    qtbot.waitUntil(is_offered, timeout=20_000)
    bar.restore.click()
    qtbot.waitUntil(
        lambda: panel.result is not None and ((panel.result.npa.data != 0) == drawn).all(),
        timeout=20_000,
    )


@pytest.fixture
def patients(shown, viewer, panel, qtbot):
    """Two eyes of two patients, both segmented; their results. The second lies over the first."""
    results = []
    for seed, name in enumerate(("OD_03", "OS_17")):
        viewer.add_image(draw_round_angiogram(160, seed), name=name)
        results.append(segment(qtbot, panel))
        clear(results[-1])
        panel.annotations.record("cleared")
    viewer.reset_view()
    qtbot.wait(50)
    return results


@pytest.fixture
def series(shown, viewer, panel, qtbot):
    """Three frames in one layer, at the first."""
    frames = np.stack([draw_round_angiogram(160, seed) for seed in range(3)])
    layer = viewer.add_image(frames, name="series")
    viewer.dims.set_current_step(0, 0)
    qtbot.wait(50)
    return layer


def test_masks_carry_the_name_of_their_image_and_only_those_on_screen_can_be_seen(viewer, patients):
    assert [layer.name for layer in viewer.layers] == [
        *("OD_03", "Retina [OD_03]", "NPA [OD_03]"),
        *("OS_17", "Retina [OS_17]", "NPA [OS_17]"),
    ]
    assert visible(viewer) == {"OD_03", "OS_17", "Retina [OS_17]", "NPA [OS_17]"}


def test_choosing_the_hidden_eye_uncovers_it_with_its_masks(viewer, panel, patients):
    panel.images.value = viewer.layers["OD_03"]
    assert visible(viewer) == {"OD_03", "Retina [OD_03]", "NPA [OD_03]"}
    assert panel.result is patients[0]
    panel.images.value = viewer.layers["OS_17"]
    assert visible(viewer) >= {"OS_17", "Retina [OS_17]", "NPA [OS_17]"}
    assert "NPA [OD_03]" not in visible(viewer)


@pytest.mark.parametrize("by", ["panel", "image layer", "mask layer", "eye of the mask"])
def test_strokes_go_into_the_eye_that_can_be_seen_and_are_logged_there(
    by, viewer, panel, patients, qtbot
):
    first, second = patients
    if by == "panel":
        panel.images.value = viewer.layers["OD_03"]
    elif by == "image layer":
        viewer.layers.selection.active = viewer.layers["OD_03"]
        viewer.layers.selection.active = first.npa
    elif by == "mask layer":
        viewer.layers.selection.active = first.npa
    else:
        first.npa.visible = True
    assert not viewer.layers["OS_17"].visible
    assert panel.image is viewer.layers["OD_03"]
    before = panel.annotations.session.number
    stroke(qtbot, viewer, (80, 60), (80, 90))
    assert painted(first) > 100
    assert painted(second) == 0
    assert panel.annotations.session.number == before + 1
    assert panel.annotations.session.edits[-1].tool == "brush"
    assert panel.annotations.session.image_sha256 == first.segmentation.angiogram.sha256


def test_an_eye_made_visible_over_another_is_the_one_that_is_painted_on(
    viewer, panel, patients, qtbot
):
    first, second = patients
    panel.images.value = viewer.layers["OD_03"]
    viewer.layers["OS_17"].visible = True
    assert panel.result is second
    assert viewer.layers.selection.active is second.npa
    stroke(qtbot, viewer, (80, 60), (80, 90))
    assert (painted(first), painted(second) > 100) == (0, True)


def test_hiding_an_eye_turns_to_the_one_below(viewer, panel, patients):
    viewer.layers["OS_17"].visible = False
    assert panel.result is patients[0]
    assert visible(viewer) == {"OD_03", "Retina [OD_03]", "NPA [OD_03]"}


def test_an_image_that_is_blended_with_the_eye_or_lies_beside_it_leaves_its_masks(
    viewer, panel, patients, round_angiogram
):
    viewer.add_image(round_angiogram, name="blended", blending="additive")
    assert panel.result is patients[1]
    assert "NPA [OS_17]" in visible(viewer)
    beside = viewer.add_image(round_angiogram, name="beside", translate=(0, 200))
    assert panel.image is beside
    assert {"OD_03", "OS_17", "beside"} <= visible(viewer)


def test_masks_are_removed_with_their_image_and_the_other_eye_comes_on_screen(
    viewer, panel, patients, qtbot
):
    panel.images.value = viewer.layers["OD_03"]
    panel.images.value = viewer.layers["OS_17"]
    viewer.layers.selection.active = viewer.layers["OS_17"]
    viewer.layers.remove_selected()
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=2000)
    assert [layer.name for layer in viewer.layers] == ["OD_03", "Retina", "NPA"]
    assert visible(viewer) == {"OD_03", "Retina", "NPA"}
    assert panel.result is patients[0]
    assert panel.images.value is viewer.layers["OD_03"]


def test_removing_the_hidden_eye_leaves_the_one_on_screen(viewer, panel, patients, qtbot):
    viewer.layers.remove("OD_03")
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=2000)
    assert visible(viewer) == {"OS_17", "Retina", "NPA"}
    assert panel.result is patients[1]


def test_corrections_of_an_eye_that_was_removed_are_kept_and_offered_again(
    viewer, panel, patients, qtbot
):
    _, second = patients
    pixels = viewer.layers["OS_17"].data
    viewer.layers.selection.active = second.npa
    stroke(qtbot, viewer, (80, 60), (80, 90))
    drawn = second.npa.data.copy()
    viewer.layers.remove("OS_17")
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=2000)
    (told,) = notifications()
    assert "'OS_17' was closed with corrections that are not saved" in told
    for note in viewer.window._qt_window.findChildren(NapariQtNotification):
        note.close()  # it would keep the viewer alive
    assert panel.annotations.flush(10)
    viewer.add_image(pixels, name="OS_17 again")
    go_on(qtbot, viewer, panel, second.segmentation.angiogram.sha256, drawn != 0)


def test_each_frame_of_a_series_has_its_own_result(viewer, panel, series, qtbot):
    first = segment(qtbot, panel)
    viewer.dims.set_current_step(0, 1)
    assert panel.result is None
    assert visible(viewer) == {"series"}
    second = segment(qtbot, panel)
    hashes = {result.segmentation.angiogram.sha256 for result in (first, second)}
    assert len(hashes) == 2
    assert panel.annotations.session.image_sha256 == second.segmentation.angiogram.sha256
    assert visible(viewer) == {"series", "Retina [series, frame 2]", "NPA [series, frame 2]"}
    viewer.dims.set_current_step(0, 0)
    assert panel.result is first
    assert visible(viewer) == {"series", "Retina [series, frame 1]", "NPA [series, frame 1]"}
    viewer.dims.set_current_step(0, 2)
    assert visible(viewer) == {"series"}
    assert not bar_of(viewer).save.isEnabled()


def test_the_brush_works_on_the_frame_on_screen_and_on_no_other(viewer, panel, series, qtbot):
    first = segment(qtbot, panel)
    clear(first)
    viewer.dims.set_current_step(0, 1)
    viewer.reset_view()
    qtbot.wait(50)
    drag(qtbot, viewer, series, (80, 60), (80, 90))
    assert painted(first) == 0
    second = segment(qtbot, panel)
    clear(second)
    viewer.dims.set_current_step(0, 0)
    qtbot.wait(50)
    stroke(qtbot, viewer, (80, 60), (80, 90))
    assert painted(first) > 50
    viewer.dims.set_current_step(0, 1)  # the brush stays in the hand
    qtbot.wait(50)
    assert viewer.layers.selection.active is second.npa
    drag(qtbot, viewer, second.npa, (60, 60), (60, 90))
    assert painted(second) > 50
    first.npa.undo()
    assert painted(first) == 0


def test_a_run_that_ends_on_another_frame_belongs_to_the_frame_it_began_on(
    viewer, panel, series, qtbot, runs
):
    runs.go.clear()
    click(qtbot, panel.run)
    qtbot.waitUntil(runs.waiting.is_set, timeout=20_000)
    viewer.dims.set_current_step(0, 2)
    runs.go.set()
    qtbot.waitUntil(lambda: panel.run_job is None and not panel.jobs, timeout=20_000)
    assert panel.result is None
    assert visible(viewer) == {"series"}
    viewer.dims.set_current_step(0, 0)
    assert panel.result is not None
    assert "frame 1 of 3" in panel.result.segmentation.notes


def test_selecting_the_mask_of_another_frame_moves_the_slider_there(viewer, panel, series, qtbot):
    segment(qtbot, panel)
    viewer.dims.set_current_step(0, 2)
    viewer.layers.selection.active = viewer.layers["NPA [series, frame 1]"]
    assert viewer.dims.current_step[0] == 0
    assert panel.result is not None


def test_other_data_in_the_layer_hide_the_masks_of_the_old_ones(viewer, panel, qtbot):
    layer = viewer.add_image(draw_round_angiogram(160, 0), name="eye")
    result, pixels = segment(qtbot, panel), layer.data
    layer.data = draw_round_angiogram(160, 1)
    assert (panel.result, visible(viewer)) == (None, {"eye"})
    layer.data = pixels
    assert (panel.result, visible(viewer)) == (result, {"eye", "Retina", "NPA"})
    layer.data = draw_round_angiogram(160, 1)
    segment(qtbot, panel)
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=2000)
    assert visible(viewer) == {"eye", "Retina", "NPA"}


def test_a_frame_is_saved_under_its_number_and_offered_again_by_its_own_hash(
    shown, viewer, panel, tmp_path, qtbot, monkeypatch
):
    path = tmp_path / "series.tif"
    frames = np.stack([draw_round_angiogram(160, seed) for seed in range(3)])
    tifffile.imwrite(path, frames, photometric="minisblack")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "out"))
    viewer.open(path, plugin="napari-npa")
    bar = bar_of(viewer)
    painted_on = {}
    for frame, row in ((0, 60), (1, 100)):
        viewer.dims.set_current_step(0, frame)
        result = segment(qtbot, panel)
        result.npa.data_setitem((np.full(20, row), np.arange(60, 80)), 1 - result.npa.data[row, 60])
        panel.annotations.record("by hand")
        painted_on[frame] = result.npa.data != 0
        click(qtbot, bar.save)
        qtbot.waitUntil(lambda: not bar.jobs, timeout=20_000)
    records = {
        base: json.loads((tmp_path / "out" / f"{base}_npa.json").read_text())
        for base in ("series", "series_f002")
    }
    assert [record.get("frame") for record in records.values()] == [None, 2]
    assert "frame 2 of 3" in records["series_f002"]["notes"]
    for frame, base in enumerate(records):
        written = tifffile.imread(tmp_path / "out" / f"{base}_npa.tif") != 0
        retina = tifffile.imread(tmp_path / "out" / f"{base}_retina.tif") != 0
        np.testing.assert_array_equal(written, painted_on[frame] & retina)
    assert panel.annotations.flush(10)
    viewer.layers.clear()
    viewer.open(path, plugin="napari-npa")
    for frame in (0, 1):
        viewer.dims.set_current_step(0, frame)
        sha256 = read_angiogram(path, frame=frame).sha256
        go_on(qtbot, viewer, panel, sha256, painted_on[frame])
