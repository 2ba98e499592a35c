"""Who removes one layer of a result gets it back; who removes both removes the result."""

import numpy as np
import pytest

from gestures import click, notifications


@pytest.fixture
def segmented(shown, panel, image, qtbot):
    run(qtbot, panel)
    return panel


def run(qtbot, panel):
    click(qtbot, panel.run)
    qtbot.waitUntil(lambda: panel.run_job is None and not panel.jobs, timeout=20_000)


def kinds(viewer):
    return [layer.name.split()[0] for layer in viewer.layers]


@pytest.mark.parametrize("name", ["Retina", "NPA"])
def test_one_layer_of_a_result_comes_back_with_its_corrections(segmented, bar, viewer, qtbot, name):
    result = segmented.result
    layer = next(each for each in viewer.layers if each.name.startswith(name))
    layer.data_setitem((np.array([80]), np.array([80])), 1 - int(layer.data[80, 80]))
    masks, before = result.masks(), kinds(viewer)
    viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: kinds(viewer) == before, timeout=2000)
    assert segmented.result is result
    for mask, expected in zip(result.masks(), masks, strict=True):
        np.testing.assert_array_equal(mask, expected)
    assert bar.save.isEnabled()
    assert any("put back" in line for line in notifications())
    run(qtbot, segmented)
    assert kinds(viewer) == before
    viewer.screenshot(canvas_only=True, flash=False)


def test_both_layers_stay_removed_and_save_says_why_it_is_off(segmented, bar, viewer, qtbot):
    viewer.layers.selection = {segmented.result.npa, segmented.result.retina}
    viewer.layers.remove_selected()
    qtbot.wait(50)
    assert len(viewer.layers) == 1
    assert not bar.save.isEnabled()
    assert "press Run" in bar.save.toolTip()
    run(qtbot, segmented)
    assert sorted(kinds(viewer)) == ["NPA", "Retina", "eye"]
    assert bar.save.isEnabled()


def test_an_image_that_is_removed_takes_its_layers_along(segmented, viewer, qtbot):
    viewer.layers.remove(segmented.image)
    qtbot.wait(50)
    assert list(viewer.layers) == []
