"""What a doctor does in the panel that corrects, with the mouse, in a napari on screen."""

import threading

import numpy as np
import pytest
import torch
from app_model.types import KeyBinding
from napari._app_model import get_app_model
from napari.components import ViewerModel
from napari.layers import Image, Labels, Shapes
from napari.utils.shortcuts import default_shortcuts
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QAbstractButton, QLabel
from vispy.util import keys

from drawing import TINY_CANVASES
from gestures import click, drag, open_tab, press_key
from napari_npa import refine
from napari_npa.models.networks import UNetConfig, VGGUNet
from napari_npa.models.weights import save_model
from napari_npa.plugin.correct.controls import ACTIONS
from napari_npa.plugin.qt.keys import CORRECT_KEYS, REVIEW_KEYS

PANEL = "Correct non-perfusion"

CLASSICAL = [
    tool.id
    for tool in refine.TOOLS.values()
    if tool.needs_image and not tool.needs_network and tool.takes == "shape"
]


def choose(box, chosen):
    """Choose an entry of a list by its id."""
    box.setCurrentIndex(box.findData(chosen))


def looked(qtbot, corrector):
    """Wait until the shapes were taken and nothing is looked at any more."""
    qtbot.wait(10)
    qtbot.waitUntil(lambda: not corrector.mouse.count and not corrector.looking, timeout=20_000)


def test_a_rectangle_drawn_with_the_mouse_changes_the_mask_inside_only(viewer, corrector, qtbot):
    npa = corrector.result.npa
    npa.data_setitem(np.nonzero(np.ones_like(npa.data)), 1)
    before = npa.data != 0
    choose(corrector.tools, "shape")
    click(qtbot, corrector.action_buttons["remove"])
    click(qtbot, corrector.drawing["rectangle"])
    drag(qtbot, viewer, npa, (60, 50), (80, 70), (100, 110))
    looked(qtbot, corrector)
    changed = np.argwhere((npa.data != 0) != before)
    assert len(changed) > 0, corrector.status.text()
    np.testing.assert_allclose(changed.min(axis=0), (60, 50), atol=2)
    np.testing.assert_allclose(changed.max(axis=0), (100, 110), atol=2)
    assert len(changed) == np.prod(np.ptp(changed, axis=0) + 1)
    assert corrector.mouse.count == 0
    assert corrector.drawing["rectangle"].isChecked()


def draw_shape(corrector, corners, kind="rectangle"):
    """Put a shape where the mouse would have drawn it."""
    button = corrector.drawing["rectangle"]
    if not button.isChecked():
        button.click()
    corrector.mouse.shapes.layer.add(np.array(corners, float), shape_type=kind)


def correct(qtbot, corrector, corners, *, tool, action, kind="rectangle"):
    choose(corrector.tools, tool)
    corrector.action_buttons[action].click()
    draw_shape(corrector, corners, kind)
    looked(qtbot, corrector)


SQUARE = [(59.5, 49.5), (59.5, 110.5), (100.5, 110.5), (100.5, 49.5)]
"""Rows 60 to 100, columns 50 to 110: corners between pixels, as the mouse has them."""


def inside_square(shape, corners=SQUARE):
    mask = np.zeros(shape, bool)
    (top, left), (bottom, right) = np.min(corners, axis=0), np.max(corners, axis=0)
    mask[int(top) + 1 : int(bottom) + 1, int(left) + 1 : int(right) + 1] = True
    return mask


def set_all(layer, value):
    layer.data_setitem(np.nonzero(np.ones_like(layer.data)), value)


@pytest.mark.parametrize("action", list(ACTIONS))
def test_each_action_does_inside_the_shape_what_it_says(viewer, corrector, qtbot, action):
    npa, retina = corrector.result.npa, corrector.result.retina
    npa.data_setitem(np.nonzero(np.arange(160)[:, None] * np.ones(160) < 80), 1)
    before = npa.data != 0
    correct(qtbot, corrector, SQUARE, tool="network", action=action)
    inside = inside_square(before.shape)
    after = npa.data != 0
    np.testing.assert_array_equal(after[~inside], before[~inside])
    [proposal] = corrector.correction.made.proposals
    found = np.zeros_like(before)
    found[proposal.region.window] = proposal.found(0.5)
    assert not (found & (retina.data == 0)).any()
    expected = {
        "add": before | found,
        "replace": found,
        "remove": np.zeros_like(before),
        "certain": before & found,
    }[action]
    np.testing.assert_array_equal(after[inside], expected[inside])


