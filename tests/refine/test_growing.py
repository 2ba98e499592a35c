"""A click fills the dark area around it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from drawing import TINY_CANVASES
from napari_npa.imaging.field_of_view import CAMERA_55
from napari_npa.imaging.letterbox import Letterbox
from napari_npa.refine.close_up import CloseUp
from napari_npa.refine.growing import grow, path_costs

SIDE = 200
CENTRE = (100, 100)
MM = 16 / SIDE
"""Of a pixel of the images drawn here: their canvas is as large as they are, of a 55° field."""

DOWN, RIGHT = np.ogrid[:SIDE, :SIDE]
FROM_CENTRE = np.hypot(DOWN - CENTRE[0], RIGHT - CENTRE[1])
EVERYWHERE = np.ones((SIDE, SIDE), bool)


def seen_as(image: np.ndarray, canvas: int = SIDE) -> CloseUp:
    """Close-up of gray levels in [0, 1], without stretching."""
    box = Letterbox(image.shape, canvas)
    stretched = box.apply(image.astype(np.float32))
    return CloseUp(stretched, np.ones_like(stretched, bool), box, CAMERA_55)


def dark_disc(radius: float = 30, seed: int = 0) -> np.ndarray:
    """Textured gray with a dark disc in the middle."""
    texture = gaussian_filter(np.random.default_rng(seed).normal(0, 1, (SIDE, SIDE)), 1)
    return np.clip(np.where(radius >= FROM_CENTRE, 0.2, 0.5) + 0.03 * texture, 0, 1)


def whole(proposal, sensitivity: float = 0.5) -> np.ndarray:
    """What is found, on the whole image."""
    return proposal.applied(np.zeros((SIDE, SIDE), bool), "add", sensitivity)


def dice(found: np.ndarray, wanted: np.ndarray) -> float:
    return 2 * (found & wanted).sum() / (found.sum() + wanted.sum())


def test_a_click_in_a_dark_disc_finds_the_disc():
    found = whole(grow(seen_as(dark_disc()), CENTRE, retina=EVERYWHERE))
    assert dice(found, FROM_CENTRE <= 30) > 0.93


def test_a_vessel_stops_the_growth():
    image = np.full((SIDE, SIDE), 0.2)
    image[:, 120:125] = 0.8
    found = whole(grow(seen_as(image), CENTRE, retina=EVERYWHERE))
    assert found[:, 60:118].mean() > 0.7
    assert not found[:, 125:].any()


def test_a_long_leak_through_a_gap_is_not_followed():
    image = np.full((SIDE, SIDE), 0.3)
    image[FROM_CENTRE <= 30] = 0.2
    image[(FROM_CENTRE > 30) & (FROM_CENTRE < 34)] = 0.8
    image[98:103, 128:136] = 0.2
    found = whole(grow(seen_as(image), CENTRE, retina=EVERYWHERE))
    assert found[FROM_CENTRE <= 28].all()
    assert not found[FROM_CENTRE > 50].any()


def test_the_probability_stops_what_gray_does_not():
    image = np.full((SIDE, SIDE), 0.2)
    probability = np.where(RIGHT + 0 * DOWN < 120, 0.9, 0.0).astype(np.float32)
    guided = grow(seen_as(image), CENTRE, retina=EVERYWHERE, probability=probability)
    alone = grow(seen_as(image), CENTRE, retina=EVERYWHERE)
    assert whole(alone)[100, 150]
    assert whole(guided)[100, 115]
    assert not whole(guided)[100, 150]


def test_a_probability_that_is_the_same_everywhere_says_nothing():
    missed = np.zeros((SIDE, SIDE), np.float32)
    seen = seen_as(dark_disc())
    guided = grow(seen, CENTRE, retina=EVERYWHERE, probability=missed)
    np.testing.assert_array_equal(guided.evidence, grow(seen, CENTRE, retina=EVERYWHERE).evidence)


@pytest.mark.parametrize("canvas", [100, 200, 333])
def test_the_grid_of_the_canvas_does_not_matter(canvas):
    found = whole(grow(seen_as(dark_disc(), canvas), CENTRE, retina=EVERYWHERE))
    assert dice(found, FROM_CENTRE <= 30) > 0.9


def test_the_probability_lies_where_the_image_does_on_a_finer_canvas():
    image = np.full((SIDE, SIDE), 0.2)
    probability = np.where(RIGHT + 0 * DOWN < 120, 1.0, 0.0).astype(np.float32)
    found = whole(grow(seen_as(image, 400), CENTRE, retina=EVERYWHERE, probability=probability))
    assert found[100, 119]
    assert not found[100, 123:].any()


def test_a_click_beside_the_gradable_retina_finds_nothing():
    retina = FROM_CENTRE > 10
    proposal = grow(seen_as(dark_disc()), CENTRE, retina=retina)
    assert not proposal.found(1).any()


def test_one_gradable_pixel_is_found_alone():
    retina = np.zeros((SIDE, SIDE), bool)
    retina[CENTRE] = True
    found = whole(grow(seen_as(dark_disc(), 64), CENTRE, retina=retina), 1)
    np.testing.assert_array_equal(found, retina)


def test_retina_behind_what_is_not_gradable_is_not_found():
    retina = EVERYWHERE.copy()
    retina[:, 130:140] = False
    found = whole(grow(seen_as(np.full((SIDE, SIDE), 0.2)), CENTRE, retina=retina), 1)
    assert found[100, 129]
    assert not found[:, 130:].any()


@pytest.mark.parametrize("seed", [(-1, 5), (5, SIDE), (SIDE, 0)])
def test_a_seed_outside_the_image_is_refused(seed):
    with pytest.raises(ValueError, match="outside the image"):
        grow(seen_as(dark_disc()), seed, retina=EVERYWHERE)


def test_masks_of_another_shape_and_no_radius_are_refused():
    seen = seen_as(dark_disc())
    with pytest.raises(ValueError, match=r"retina has shape \(5, 5\)"):
        grow(seen, CENTRE, retina=np.ones((5, 5), bool))
    with pytest.raises(ValueError, match="probability has shape"):
        grow(seen, CENTRE, retina=EVERYWHERE, probability=np.ones((5, 5), np.float32))
    with pytest.raises(ValueError, match="radius_mm is 0"):
        grow(seen, CENTRE, retina=EVERYWHERE, radius_mm=0)


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(0, SIDE - 1), st.integers(0, SIDE - 1)),
    st.floats(0.05, 12),
    st.integers(0, 5),
    st.sampled_from([TINY_CANVASES["55"], SIDE]),
)
def test_nothing_is_found_outside_retina_or_radius_and_more_sensitivity_finds_more(
    seed, radius, texture, canvas
):
    retina = FROM_CENTRE < 90
    proposal = grow(seen_as(dark_disc(seed=texture), canvas), seed, retina=retina, radius_mm=radius)
    assert proposal.evidence.dtype == np.float32
    assert proposal.evidence.min() >= 0
    assert proposal.evidence.max() <= 1
    before = np.zeros((SIDE, SIDE), bool)
    for sensitivity in (0, 0.2, 0.5, 0.8, 1):
        found = whole(proposal, sensitivity)
        assert found[seed] == retina[seed]
        assert not (before & ~found).any()
        before = found
    away = np.hypot(DOWN - seed[0], RIGHT - seed[1]) * MM
    assert not (before & ~retina).any()
    assert not (before & (away > radius + 1e-6)).any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_the_cost_of_a_way_is_that_of_the_cheapest_path_in_the_grid(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 9, 2))
    step = rng.uniform(0.01, 1, shape).astype(np.float32)
    passable = rng.uniform(size=shape) < 0.8
    start = tuple(int(rng.integers(0, side)) for side in shape)
    passable[start] = True
    edges = [
        (a, b, (step[p] + step[q]) / 2 * np.hypot(p[0] - q[0], p[1] - q[1]))
        for a, p in enumerate(np.ndindex(shape))
        for b, q in enumerate(np.ndindex(shape))
        if passable[p] and passable[q] and max(abs(p[0] - q[0]), abs(p[1] - q[1])) == 1
    ]
    first, second, cost = np.array(edges).T if edges else np.zeros((3, 0))
    graph = coo_array((cost, (first.astype(int), second.astype(int))), (step.size, step.size))
    expected = dijkstra(graph.tocsr(), indices=int(np.ravel_multi_index(start, shape)))
    np.testing.assert_allclose(
        path_costs(step, passable, start).ravel(), expected, rtol=1e-5, atol=1e-7
    )
