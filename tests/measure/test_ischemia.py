import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_npa.errors import RetinaError
from napari_npa.measure.ischemia import ischemic_index

masks = arrays(bool, (6, 7))


def test_index_is_the_non_perfused_share_of_the_gradable_retina():
    retina = np.zeros((10, 10), bool)
    retina[:, :8] = True  # 80 pixels
    npa = np.zeros((10, 10), bool)
    npa[:2] = True  # 16 of them gradable, 4 not
    assert ischemic_index(npa, retina) == 16 / 80


@given(npa=masks, retina=masks)
def test_index_lies_between_0_and_1_or_there_is_none(npa, retina):
    if retina.any():
        assert 0 <= ischemic_index(npa, retina) <= 1
    else:
        with pytest.raises(RetinaError, match="has no ischemic index"):
            ischemic_index(npa, retina)


@given(npa=masks, retina=masks, turns=st.integers(1, 3))
def test_a_turned_eye_has_the_same_index(npa, retina, turns):
    retina[0, 0] = True
    turned = ischemic_index(np.rot90(npa, turns), np.rot90(retina, turns))
    assert turned == ischemic_index(npa, retina)
