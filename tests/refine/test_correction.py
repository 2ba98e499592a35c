"""A correction whose sensitivity can be changed afterwards."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_npa.refine import Correction, Proposal, Region, window_around

SHAPE = (20, 16)
masks = arrays(np.bool_, SHAPE)
evidence = arrays(np.float32, (6, 5), elements=st.floats(0, 1, width=32))
FIRST, SECOND = (slice(2, 8), slice(3, 8)), (slice(5, 11), slice(9, 14))


def made_of(mask, first, second, action="replace", sensitivity=0.5):
    proposals = [
        Proposal(Region(FIRST, np.tri(6, 5, dtype=bool)), first),
        Proposal(Region(SECOND, np.ones((6, 5), bool)), second),
    ]
    window = window_around(proposal.region for proposal in proposals)
    return Correction(proposals, action, mask[window], window, sensitivity)


def test_the_window_holds_all_regions():
    correction = made_of(*(np.zeros(shape, bool) for shape in (SHAPE, (6, 5), (6, 5))))
    assert correction.window == (slice(2, 11), slice(3, 14))


@given(masks, evidence, evidence, st.sampled_from(["add", "replace", "certain", "subtract"]))
def test_the_outcome_is_that_of_the_proposals_one_after_another(mask, first, second, action):
    correction = made_of(mask, first, second, action, 0.3)
    expected = mask
    for proposal in correction.proposals:
        expected = proposal.applied(expected, action, 0.3)
    np.testing.assert_array_equal(correction.applied(mask), expected)
    np.testing.assert_array_equal(correction.outcome(), expected[correction.window])
    assert correction.gained == int(expected.sum()) - int(mask.sum())


@given(masks, evidence, evidence, st.floats(0, 1), st.floats(0, 1))
def test_adjusting_goes_on_from_the_mask_before(mask, first, second, one, other):
    correction = made_of(mask, first, second, "add", one)
    correction.sensitivity = other
    again = made_of(mask, first, second, "add", other)
    np.testing.assert_array_equal(correction.outcome(), again.outcome())


def test_an_undo_leads_back_to_the_sensitivity_of_an_earlier_step():
    steps = np.linspace(0, 1, 30, dtype=np.float32).reshape(6, 5)
    correction = made_of(np.zeros(SHAPE, bool), steps, steps)
    at_first = correction.outcome()
    correction.sensitivity = 0.9
    correction.end_step()
    assert correction.is_shown(correction.outcome())
    assert correction.sensitivity == 0.9
    assert correction.is_shown(at_first)
    assert correction.sensitivity == 0.5
    stroke = at_first.copy()
    stroke[0, 0] ^= True
    assert not correction.is_shown(stroke)