def test_the_sensitivity_moves_the_last_correction_without_the_network(
    viewer, corrector, qtbot, monkeypatch
):
    npa = corrector.result.npa
    set_all(npa, 1)
    before = npa.data != 0
    correct(qtbot, corrector, SQUARE, tool="network", action="replace")
    corrected = npa.data != 0
    [proposal] = corrector.correction.made.proposals
    monkeypatch.setattr(corrector.refiner, "find", None)
    corrector.sensitivity.setSliderDown(True)
    for value in np.quantile(1 - proposal.evidence, (0.2, 0.8, 0.5)).clip(0.01, 0.99):
        corrector.sensitivity.setValue(round(float(value), 2))
        qtbot.waitUntil(
            lambda: corrector.correction.made.sensitivity == corrector.sensitivity.value()
        )
        shown = npa.data[proposal.region.window] != 0
        found = proposal.found(corrector.sensitivity.value())
        np.testing.assert_array_equal(shown[proposal.region.inside], found[proposal.region.inside])
    corrector.sensitivity.setSliderDown(False)
    assert ((npa.data != 0) != corrected).any()
    npa.undo()  # the drag
    np.testing.assert_array_equal(npa.data != 0, corrected)
    qtbot.waitUntil(lambda: corrector.sensitivity.value() == 0.5, timeout=1000)
    npa.undo()  # the correction
    np.testing.assert_array_equal(npa.data != 0, before)
    qtbot.waitUntil(lambda: not corrector.sensitivity.isEnabled(), timeout=1000)


def test_the_slider_is_off_once_the_brush_was_there(viewer, corrector, qtbot):
    npa = corrector.result.npa
    correct(qtbot, corrector, SQUARE, tool="shape", action="add")
    assert corrector.sensitivity.isEnabled()
    stroke(npa, 80, 80)
    qtbot.waitUntil(lambda: not corrector.sensitivity.isEnabled(), timeout=1000)


def stroke(layer, row, column):
    """A stroke of the brush that changes the pixel it is at."""
    layer.mode = "paint"
    with layer.block_history():
        layer.paint((row, column), int(layer.data[row, column] == 0))
    layer.mode = "pan_zoom"


def test_sixty_actions_and_strokes_are_undone_byte_for_byte_and_redone(viewer, corrector, qtbot):
    npa = corrector.result.npa
    npa.brush_size = 9
    states = [npa.data != 0]
    rng = np.random.default_rng(0)
    actions = list(ACTIONS)
    while len(states) < 61:
        row, column = rng.integers(30, 120, 2)
        if len(states) % 3 == 0:
            stroke(npa, row, column)
        else:
            corners = [(row, column), (row + 20, column), (row + 20, column + 9), (row, column + 9)]
            action = actions[int(rng.integers(0, 4))]
            correct(qtbot, corrector, corners, tool="shape", action=action)
        if ((npa.data != 0) != states[-1]).any():
            states.append(npa.data != 0)
    for state in reversed(states[:-1]):
        press_key(viewer, "Z", keys.CONTROL)
        np.testing.assert_array_equal(npa.data != 0, state)
    for state in states[1:]:
        press_key(viewer, "Z", keys.CONTROL, keys.SHIFT)
        np.testing.assert_array_equal(npa.data != 0, state)


def test_several_shapes_are_one_correction_when_applied_by_hand(viewer, corrector, qtbot):
    npa = corrector.result.npa
    set_all(npa, 0)
    before = npa.data != 0
    corrector.instant.setChecked(False)
    choose(corrector.tools, "shape")
    corrector.action_buttons["add"].click()
    draw_shape(corrector, SQUARE)
    draw_shape(corrector, [(110, 60), (110, 90), (130, 90), (130, 60)], "ellipse")
    qtbot.wait(30)
    np.testing.assert_array_equal(npa.data != 0, before)
    assert corrector.apply.text() == "Apply to 2 shapes"
    click(qtbot, corrector.apply)
    assert npa.data[80, 80] == 1
    assert npa.data[120, 75] == 1
    assert npa.data[110, 60] == 0  # the corner of the ellipse's box
    assert corrector.mouse.count == 0
    npa.undo()
    np.testing.assert_array_equal(npa.data != 0, before)


