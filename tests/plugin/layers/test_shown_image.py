"""The angiogram of a layer: that of its file, as long as the pixels are those of the file."""

import json
import pickle
import weakref
from concurrent.futures import ThreadPoolExecutor

import dask.array
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Layer
from napari.layers._layer_actions import _duplicate_layer
from napari.plugins import _initialize_plugins

from drawing import draw_round_angiogram
from napari_npa.io.angiogram import angiogram_from_array, read_angiogram
from napari_npa.plugin.layers.open import layer_of, open_file
from napari_npa.plugin.layers.origins import origin_of
from napari_npa.plugin.layers.shown_image import ShownImage


@pytest.fixture
def model(mock_app_model):
    """Layers without a window."""
    _initialize_plugins.cache_clear()
    _initialize_plugins()
    return ViewerModel()


@pytest.fixture
def eye(tmp_path, round_angiogram):
    """An angiogram in a file."""
    path = tmp_path / "eye.tif"
    tifffile.imwrite(path, round_angiogram)
    return path


@pytest.fixture
def ours(model, eye):
    """The file, opened as our panels do."""
    return model.add_layer(Layer.create(*open_file(eye)))


@pytest.fixture
def theirs(model, eye):
    """The file, opened as napari itself does."""
    (layer,) = model.open(eye, plugin="napari")
    return layer


@pytest.fixture
def sha256(eye):
    """Hash of the file."""
    return read_angiogram(eye).sha256


def shown(layer, model):
    return ShownImage.of(layer, model).angiogram()


def test_a_layer_that_we_opened_is_not_decoded_again(model, eye, decodings):
    layer = model.add_layer(Layer.create(*open_file(eye)))
    first, second = shown(layer, model), shown(layer, model)
    assert first is second
    assert np.shares_memory(first.pixels, layer.data)
    assert decodings == [eye]


def test_an_angiogram_in_memory_stays_what_it_is_in_a_layer(model, round_angiogram):
    angiogram = angiogram_from_array(round_angiogram)
    layer = model.add_layer(Layer.create(*layer_of(angiogram, "eye")))
    assert shown(layer, model) is angiogram


def test_a_renamed_layer_keeps_its_angiogram(model, ours, sha256, decodings):
    ours.name = "left eye"
    angiogram = shown(ours, model)
    assert (angiogram.sha256, angiogram.name) == (sha256, "eye.tif")
    assert decodings == []


def test_a_duplicated_layer_is_of_the_same_file(model, ours, eye, sha256, decodings):
    model.layers.selection = {ours}
    _duplicate_layer(model.layers)
    copy = model.layers["eye copy"]
    assert copy.data is not ours.data
    assert [shown(copy, model).sha256 for _ in range(2)] == [sha256, sha256]
    assert decodings == [eye]


def test_a_copy_that_was_changed_is_not_of_the_file(model, ours, sha256):
    model.layers.selection = {ours}
    _duplicate_layer(model.layers)
    copy = model.layers["eye copy"]
    assert shown(copy, model).sha256 == sha256
    copy.data[80, 80] = 1
    assert shown(copy, model).sha256 != sha256
    assert shown(ours, model).sha256 == sha256


def test_other_data_in_a_layer_are_not_of_the_file(model, ours, sha256):
    pixels = ours.data
    ours.data = draw_round_angiogram(160, 7)
    other = shown(ours, model)
    assert (other.sha256 == sha256, other.path) == (False, None)
    np.testing.assert_array_equal(other.pixels, ours.data / np.float32(255))
    ours.data = pixels
    assert shown(ours, model).sha256 == sha256


def test_the_pixels_of_a_layer_that_we_opened_cannot_be_changed_by_accident(ours):
    with pytest.raises(ValueError, match="read-only"):
        ours.data[80, 80] = 1


def test_pixels_changed_in_place_are_not_of_the_file(model, ours, sha256):
    ours.data.flags.writeable = True
    assert shown(ours, model).sha256 == sha256  # nothing has changed yet
    ours.data[80, 80] /= 2
    changed = shown(ours, model)
    assert (changed.sha256 == sha256, changed.path) == (False, None)
    assert changed.pixels[80, 80] == ours.data[80, 80]


