"""Threshold and pixels have one history: what undo and redo lead to is what was there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Image

from drawing import draw_round_angiogram
from napari_npa.plugin.correct.correction import LayerCorrection
from napari_npa.plugin.layers.result_layers import Results
from napari_npa.plugin.layers.shown_image import ShownImage
from napari_npa.refine import Proposal, Region
from napari_npa.segmentation.segmenter import Segmenter

SIDE = 160


@pytest.fixture(scope="module")
def segmentation(tiny_model):
    """Found by the tiny network: all at 0.3, about half at 0.43, nothing at 0.5."""
    return Segmenter("cpu", tiny_model).segment(draw_round_angiogram(SIDE))


def shown(segmentation):
    """A result in a viewer without a window."""
    viewer = ViewerModel()
    image = viewer.add_layer(Image(segmentation.angiogram.pixels))
    results = Results(viewer)
    return results.show(ShownImage.of(image, viewer), segmentation, 1.0, viewer)


def stroke(result, at):
    """A stroke of the brush in three stamps, which changes the pixel that it begins at."""
    npa = result.npa
    npa.brush_size = 15
    value = 1 - int(npa.data[at])
    with npa.block_history():
        for step in range(3):
            npa.paint((at[0] + 4 * step, at[1]), value)


def proposal(at):
    """What a tool might find in a square: more to the right of it, less to the left."""
    inside = np.ones((21, 21), bool)
    evidence = np.tile(np.linspace(0, 1, 21, dtype=np.float32), (21, 1))
    window = (slice(at[0] - 10, at[0] + 11), slice(at[1] - 10, at[1] + 11))
    return Proposal(Region(window, inside), evidence)


def correct(result, at, sensitivities):
    """A correction whose sensitivity is then dragged."""
    correction = LayerCorrection(result.npa, [proposal(at)], "replace")
    for sensitivity in sensitivities:
        correction.adjust(sensitivity)
    correction.end_adjusting()


def drag(result, thresholds):
    for threshold in thresholds:
        result.move_threshold(threshold)
    result.end_move()


def state(result):
    return result.npa.data.tobytes(), result.segmentation.threshold


PLACES = st.tuples(st.integers(40, 110), st.integers(40, 110))
# Many lie between the lowest and the highest probability, some beyond: those change no pixel.
THRESHOLDS = st.integers(34, 50).map(lambda percent: percent / 100)
ACTIONS = st.one_of(
    st.tuples(st.just(drag), st.lists(THRESHOLDS, min_size=1, max_size=4)),
    st.tuples(st.just(stroke), PLACES),
    st.tuples(st.just(correct), PLACES, st.lists(st.floats(0.1, 0.9), max_size=3)),
    st.tuples(st.just("undo")),
    st.tuples(st.just("redo")),
)


@settings(deadline=None, max_examples=60)
@given(actions=st.lists(ACTIONS, max_size=25))
def test_undo_and_redo_lead_back_to_each_state_threshold_included(segmentation, actions):
    result = shown(segmentation)
    states, at = [state(result)], 0
    for do, *how in actions:
        if do == "undo":
            result.npa.undo()
            at = max(at - 1, 0)
        elif do == "redo":
            result.npa.redo()
            at = min(at + 1, len(states) - 1)
        else:
            steps = len(result.npa._undo_history)
            do(result, *how)
            made = len(result.npa._undo_history) - steps
            assert made <= (2 if do is correct else 1)
            if do is correct and made == 2:  # the correction itself, and the drag
                after = state(result)
                result.npa.undo()
                states = [*states[: at + 1], state(result), after]
                result.npa.redo()
            elif made:
                states = [*states[: at + 1], state(result)]
            at += made
        assert state(result) == states[at]


def test_over_two_thresholds_the_mask_never_belongs_to_another(segmentation):
    result = shown(segmentation)
    seen = [state(result)]
    for threshold in (0.43, 0.40):
        drag(result, [threshold])
        seen.append(state(result))
    stroke(result, (80, 80))
    stroke(result, (60, 60))
    for _ in range(2):
        result.npa.undo()
    for before in reversed(seen):
        assert state(result) == before
        result.npa.undo()
    for after in seen:
        assert state(result) == after
        result.npa.redo()


def test_the_threshold_stays_when_its_step_is_too_long_ago_to_be_undone(segmentation):
    result = shown(segmentation)
    drag(result, [0.41])
    for _ in range(101):
        stroke(result, (80, 80))
    for _ in range(110):
        result.npa.undo()
    assert result.segmentation.threshold == 0.41
    for _ in range(110):
        result.npa.redo()
    assert result.segmentation.threshold == 0.41


def test_a_second_run_is_undone_with_its_threshold(segmentation):
    result = shown(segmentation)
    drag(result, [0.41])
    before = state(result)
    result.run_again(segmentation.at_threshold(0.43), 1.0)
    after = state(result)
    result.npa.undo()
    assert state(result) == before
    result.npa.redo()
    assert state(result) == after