def test_the_gradable_retina_is_corrected_by_the_same_tools(viewer, corrector, qtbot):
    npa, retina = corrector.result.npa, corrector.result.retina
    before = npa.data != 0, retina.data != 0
    choose(corrector.targets, "retina")
    assert not corrector.grow.isEnabled()
    correct(qtbot, corrector, SQUARE, tool="shape", action="remove")
    np.testing.assert_array_equal(npa.data != 0, before[0])
    np.testing.assert_array_equal((retina.data != 0) != before[1], inside_square(npa.data.shape))
    correct(qtbot, corrector, SQUARE, tool="network", action="replace")
    assert corrector.status.text().startswith("Replaced, Close-up: "), corrector.status.text()
    retina.undo()
    retina.undo()
    np.testing.assert_array_equal(retina.data != 0, before[1])


def test_a_shape_outside_the_image_says_so_and_changes_nothing(viewer, corrector, qtbot):
    before = corrector.result.npa.data != 0
    outside = np.array(SQUARE) + 500
    correct(qtbot, corrector, outside, tool="network", action="replace")
    assert "covers no pixel" in corrector.status.text()
    np.testing.assert_array_equal(corrector.result.npa.data != 0, before)
    assert corrector.mouse.count == 0


def test_a_click_without_a_drag_draws_nothing(viewer, corrector, qtbot):
    before = corrector.result.npa.data != 0
    click(qtbot, corrector.drawing["rectangle"])
    drag(qtbot, viewer, corrector.result.npa, (80, 80))
    looked(qtbot, corrector)
    np.testing.assert_array_equal(corrector.result.npa.data != 0, before)
    assert corrector.mouse.count == 0


def test_a_correction_is_dropped_when_the_image_has_changed(viewer, corrector, qtbot, image, runs):
    npa = corrector.result.npa
    before = npa.data != 0
    choose(corrector.tools, "network")
    busy(runs)
    draw_shape(corrector, SQUARE)
    qtbot.waitUntil(runs.waiting.is_set, timeout=20_000)
    image.data = image.data[::-1].copy()
    runs.go.set()
    looked(qtbot, corrector)
    np.testing.assert_array_equal(npa.data != 0, before)
    assert "dropped" in corrector.status.text() or corrector.result is None


def busy(runs):
    """Let the network wait from now on, until `runs.go` is set."""
    runs.go.clear()
    runs.waiting.clear()


def test_cancel_stops_what_is_computed(viewer, corrector, qtbot, runs):
    before = corrector.result.npa.data != 0
    busy(runs)
    draw_shape(corrector, SQUARE)
    qtbot.waitUntil(corrector.cancel.isEnabled, timeout=2000)
    assert corrector.status.text() == "Looking…"
    assert corrector.mouse.shapes.layer.nshapes == 1  # shown while it is looked at
    click(qtbot, corrector.cancel)
    runs.go.set()
    looked(qtbot, corrector)
    np.testing.assert_array_equal(corrector.result.npa.data != 0, before)
    assert "Cancelled" in corrector.status.text()
    assert corrector.mouse.shapes.layer.nshapes == 0


def test_napari_is_drawn_again_soon_though_the_network_takes_long(viewer, corrector, qtbot, runs):
    window = viewer.window._qt_window
    busy(runs)
    choose(corrector.tools, "network")
    draw_shape(corrector, SQUARE)
    qtbot.waitUntil(runs.waiting.is_set, timeout=20_000)
    qtbot.waitUntil(window.updatesEnabled, timeout=1_000)
    assert corrector.looking
    runs.go.set()
    looked(qtbot, corrector)
    assert window.updatesEnabled()


def test_without_a_result_nothing_can_be_pressed(viewer, qtbot, shown):
    corrector = open_tab(viewer, PANEL)
    assert "Segment an angiogram first" in corrector.status.text()
    buttons = (*corrector.action_buttons.values(), *corrector.drawing.values(), corrector.grow)
    others = (corrector.apply, corrector.cancel, corrector.sensitivity, corrector.next_doubtful)
    assert not any(control.isEnabled() for control in (*buttons, *others))
    for control in (*buttons, *others, corrector.tools, corrector.targets, corrector.log):
        assert control.toolTip()
    canvas = viewer.window._qt_viewer.canvas.native
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=QPoint(50, 50))
    corrector.mouse.toggle_drawing()
    corrector.mouse.toggle_growing()
    corrector.go_to_next_doubtful()
    assert list(viewer.layers) == []


