"""Shapes are drawn while others are being computed, dropped half-drawn, and applied in turn."""

import logging

import numpy as np
import pytest
from qtpy.QtCore import Qt
from vispy.util import keys

from canvas import click_at, double_click_at
from gestures import click, drag, notifications, on_canvas, press_key

CORNERS = [(60, 60), (60, 100), (100, 100), (100, 60)]
OTHER = [(110, 60), (110, 90), (130, 90)]


@pytest.fixture(autouse=True)
def _no_error(corrector, caplog):
    """No error in any handler: vispy logs what a mouse callback raises."""
    yield
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []
    assert notifications() == []


@pytest.fixture
def filled(corrector):
    """All of the mask is set, and shapes take away; the network is not asked."""
    npa = corrector.result.npa
    npa.data_setitem(np.nonzero(np.ones_like(npa.data)), 1)
    corrector.action_buttons["remove"].click()
    return npa


def begin(qtbot, viewer, corrector, corners, kind="polygon"):
    """Click the corners of a polygon, without ending it."""
    if not corrector.drawing[kind].isChecked():
        click(qtbot, corrector.drawing[kind])
    click_at(qtbot, viewer, corrector.result.npa, *corners)


def finished(qtbot, corrector):
    qtbot.wait(50)
    qtbot.waitUntil(lambda: not corrector.looking and not corrector.mouse.count, timeout=20_000)
    assert corrector.mouse.shapes is None or corrector.mouse.shapes.layer.nshapes == 0


def hole(npa):
    """Rows and columns around what was taken away."""
    gone = np.argwhere(npa.data == 0)
    return gone.min(axis=0), gone.max(axis=0)


def test_a_polygon_is_applied_where_it_was_drawn(viewer, corrector, filled, qtbot):
    begin(qtbot, viewer, corrector, CORNERS)
    double_click_at(qtbot, viewer, filled, (80, 55))
    finished(qtbot, corrector)
    low, high = hole(filled)
    np.testing.assert_allclose([*low, *high], [60, 55, 100, 100], atol=4)


@pytest.mark.parametrize("points", [1, 2, 4])
def test_escape_drops_a_begun_polygon_and_the_next_is_applied(
    viewer, corrector, filled, qtbot, points
):
    begin(qtbot, viewer, corrector, CORNERS[:points])
    press_key(viewer, "Escape")
    finished(qtbot, corrector)
    assert filled.data.all()
    assert corrector.drawing["polygon"].isChecked()
    begin(qtbot, viewer, corrector, OTHER)
    double_click_at(qtbot, viewer, filled, (130, 60))
    finished(qtbot, corrector)
    low, high = hole(filled)
    np.testing.assert_allclose([*low, *high], [110, 60, 130, 90], atol=6)


def another_shape(viewer, corrector, qtbot):
    click(qtbot, corrector.drawing["rectangle"])


def the_lasso_by_keys(viewer, corrector, qtbot):
    click(qtbot, corrector.drawing["lasso"])


def no_drawing(viewer, corrector, qtbot):
    press_key(viewer, "D", keys.SHIFT)


def grow(viewer, corrector, qtbot):
    press_key(viewer, "G", keys.SHIFT)


def another_layer(viewer, corrector, qtbot):
    viewer.layers.selection.active = corrector.result.npa


def napari_s_own_tool(viewer, corrector, qtbot):
    corrector.mouse.shapes.layer.mode = "select"


TOOLS = [another_shape, the_lasso_by_keys, no_drawing, grow, another_layer, napari_s_own_tool]


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.__name__)
def test_another_tool_drops_a_begun_polygon(viewer, corrector, filled, qtbot, tool):
    begin(qtbot, viewer, corrector, CORNERS)
    tool(viewer, corrector, qtbot)
    finished(qtbot, corrector)
    assert filled.data.all()


@pytest.mark.parametrize("kind", ["rectangle", "ellipse", "lasso"])
def test_escape_drops_what_is_drawn_with_the_button_held(viewer, corrector, filled, qtbot, kind):
    click(qtbot, corrector.drawing[kind])
    native = viewer.window._qt_viewer.canvas.native
    points = [on_canvas(viewer, filled, *place) for place in CORNERS]
    qtbot.mouseMove(native, points[0])
    qtbot.mousePress(native, Qt.MouseButton.LeftButton, pos=points[0])
    for at, point in enumerate(points[1:]):
        qtbot.mouseMove(native, point)
        qtbot.wait(20)
        if at == 1:
            press_key(viewer, "Escape")
    qtbot.mouseRelease(native, Qt.MouseButton.LeftButton, pos=points[-1])
    finished(qtbot, corrector)
    assert filled.data.all()
    drag(qtbot, viewer, filled, *CORNERS)
    finished(qtbot, corrector)
    assert not filled.data.all()


def test_the_next_polygon_is_drawn_while_the_last_is_computed(
    viewer, corrector, filled, qtbot, runs
):
    before = filled.data.copy()
    corrector.tools.setCurrentIndex(corrector.tools.findData("network"))
    corrector.action_buttons["replace"].click()
    runs.go.clear()
    runs.waiting.clear()
    begin(qtbot, viewer, corrector, CORNERS)
    double_click_at(qtbot, viewer, filled, (80, 55))
    qtbot.waitUntil(runs.waiting.is_set, timeout=20_000)
    begin(qtbot, viewer, corrector, OTHER[:2])
    runs.go.set()
    qtbot.waitUntil(lambda: not corrector.looking, timeout=20_000)
    assert (filled.data != before).any()
    _, high = hole(filled)
    assert high[0] <= 101  # the half shape did nothing
    corrector.action_buttons["remove"].click()
    once = filled.data.copy()
    click_at(qtbot, viewer, filled, OTHER[2])
    double_click_at(qtbot, viewer, filled, (130, 60))
    finished(qtbot, corrector)
    changed = np.argwhere(filled.data != once)
    np.testing.assert_allclose(
        [*changed.min(axis=0), *changed.max(axis=0)], [110, 60, 130, 90], atol=6
    )


def test_shapes_wait_their_turn_and_cancel_drops_them(viewer, corrector, filled, qtbot, runs):
    corrector.tools.setCurrentIndex(corrector.tools.findData("network"))
    corrector.action_buttons["replace"].click()
    runs.go.clear()
    runs.waiting.clear()
    click(qtbot, corrector.drawing["rectangle"])
    drag(qtbot, viewer, filled, (60, 60), (75, 75), (90, 90))
    qtbot.waitUntil(runs.waiting.is_set, timeout=20_000)
    corrector.action_buttons["remove"].click()
    drag(qtbot, viewer, filled, (70, 70), (80, 80), (110, 110))
    qtbot.wait(50)
    assert filled.data.all()  # or the network would then fill what was taken away
    runs.go.set()
    finished(qtbot, corrector)
    assert not filled.data[72:108, 72:108].any()
    runs.go.clear()
    runs.waiting.clear()
    corrector.action_buttons["replace"].click()
    drag(qtbot, viewer, filled, (110, 40), (120, 50), (130, 60))
    qtbot.waitUntil(runs.waiting.is_set, timeout=20_000)
    corrector.action_buttons["remove"].click()
    drag(qtbot, viewer, filled, (40, 110), (50, 120), (60, 130))
    before = filled.data.copy()
    qtbot.waitUntil(corrector.cancel.isEnabled, timeout=2000)
    click(qtbot, corrector.cancel)
    runs.go.set()
    finished(qtbot, corrector)
    np.testing.assert_array_equal(filled.data, before)
