"""The threshold by mouse and keys: one movement is one step, and mask, slider and record agree."""

import json

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QFileDialog,
    QScrollArea,
    QScrollBar,
    QWidget,
)
from superqt.sliders import QDoubleSlider
from vispy.util import keys

from gestures import click, open_tab, press_key
from napari_npa.plugin.dock.workspace import workspace_of

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def segmented(shown, panel, image, qtbot):
    click(qtbot, panel.run)
    qtbot.waitUntil(lambda: panel.run_job is None and not panel.jobs, timeout=20_000)
    return panel


def drag(qtbot, slider, *values):
    """Take the handle of a slider by the mouse, and let it go at the last of some values."""
    bar = slider.findChild(QDoubleSlider)

    def at(value):
        share = (value - slider.minimum()) / (slider.maximum() - slider.minimum())
        return QPoint(round(7 + share * (bar.width() - 14)), bar.height() // 2)

    qtbot.mousePress(bar, LEFT, pos=at(slider.value()) + QPoint(3, 0))  # beside its middle
    for value in values:
        qtbot.mouseMove(bar, at(value))
        qtbot.wait(80)
    qtbot.mouseRelease(bar, LEFT, pos=at(values[-1]))
    qtbot.wait(300)  # more than any pause that ends a movement


def steps(panel):
    return len(panel.result.npa._undo_history)


def log(panel):
    return [edit.tool for edit in panel.annotations.session.edits]


@pytest.mark.parametrize("mode", ["pan_zoom", "paint"])
def test_a_drag_is_one_step_and_one_entry_in_the_log(segmented, viewer, qtbot, mode):
    segmented.result.npa.mode = mode
    before, threshold = segmented.result.npa.data.copy(), segmented.threshold.value()
    drag(qtbot, segmented.threshold, 0.45, 0.42, 0.41, 0.40)
    assert (segmented.result.npa.data != before).any()
    assert steps(segmented) == 1
    assert log(segmented) == ["threshold"]
    press_key(viewer, "Z", keys.CONTROL)
    np.testing.assert_array_equal(segmented.result.npa.data, before)
    assert segmented.threshold.value() == pytest.approx(threshold)


def test_a_key_held_down_is_one_step_and_one_entry_in_the_log(segmented, qtbot):
    segmented.result.move_threshold(0.43)
    segmented.result.end_move()
    segmented.threshold.setValue(0.43)
    bar = segmented.threshold.findChild(QDoubleSlider)
    before = steps(segmented)
    for _ in range(5):
        qtbot.keyPress(bar, Qt.Key.Key_Left)
        qtbot.wait(40)
    qtbot.wait(300)
    assert segmented.result.segmentation.threshold == pytest.approx(0.38)
    assert steps(segmented) == before + 1
    assert log(segmented)[-1:] == ["threshold"]
    assert log(segmented).count("threshold") <= 2


def consistent(panel, folder):
    """Whether mask, slider and the record of a save are of one threshold."""
    result = panel.result
    threshold = result.segmentation.threshold
    np.testing.assert_array_equal(result.masks()[0], result.segmentation.npa)
    assert panel.threshold.value() == pytest.approx(threshold)
    record = json.loads((folder / "eye_npa.json").read_text())
    assert record["threshold"] == pytest.approx(threshold)
    return threshold


def test_undone_over_two_thresholds_mask_slider_and_record_agree(
    segmented, bar, viewer, qtbot, tmp_path, monkeypatch
):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))

    def saved():
        click(qtbot, bar.save)
        qtbot.waitUntil(lambda: not bar.jobs, timeout=20_000)
        return consistent(segmented, tmp_path)

    seen = [saved()]
    for value in (0.45, 0.42):
        drag(qtbot, segmented.threshold, value)
        seen.append(saved())
    assert len(set(seen)) == 3
    for before in reversed(seen[:-1]):
        press_key(viewer, "Z", keys.CONTROL)
        assert saved() == before
    for after in seen[1:]:
        press_key(viewer, "Z", keys.CONTROL, keys.SHIFT)
        assert saved() == after


def turn_wheel(widget):
    """Turn the mouse wheel over the middle of a widget, as the window system reports it."""
    window = widget.window()
    place = QPointF(widget.mapTo(window, widget.rect().center()))
    QTest.wheelEvent(window.windowHandle(), place, QPoint(0, -120))


NAMES = ["Segment non-perfusion", "Correct non-perfusion", "Review queue", "Batch"]


@pytest.mark.parametrize("name", NAMES)
def test_the_wheel_over_a_control_changes_nothing_even_in_focus(segmented, viewer, qtbot, name):
    panel = open_tab(viewer, name)
    qtbot.waitUntil(lambda: not panel.jobs, timeout=20_000)
    kinds = (QAbstractSlider, QAbstractSpinBox, QComboBox)
    controls = [
        each
        for each in workspace_of(viewer).findChildren(QWidget)
        if isinstance(each, kinds) and not isinstance(each, QScrollBar)
    ]
    assert controls
    for control in controls:
        control.setFocus()
        before = values(controls)
        turn_wheel(control)
        qtbot.wait(1)
        assert values(controls) == before, control


def values(controls):
    return [
        each.currentIndex() if isinstance(each, QComboBox) else each.value() for each in controls
    ]


def test_the_wheel_over_a_control_scrolls_the_panel(segmented, viewer, qtbot):
    area = segmented.findChild(QScrollArea)
    area.setFixedHeight(200)
    area.ensureWidgetVisible(segmented.threshold)
    qtbot.wait(50)
    before = area.verticalScrollBar().value()
    turn_wheel(segmented.threshold.findChild(QDoubleSlider))
    assert area.verticalScrollBar().value() > before


def test_what_is_filled_by_napari_s_bucket_is_recorded_and_kept(segmented, viewer, qtbot):
    npa = segmented.result.npa
    npa.mode = "fill"
    npa.fill((80, 80), 1 - int(npa.data[80, 80]))
    qtbot.wait(50)
    assert log(segmented) == ["fill"]
    assert segmented.annotations.flush(10)