def test_the_regions_layer_is_hidden_while_it_is_empty_and_another_is_worked_on(
    viewer, corrector, qtbot
):
    npa = corrector.result.npa
    click(qtbot, corrector.drawing["rectangle"])
    regions = corrector.mouse.shapes.layer
    assert regions.visible
    viewer.layers.selection.active = npa
    assert not regions.visible  # or each frame of a brush stroke would take longer
    corrector.instant.setChecked(False)
    click(qtbot, corrector.drawing["rectangle"])
    assert regions.visible
    assert regions.mode == "add_rectangle"
    draw_shape(corrector, SQUARE)
    viewer.layers.selection.active = npa
    assert regions.visible  # a shape waits in it
    qtbot.waitUntil(corrector.apply.isEnabled)
    click(qtbot, corrector.apply)
    looked(qtbot, corrector)
    assert regions.nshapes == 0
    assert not regions.visible
    viewer.layers.selection.active = regions  # by hand, in napari's list
    assert regions.visible


def test_napari_s_own_tools_turn_ours_off(viewer, corrector, qtbot):
    click(qtbot, corrector.drawing["lasso"])
    assert corrector.mouse.shapes.layer.mode == "add_polygon_lasso"
    viewer.layers.selection.active = corrector.result.npa
    assert not corrector.drawing["lasso"].isChecked()
    click(qtbot, corrector.grow)
    assert corrector.grow.isChecked()
    corrector.result.npa.mode = "paint"
    assert not corrector.grow.isChecked()


def test_doubtful_places_are_shown_and_gone_to_in_order(viewer, corrector, qtbot):
    corrector.uncertainty.setChecked(True)
    assert "Uncertainty" in viewer.layers
    assert viewer.layers[-1] is corrector.result.npa
    click(qtbot, corrector.next_doubtful)
    assert corrector.status.text().startswith(("Doubtful place 1 of", "The network was sure"))
    corrector.uncertainty.setChecked(False)
    assert "Uncertainty" not in viewer.layers


@pytest.fixture
def doubt(corrector):
    """A result with two places of doubt; gives their windows, the larger first."""
    automatic = corrector.result.segmentation
    automatic.probability[:] = 0.01
    automatic.probability[40:60, 50:80] = automatic.threshold
    automatic.probability[90:100, 80:90] = automatic.threshold
    automatic.retina[:] = True
    return (40, 60, 50, 80), (90, 100, 80, 90)


def test_a_doubtful_place_is_framed_and_there_is_a_way_on_and_back(viewer, corrector, doubt, qtbot):
    camera = viewer.scene.camera
    camera.zoom *= 1.7
    before = camera.center, camera.zoom
    assert not corrector.back.isEnabled()
    seen = []
    for button in (corrector.next_doubtful, corrector.next_doubtful, corrector.previous_doubtful):
        click(qtbot, button)
        (corners,) = viewer.layers["Doubtful place"].data
        top, left = corners[:, -2:].min(axis=0)
        bottom, right = corners[:, -2:].max(axis=0)
        seen.append(corrector.status.text().split(":")[0])
        window = doubt[int(seen[-1].split()[2]) - 1]
        np.testing.assert_allclose((top, bottom, left, right), window, atol=8)
        assert top < window[0] < window[1] < bottom + 1
        assert viewer.layers.selection.active is corrector.result.npa
    assert seen == [f"Doubtful place {number} of 2" for number in (1, 2, 1)]
    click(qtbot, corrector.back)
    assert (camera.center, camera.zoom) == before
    assert "Doubtful place" not in viewer.layers
    assert not corrector.back.isEnabled()


def test_messages_fit_the_tool(viewer, corrector, qtbot):
    npa = corrector.result.npa
    set_all(npa, 0)
    correct(qtbot, corrector, SQUARE, tool="network", action="remove")
    assert corrector.status.text() == "Nothing to remove: the mask is empty inside the shape."
    correct(qtbot, corrector, SQUARE, tool="shape", action="certain")
    assert "choose another tool" in corrector.status.text()
    assert "sensitivity" not in corrector.status.text()
    correct(qtbot, corrector, SQUARE, tool="shape", action="add")
    assert corrector.status.text().startswith("Added, My outline: +")


def test_no_word_of_the_laboratory_is_on_the_screen(corrector):
    box, tools = corrector.models, corrector.tools
    shown = [button.text() for button in corrector.findChildren(QAbstractButton)]
    shown += [label.text() for label in corrector.findChildren(QLabel)]
    shown += [box.itemText(at) for at in range(box.count())]
    shown += [tools.itemText(at) for at in range(tools.count())]
    words = " ".join(shown).lower()
    for word in ("tile", "whole", "twice", "certain", "at once", "the shape itself"):
        assert word not in words.replace("uncertainty", ""), word


