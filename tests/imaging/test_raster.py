"""Growing masks, against the distance transform; filling and smoothing, against scipy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy.ndimage import binary_fill_holes, distance_transform_edt, median_filter
from skimage.transform import resize

from napari_npa.imaging.raster import (
    dilated,
    enlarged,
    eroded,
    filled,
    linear_weights,
    median_of_nine,
)

MASKS = npst.arrays(np.bool_, npst.array_shapes(min_dims=2, max_dims=2, max_side=24))
IMAGES = npst.arrays(
    np.float32,
    npst.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.integers(0, 20).map(float),
)
RADII = st.one_of(st.integers(0, 30), st.floats(0, 30))


@given(mask=MASKS, radius=RADII)
def test_a_mask_grows_to_all_pixels_within_the_radius(mask, radius):
    near = distance_transform_edt(~mask) <= radius if mask.any() else mask
    np.testing.assert_array_equal(dilated(mask, radius), near)


@given(mask=MASKS, radius=RADII)
def test_the_sides_of_the_image_do_not_eat_into_a_mask(mask, radius):
    margin = 31
    wide = np.pad(mask, margin, mode="edge")
    inner = (slice(margin, -margin), slice(margin, -margin))
    np.testing.assert_array_equal(eroded(mask, radius), eroded(wide, radius)[inner])


@pytest.mark.parametrize("radius", [math.nextafter(3, 0), 3, math.sqrt(13), math.nextafter(1, 0)])
def test_a_radius_beside_a_distance_between_pixels(radius):
    mask = np.zeros((9, 9), np.bool_)
    mask[4, 4] = True
    near = distance_transform_edt(~mask) <= radius
    np.testing.assert_array_equal(dilated(mask, radius), near)


def test_a_wide_image_and_a_single_column():
    mask = np.zeros((1, 50), np.bool_)
    mask[0, 20] = True
    assert np.flatnonzero(dilated(mask, 3.9)[0]).tolist() == list(range(17, 24))
    assert np.flatnonzero(dilated(mask.T, 3.9)[:, 0]).tolist() == list(range(17, 24))


@given(mask=MASKS)
def test_holes_are_filled(mask):
    np.testing.assert_array_equal(filled(mask), binary_fill_holes(mask))


@given(image=IMAGES)
def test_the_median_of_nine_pixels(image):
    np.testing.assert_array_equal(median_of_nine(image), median_filter(image, size=3))


@pytest.mark.parametrize("shape", [(7, 9), (20, 35), (13, 9)])
def test_an_enlarged_mask_has_its_outline_where_scikit_image_puts_it(shape):
    mask = np.random.default_rng(0).random((7, 9)) > 0.5
    linear = resize(mask.astype(np.float64), shape, order=1, mode="edge", anti_aliasing=False)
    sure = abs(linear - 0.5) > 1e-6
    np.testing.assert_array_equal(enlarged(mask, shape)[sure], linear[sure] > 0.5)


def test_weights_between_rows_and_beyond_them():
    weights = linear_weights(np.array([-2.0, 0.25, 1.0, 5.0]), 3).toarray()
    np.testing.assert_array_equal(weights, [[1, 0, 0], [0.75, 0.25, 0], [0, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(linear_weights(np.array([0.0, 3.0]), 1).toarray(), [[1], [1]])
