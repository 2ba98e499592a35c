"""What is painted outside the gradable retina does not look like what is counted."""

import numpy as np
import pytest

from drawing import draw_round_angiogram
from gestures import bar_of, click, drag
from napari_npa.plugin.layers.mask_layers import COUNTED, NOT_COUNTED


@pytest.fixture
def result(shown, viewer, panel, qtbot):
    """A result whose gradable retina is the right half, and that is empty."""
    viewer.add_image(draw_round_angiogram(160), name="eye")
    click(qtbot, panel.run)
    qtbot.waitUntil(lambda: panel.run_job is None and not panel.jobs, timeout=20_000)
    result = panel.result
    result.put(np.zeros((160, 160), bool), np.arange(160)[None, :] >= np.full((160, 1), 80))
    viewer.reset_view()
    qtbot.wait(50)
    return result


def stroke(qtbot, viewer, result):
    """A stroke across the border of the gradable retina."""
    result.npa.mode = "paint"
    result.npa.selected_label = 1
    result.npa.brush_size = 15
    viewer.layers.selection.active = result.npa
    drag(qtbot, viewer, result.npa, (80, 60), (80, 70), (80, 80), (80, 90), (80, 100))


def are_marked(result) -> bool:
    """Whether each non-perfused pixel has the label of its side."""
    npa, counts = result.npa.data, result.retina.data != 0
    labels = np.where(counts, COUNTED, NOT_COUNTED)
    return bool((npa[npa != 0] == labels[npa != 0]).all())


def test_a_stroke_across_the_border_has_two_colours_and_one_counts(viewer, result, qtbot):
    stroke(qtbot, viewer, result)
    painted = result.npa.data != 0
    assert painted[:, :80].any()
    assert painted[:, 80:].any()
    qtbot.waitUntil(lambda: are_marked(result), timeout=2000)
    np.testing.assert_array_equal(result.npa.data != 0, painted)
    inside, outside = (result.npa.get_color(label) for label in (COUNTED, NOT_COUNTED))
    assert not np.allclose(inside, outside, atol=0.2)
    counted = int(painted[:, 80:].sum())
    index = bar_of(viewer).index
    qtbot.waitUntil(lambda: f"Non-perfused {counted:,} px" in index.counts.text(), timeout=2000)


def test_the_colours_follow_undo_redo_and_the_retina(viewer, result, qtbot):
    stroke(qtbot, viewer, result)
    qtbot.waitUntil(lambda: are_marked(result), timeout=2000)
    painted = result.npa.data != 0
    result.npa.undo()
    assert not result.npa.data.any()
    result.npa.redo()
    qtbot.waitUntil(lambda: are_marked(result), timeout=2000)
    np.testing.assert_array_equal(result.npa.data != 0, painted)
    result.retina.undo()
    result.retina.data_setitem(np.nonzero(np.ones((160, 160))), 1)
    qtbot.waitUntil(lambda: are_marked(result), timeout=2000)
    assert set(np.unique(result.npa.data)) == {0, COUNTED}
    np.testing.assert_array_equal(result.npa.data != 0, painted)


def test_marking_is_no_edit(viewer, panel, result, qtbot):
    panel.annotations.record("begin")
    before = panel.annotations.session.number
    stroke(qtbot, viewer, result)
    qtbot.waitUntil(lambda: are_marked(result), timeout=2000)
    qtbot.wait(300)
    assert panel.annotations.session.number == before + 1
    assert panel.annotations.session.edits[-1].tool == "brush"