def test_keys_do_what_the_panel_says(viewer, corrector, qtbot):
    press_key(viewer, "H", keys.SHIFT)
    assert not corrector.result.npa.visible
    press_key(viewer, "H", keys.SHIFT)
    press_key(viewer, "D", keys.SHIFT)
    assert corrector.drawing["rectangle"].isChecked()
    press_key(viewer, "G", keys.SHIFT)
    assert corrector.grow.isChecked()
    press_key(viewer, "U", keys.SHIFT)
    assert corrector.status.text().startswith(("Doubtful place", "The network was sure"))
    for key in CORRECT_KEYS:
        assert key in corrector.keys.text()


def test_a_click_grows_a_region_and_shift_click_takes_it_away(viewer, corrector, qtbot):
    npa, retina = corrector.result.npa, corrector.result.retina
    set_all(npa, 0)
    set_all(retina, 1)
    dark = np.hypot(*(np.indices(npa.data.shape) - 80)) < 70
    retina.data_setitem(np.nonzero(~dark), 0)
    click(qtbot, corrector.grow)
    assert corrector.grow.isChecked()
    drag(qtbot, viewer, npa, (92, 84))
    qtbot.waitUntil(lambda: not corrector.looking, timeout=20_000)
    assert npa.data[92, 84] == 1, corrector.status.text()
    assert not npa.data[~dark].any()
    grown = npa.data != 0
    drag(qtbot, viewer, npa, (92, 84), (60, 60))  # a drag moves the image instead
    viewer.reset_view()
    np.testing.assert_array_equal(npa.data != 0, grown)
    drag(qtbot, viewer, npa, (92, 84), modifier=Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: not corrector.looking, timeout=20_000)
    assert npa.data[92, 84] == 0
    assert np.count_nonzero(npa.data) < grown.sum()
    assert (npa.data[~dark] == 0).all()
    press_key(viewer, "Z", keys.CONTROL)
    np.testing.assert_array_equal(npa.data != 0, grown)


def test_shift_click_takes_away_only_what_grows(viewer, corrector, qtbot):
    npa, retina = corrector.result.npa, corrector.result.retina
    set_all(npa, 1)
    set_all(retina, 1)
    corrector.grow_at(92, 84, "subtract")
    qtbot.waitUntil(lambda: not corrector.looking, timeout=20_000)
    [proposal] = corrector.correction.made.proposals
    gone = np.zeros(npa.data.shape, bool)
    gone[proposal.region.window] = proposal.found(0.5)
    np.testing.assert_array_equal(npa.data == 0, gone)
    assert 0 < gone.sum() < proposal.region.inside.sum()


def test_a_click_beside_the_retina_or_the_image_grows_nothing(viewer, corrector, qtbot):
    before = corrector.result.npa.data != 0
    corrector.grow_at(1, 1)
    assert "outside the gradable retina" in corrector.status.text()
    corrector.grow_at(-5, 400)
    assert "outside the image" in corrector.status.text()
    np.testing.assert_array_equal(corrector.result.npa.data != 0, before)


@pytest.mark.parametrize("tool", CLASSICAL)
def test_each_assistant_works_inside_the_shape(viewer, corrector, qtbot, tool):
    npa = corrector.result.npa
    set_all(npa, 0)
    before = npa.data != 0
    for target in ("npa", "retina"):
        choose(corrector.targets, target)
        correct(qtbot, corrector, SQUARE, tool=tool, action="replace")
        title = refine.TOOLS[tool].title
        assert corrector.status.text().startswith((f"Replaced, {title}: ", "Nothing changed: "))
    assert not npa.data[~inside_square(npa.data.shape)].any()
    choose(corrector.targets, "npa")
    npa.undo()
    np.testing.assert_array_equal(npa.data != 0, before)


def test_the_panel_offers_every_tool_by_its_id_and_explains_it(viewer, corrector):
    tools = corrector.tools
    offered = [tools.itemData(at) for at in range(tools.count())]
    assert offered == [tool.id for tool in refine.TOOLS.values() if tool.takes == "shape"]
    for at, tool in enumerate(offered):
        assert tools.itemText(at) == refine.TOOLS[tool].title
        explained = tools.itemData(at, Qt.ItemDataRole.ToolTipRole)
        assert explained == refine.TOOLS[tool].explanation
    assert corrector.grow.text() == refine.TOOLS["grow"].title
    assert refine.TOOLS["grow"].explanation in corrector.grow.toolTip()


