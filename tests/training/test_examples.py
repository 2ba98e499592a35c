from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from tiny_training import files_of

from drawing import TINY_CANVASES
from napari_npa.errors import AngiogramError
from napari_npa.training.examples import Example, load_example, tiles


def test_the_retina_of_an_example_is_known_only_where_it_is_outlined(labelled):
    tifffile.imwrite(labelled / "patient02_1_retina.tif", np.ones((128, 128), np.uint8))
    examples = [load_example(file, TINY_CANVASES) for file in files_of(labelled)]
    assert [example.retina is not None for example in examples] == [False, False, True, False]
    assert examples[2].retina.all()


def test_mask_of_another_size_is_named(labelled):
    tifffile.imwrite(labelled / "patient02_1_npa.tif", np.zeros((9, 9), np.uint8))
    with pytest.raises(AngiogramError, match=r"'patient02_1_npa\.tif' has 9 x 9 pixels"):
        load_example(files_of(labelled)[2], TINY_CANVASES)


def test_tiles_without_enough_non_perfusion_are_dropped_but_perfused_eyes_are_kept():
    npa = np.zeros((128, 128), bool)
    npa[:64, 64:128][:13, :32] = True  # 10.2 % of the upper right tile
    npa[64:128, :64][:13, :31] = True  # 9.8 % of the lower left one
    gray = np.arange(128 * 128, dtype=np.uint32).reshape(128, 128).astype(np.uint8)
    whole = Example(Path(), "p", "labelled", gray, npa, retina=~npa)
    (kept,) = tiles([whole], 64)
    np.testing.assert_array_equal(kept.npa, npa[:64, 64:])
    np.testing.assert_array_equal(kept.stretched, gray[:64, 64:])
    np.testing.assert_array_equal(kept.retina, ~npa[:64, 64:])
    perfused = replace(whole, source="perfused", npa=np.zeros_like(npa))
    perfused.stretched[64:, 64:] = 0
    assert len(tiles([perfused], 64)) == 3
    assert tiles([replace(whole, npa=np.ones_like(npa))], 128)[0].npa.shape == (128, 128)


def test_an_example_seen_from_afar_is_half_as_wide():
    npa = np.zeros((64, 64), bool)
    npa[:32] = True
    gray = np.where(npa, 20, 100).astype(np.uint8)
    half = Example(Path(), "p", "labelled", gray, npa, retina=~npa).halved()
    np.testing.assert_array_equal(half.npa, npa[::2, ::2])
    np.testing.assert_array_equal(half.retina, ~npa[::2, ::2])
    np.testing.assert_array_equal(half.stretched, gray[::2, ::2])
    assert replace(half, retina=None).halved().retina is None
