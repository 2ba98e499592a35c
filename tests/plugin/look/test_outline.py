"""Outlines are those of napari, without its seconds."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from napari.layers import Labels

from napari_npa.plugin.look.outline import draw_outline_fast, rim

MASKS = arrays(
    np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 1)
)


def shown(layer):
    """What napari shows of a layer."""
    layer.refresh()
    return np.asarray(layer._slice.image.view).copy()


@settings(deadline=None, max_examples=60)
@given(mask=MASKS, width=st.integers(1, 5))
def test_the_outline_is_that_of_napari(mask, width):
    napari_s, ours = Labels(mask.copy()), Labels(mask.copy())
    draw_outline_fast(ours)
    napari_s.contour = ours.contour = width
    np.testing.assert_array_equal(shown(ours), shown(napari_s))


@pytest.mark.parametrize("place", [(0, 0), (20, 20), (39, 15)])
def test_a_stroke_changes_the_outline_as_napari_would(place):
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 10:30] = 1
    layers = Labels(mask.copy()), Labels(mask.copy())
    draw_outline_fast(layers[0])
    for layer in layers:
        layer.contour = 2
        layer.brush_size = 9
        layer.paint(place, 0 if place == (20, 20) else 1)
    ours, napari_s = (np.asarray(layer._slice.image.view) for layer in layers)
    np.testing.assert_array_equal(ours, napari_s)


def test_sixteen_million_pixels_take_no_second():
    rows, columns = np.ogrid[:4000, :4000]
    mask = ((rows - 2000) ** 2 + (columns - 2000) ** 2 < 1800**2).astype(np.uint8)
    started = time.process_time()
    rim(mask, 4)
    assert time.process_time() - started < 1