def test_the_log_of_edits_holds_ids(viewer, corrector, qtbot):
    set_all(corrector.result.npa, 0)
    correct(qtbot, corrector, SQUARE, tool="shape", action="add")
    corrector.grow_at(92, 84, "subtract")
    qtbot.waitUntil(lambda: not corrector.looking, timeout=20_000)
    edits = [edit.tool for edit in corrector.annotations.session.edits]
    assert edits[-2:] == ["shape: add", "grow: subtract"]


def test_no_key_of_ours_is_one_of_napari_s(viewer):
    taken = {KeyBinding.from_str(str(key)) for keys_ in default_shortcuts.values() for key in keys_}
    for kind in (Image, Labels, Shapes, ViewerModel):
        taken |= set(kind.class_keymap)
    for binding in get_app_model().keybindings:
        taken.add(KeyBinding.from_str(str(binding.keybinding)))
    assert len(taken) > 40
    ours = {KeyBinding.from_str(key) for key in (*CORRECT_KEYS, *REVIEW_KEYS)}
    assert len(ours) == len(CORRECT_KEYS) + len(REVIEW_KEYS)
    assert not ours & taken


def test_the_weights_of_the_tile_network_are_chosen_in_the_panel(
    viewer, corrector, qtbot, tmp_path, monkeypatch
):
    torch.manual_seed(1)
    path = tmp_path / "other.safetensors"
    network = VGGUNet(UNetConfig(decoder=(8, 8, 8, 8))).eval()
    save_model(path, network, canvases=TINY_CANVASES, threshold=0.5)
    correct(qtbot, corrector, SQUARE, tool="network", action="replace")
    [before] = corrector.correction.made.proposals
    threads, load = [], refine.TileNetwork.__init__

    def watched(self, *arguments):
        threads.append(threading.current_thread())
        load(self, *arguments)

    monkeypatch.setattr(refine.TileNetwork, "__init__", watched)
    corrector.models.choose_file(path)
    qtbot.waitUntil(lambda: not corrector.jobs, timeout=20_000)
    assert threads
    assert threads[0] is not threading.main_thread()
    correct(qtbot, corrector, SQUARE, tool="network", action="replace")
    assert len(threads) == 1
    [after] = corrector.correction.made.proposals
    assert not np.array_equal(before.evidence, after.evidence)
    assert corrector.models.toolTip()


def test_a_shape_drawn_during_a_correction_is_taken_once(
    viewer, corrector, qtbot, runs, monkeypatch
):
    npa = corrector.result.npa
    set_all(npa, 1)
    asked = []
    find = corrector.refiner.find

    def watched(*arguments, regions, **rest):
        asked.append(len(regions))
        return find(*arguments, regions=regions, **rest)

    monkeypatch.setattr(corrector.refiner, "find", watched)
    choose(corrector.tools, "network")
    busy(runs)
    draw_shape(corrector, SQUARE)
    qtbot.waitUntil(lambda: len(asked) == 1, timeout=5000)
    draw_shape(corrector, np.array(SQUARE) + 20)
    qtbot.wait(100)
    assert asked == [1]  # the second waits its turn
    runs.go.set()
    looked(qtbot, corrector)
    assert asked == [1, 1]
    assert corrector.mouse.shapes.layer.nshapes == 0
    assert len(npa._undo_history) >= 3  # all set, and a step for each correction


def test_a_click_made_while_the_image_is_prepared_waits_for_it(
    viewer, corrector, qtbot, tiny_model, monkeypatch
):
    go, loading, load = threading.Event(), threading.Event(), refine.TileNetwork.__init__

    def slow(self, *arguments):
        loading.set()
        assert go.wait(20)
        load(self, *arguments)

    monkeypatch.setattr(refine.TileNetwork, "__init__", slow)
    set_all(corrector.result.npa, 0)
    corrector.models.choose_file(tiny_model)
    qtbot.waitUntil(loading.is_set, timeout=5000)
    choose(corrector.tools, "network")
    draw_shape(corrector, SQUARE)
    qtbot.waitUntil(lambda: bool(corrector.looking), timeout=5000)
    go.set()
    looked(qtbot, corrector)
    assert corrector.correction is not None
