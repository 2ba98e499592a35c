"""Regions, actions and proposals: what a correction changes, and what it never does."""

from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.draw import polygon2mask

from napari_npa.refine import (
    Action,
    Proposal,
    Region,
    corrected,
    ellipse_corners,
    polygon_region,
    shape_itself,
    whole_region,
)

SHAPE = (40, 50)
masks = arrays(np.bool_, SHAPE)


def inside(region: Region) -> np.ndarray:
    """A region as a mask of the image."""
    mask = np.zeros(SHAPE, np.bool_)
    mask[region.window] = region.inside
    return mask


def test_a_polygon_holds_the_pixels_whose_centres_are_in_it():
    region = polygon_region([(9.5, 4.5), (9.5, 14.5), (19.5, 14.5), (19.5, 4.5)], SHAPE)
    expected = np.zeros(SHAPE, bool)
    expected[10:20, 5:15] = True
    np.testing.assert_array_equal(inside(region), expected)


def test_a_polygon_beyond_the_image_is_cut_at_its_border():
    region = polygon_region([(-20, -20), (-20, 9.5), (9.5, 9.5), (9.5, -20)], SHAPE)
    assert region.window == (slice(0, 11), slice(0, 11))
    assert inside(region).sum() == 100


@pytest.mark.parametrize("shift", [(100, 0), (0, 100), (-100, 0), (0, -100)])
def test_a_polygon_outside_the_image_is_no_region(shift):
    corners = np.array([(0, 0), (0, 9), (9, 9), (9, 0)]) + shift
    assert polygon_region(corners, SHAPE) is None


def test_a_line_is_no_region():
    assert polygon_region([(5.2, 5.2), (5.2, 30.2)], SHAPE) is None


def test_an_ellipse_has_the_area_of_its_formula_also_when_turned():
    box = np.array([(-30.0, -60), (-30, 60), (30, 60), (30, -60)])
    turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    region = polygon_region(ellipse_corners(box @ turn + 100), (200, 200))
    assert region.inside.sum() == pytest.approx(np.pi * 30 * 60, rel=0.005)


@given(masks, masks, masks, st.sampled_from(get_args(Action)))
def test_nothing_outside_the_region_is_changed(mask, found, region, action):
    after = corrected(mask, found, region, action)
    np.testing.assert_array_equal(after[~region], mask[~region])


@given(masks, masks, masks)
def test_actions_are_what_their_names_say(mask, found, region):
    add, replace, remove, certain, subtract = (
        corrected(mask, found, region, action) for action in get_args(Action)
    )
    np.testing.assert_array_equal(add, mask | (found & region))
    np.testing.assert_array_equal(remove, mask & ~region)
    np.testing.assert_array_equal(replace, remove | (found & region))
    np.testing.assert_array_equal(certain, remove | (mask & found & region))
    np.testing.assert_array_equal(subtract, mask & ~(found & region))


evidence = arrays(np.float32, (12, 9), elements=st.floats(0, 1, width=32))
PLACE = (slice(3, 15), slice(20, 29))


@given(evidence, st.floats(0, 1), st.floats(0, 1))
def test_more_sensitivity_never_finds_less(evidence, one, other):
    proposal = Proposal(Region(PLACE, np.ones((12, 9), bool)), evidence)
    less, more = sorted((one, other))
    assert not (proposal.found(less) & ~proposal.found(more)).any()


@given(evidence, masks, masks)
def test_an_applied_proposal_stays_in_its_region_and_in_what_is_allowed(evidence, mask, allowed):
    region = Region(PLACE, np.tri(12, 9, dtype=bool))
    before = mask.copy()
    after = Proposal(region, evidence).within(allowed).applied(mask, "add", 1.0)
    np.testing.assert_array_equal(mask, before)
    changed = after != before
    assert not (changed & ~inside(region)).any()
    assert not (changed & ~allowed).any()


def test_the_shape_itself_is_found_at_any_sensitivity():
    proposal = shape_itself(whole_region(SHAPE))
    assert proposal.found(0.01).all()
    assert proposal.found(0.99).all()


def on_an_edge(corners):
    """Centres that an edge of a polygon passes through, but for rounding."""
    centres = np.stack(np.indices(SHAPE), axis=-1).astype(float)
    near = np.zeros(SHAPE, np.bool_)
    for start, end in pairwise([*corners, corners[0]]):
        along = np.subtract(end, start)
        offset = centres - start
        share = np.clip(offset @ along / max(along @ along, 1e-12), 0, 1)
        near |= np.linalg.norm(offset - share[..., None] * along, axis=-1) < 1e-6
    return near


places = st.floats(-30, 70, width=32).map(lambda at: float(at) + 0.0123)  # never on a centre


@given(st.lists(st.tuples(places, places), min_size=3, max_size=9))
def test_a_polygon_holds_what_an_independent_library_says(corners):
    region = polygon_region(corners, SHAPE)
    held = inside(region) if region is not None else np.zeros(SHAPE, np.bool_)
    expected = polygon2mask(SHAPE, corners)
    # Edges that pass through a centre, but for rounding, may be taken either way.
    assert not (held != expected)[~on_an_edge(corners)].any()
