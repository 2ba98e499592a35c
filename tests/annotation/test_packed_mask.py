"""A packed mask is the mask itself, at one bit per pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from napari_npa.annotation.packed_mask import PackedMask


@given(mask=arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=20)))
def test_a_packed_mask_unpacks_to_itself(mask):
    packed = PackedMask.of(mask)
    assert packed.unpack().dtype == np.bool_
    assert np.array_equal(packed.unpack(), mask)
    assert packed.pixels() == mask.sum()
    assert packed == PackedMask.of(mask.copy())


def test_a_view_of_a_mask_is_packed_as_it_looks():
    mask = np.random.default_rng(0).random((31, 47)) > 0.5
    view = mask[::-2, 5:].T
    assert np.array_equal(PackedMask.of(view).unpack(), view)


def test_masks_of_another_shape_are_unequal_even_with_the_same_bits():
    assert PackedMask.of(np.ones((2, 8), np.bool_)) != PackedMask.of(np.ones((4, 4), np.bool_))


@pytest.mark.parametrize("mask", [np.zeros((4, 4), np.uint8), np.zeros((1, 4, 4), np.bool_)])
def test_only_boolean_masks_of_rows_and_columns_are_packed(mask):
    with pytest.raises(ValueError, match="bool"):
        PackedMask.of(mask)