@pytest.mark.parametrize("opened_by", ["ours", "theirs"])
def test_hash_and_pixels_belong_together_when_the_file_changes(
    opened_by, model, eye, sha256, request
):
    layer = request.getfixturevalue(opened_by)
    before = shown(layer, model)
    tifffile.imwrite(eye, draw_round_angiogram(160, 7))
    after = shown(layer, model)
    assert before.sha256 == after.sha256 == sha256
    np.testing.assert_array_equal(before.pixels, after.pixels)


def test_a_layer_that_napari_opened_is_decoded_once(model, theirs, eye, sha256, decodings):
    assert theirs.data.dtype == np.uint8
    with ThreadPoolExecutor(2) as workers:  # the look-up and the run may ask at the same time
        asked = [workers.submit(shown, theirs, model) for _ in range(2)]
    for angiogram in [job.result() for job in asked] + [shown(theirs, model)]:
        assert (angiogram.sha256, angiogram.path) == (sha256, eye)
    assert decodings == [eye]


def test_a_layer_that_napari_opened_is_not_of_the_file_once_it_was_changed(model, theirs, sha256):
    assert shown(theirs, model).sha256 == sha256
    theirs.data[80, 80] ^= 255
    assert shown(theirs, model).sha256 != sha256


def test_new_data_are_compared_with_the_file_as_it_is_now(model, theirs, eye, decodings):
    shown(theirs, model)
    other = draw_round_angiogram(160, 7)
    tifffile.imwrite(eye, other)
    theirs.data = other
    assert shown(theirs, model).sha256 == read_angiogram(eye).sha256
    assert len(decodings) == 3


def test_each_frame_of_a_file_has_its_own_hash(model, tmp_path):
    path = tmp_path / "series.tif"
    frames = np.stack([draw_round_angiogram(160, seed) for seed in range(3)])
    tifffile.imwrite(path, frames, photometric="minisblack")
    (theirs,) = model.open(path, plugin="napari")
    found = []
    for at in range(3):
        model.dims.set_point(0, at)
        found.append(shown(theirs, model))
    assert [angiogram.frame for angiogram in found] == [0, 1, 2]
    assert {angiogram.path for angiogram in found} == {path}
    assert found[0].sha256 == read_angiogram(path).sha256
    assert len({angiogram.sha256 for angiogram in found}) == 3
    model.layers.clear()
    (ours,) = model.open(path, plugin="napari-npa")
    for at in range(3):
        model.dims.set_point(0, at)
        assert shown(ours, model).sha256 == found[at].sha256
        np.testing.assert_array_equal(ours.data[at], found[at].pixels)


def test_a_file_that_only_another_reader_knows_is_tried_once(
    model, tmp_path, round_angiogram, decodings
):
    path = tmp_path / "eye.xyz"
    path.write_bytes(b"no image that we know" * 20)
    layer = model.add_image(round_angiogram, metadata={"path": str(path)})
    assert shown(layer, model).path is None
    path.unlink()
    assert shown(layer, model).path is None


def test_lazy_data_are_compared_too(model, eye, sha256, round_angiogram):
    layer = model.add_image(dask.array.from_array(round_angiogram), metadata={"path": str(eye)})
    assert shown(layer, model).sha256 == sha256


def test_metadata_are_text_and_a_pickled_layer_is_still_of_its_file(model, ours, sha256):
    data, settings, kind = ours.as_layer_data_tuple()
    json.dumps(settings["metadata"])
    again = pickle.loads(pickle.dumps((data, dict(settings), kind)))
    layer = model.add_layer(Layer.create(*again))
    assert shown(layer, model).sha256 == sha256


def test_an_angiogram_goes_with_its_pixels(eye):
    pixels, *_ = open_file(eye)
    gone = weakref.ref(origin_of(pixels))
    del pixels
    assert gone() is None
