"""A file opened by File > Open is what our own Open… gives, or it is said what differs."""

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from napari._qt.dialogs.qt_reader_dialog import prepare_remaining_readers
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from napari.plugins import _initialize_plugins
from napari.settings import get_settings

from drawing import draw_round_angiogram
from gestures import notifications
from napari_npa.errors import AngiogramError
from napari_npa.io.angiogram import read_angiogram
from napari_npa.plugin.layers.on_screen import OnScreen
from napari_npa.plugin.layers.open import open_file
from napari_npa.plugin.layers.origins import origin_of
from napari_npa.plugin.layers.reader import get_reader
from napari_npa.plugin.layers.shown_image import ShownImage, angiogram_layers

OURS, THEIRS = "napari-npa", "napari"


@pytest.fixture
def model(mock_app_model):
    """Layers without a window."""
    _initialize_plugins.cache_clear()
    _initialize_plugins()
    return ViewerModel()


@pytest.fixture
def eye():
    """An angiogram without symmetry, (rows, columns) uint8."""
    gray = draw_round_angiogram(160)
    gray[20:60, 90:120] = 200
    return gray[:, :150].copy()


def shown(layer, model):
    return ShownImage.of(layer, model).angiogram()


def white_is_zero(path, eye):
    tifffile.imwrite(path, 255 - eye, photometric="miniswhite")


def turned(path, eye):
    tifffile.imwrite(path, np.rot90(eye), extratags=[(274, "H", 1, 6, True)])


def upside_down(path, eye):
    tifffile.imwrite(path, eye[::-1, ::-1], extratags=[(274, "H", 1, 3, True)])


def colour_table(path, eye):
    table = np.zeros((3, 256), np.uint16)
    table[:, ::-1] = np.arange(256) * 257
    tifffile.imwrite(path, 255 - eye, photometric="palette", colormap=table)


def preview_first(path, eye):
    with tifffile.TiffWriter(path) as file:
        file.write(eye[::2, ::2], photometric="minisblack")
        file.write(eye, photometric="minisblack")


def twelve_bits(path, eye):
    tifffile.imwrite(path, eye.astype(np.uint16) * 16, photometric="minisblack")


def plain(path, eye):
    tifffile.imwrite(path, eye, photometric="minisblack")


def stored_as_rgb(path, eye):
    tifffile.imwrite(path, np.stack([eye] * 3, -1), photometric="rgb")


FILES = [
    *(plain, stored_as_rgb, twelve_bits),
    *(white_is_zero, colour_table, turned, upside_down, preview_first),
]
ON_ANOTHER_GRID = {turned: "pixels, but its file", preview_first: "pixels, but its file"}
TURNED = {upside_down: "is shown turned"}


@pytest.mark.parametrize("write", FILES, ids=lambda write: write.__name__)
def test_file_open_gives_what_our_open_gives(write, model, tmp_path, eye):
    path = tmp_path / "OD_03.tif"
    write(path, eye)
    (layer,) = model.open(path, plugin=OURS)
    pixels, settings, kind = open_file(path)
    expected = Layer.create(pixels, settings, kind)
    np.testing.assert_array_equal(layer.data, read_angiogram(path).pixels)
    assert layer.data.shape == eye.shape
    assert (layer.name, layer.metadata) == (expected.name, expected.metadata)
    assert (layer.gamma, layer.contrast_limits) == (expected.gamma, expected.contrast_limits)
    assert origin_of(layer.data).sha256 == read_angiogram(path).sha256


@pytest.mark.parametrize("write", FILES, ids=lambda write: write.__name__)
def test_what_another_reader_opened_is_read_from_the_file_or_refused(write, model, tmp_path, eye):
    path = tmp_path / "OD_03.tif"
    write(path, eye)
    (layer,) = model.open(path, plugin=THEIRS)
    reason = {**ON_ANOTHER_GRID, **TURNED}.get(write)
    if reason is not None:
        with pytest.raises(AngiogramError, match=f"{reason}.*Open… in the tab Segment"):
            shown(layer, model)
        return
    angiogram = shown(layer, model)
    np.testing.assert_array_equal(angiogram.pixels, read_angiogram(path).pixels)
    assert angiogram.sha256 == read_angiogram(path).sha256
    told = [note for note in angiogram.notes if "those of the file were taken" in note]
    assert bool(told) == (write in (white_is_zero, colour_table))


def test_an_inverted_layer_that_was_changed_is_refused(model, tmp_path, eye):
    path = tmp_path / "OD_03.tif"
    white_is_zero(path, eye)
    (layer,) = model.open(path, plugin=THEIRS)
    changed = np.asarray(layer.data).copy()
    changed[10:20, 10:20] = 77
    layer.data = changed
    with pytest.raises(AngiogramError, match="is shown inverted"):
        shown(layer, model)


def test_a_layer_that_was_changed_says_so(model, tmp_path, eye):
    path = tmp_path / "OD_03.tif"
    plain(path, eye)
    (layer,) = model.open(path, plugin=THEIRS)
    changed = np.asarray(layer.data).copy()
    changed[10:20, 10:20] = 77
    layer.data = changed
    angiogram = shown(layer, model)
    assert "the layer differs from its file 'OD_03.tif'" in angiogram.notes
    assert (angiogram.path, angiogram.pixels[12, 12]) == (None, np.float32(77 / 255))


@pytest.mark.parametrize("panel_first", [True, False])
@pytest.mark.parametrize("plugin", [OURS, THEIRS])
def test_gray_with_transparency_is_read_as_gray(plugin, panel_first, model, tmp_path, eye):
    path = tmp_path / "OD_03.png"
    alpha = np.full_like(eye, 255)
    alpha[:30] = 0
    iio.imwrite(path, np.stack([eye, alpha], axis=-1))
    on_screen = OnScreen(model) if panel_first else None
    (layer,) = model.open(path, plugin=plugin)
    on_screen = on_screen or OnScreen(model)
    assert on_screen.image is layer
    assert (layer.data.shape, model.dims.ndim) == (eye.shape, 2)
    angiogram = shown(layer, model)
    assert angiogram.sha256 == read_angiogram(path).sha256
    assert not angiogram.pixels[:30].any()
    assert angiogram.pixels[100].any()


def test_several_files_opened_as_a_stack_keep_their_names(model, tmp_path, eye):
    paths = [tmp_path / f"{name}.tif" for name in ("early", "late")]
    for path, values in zip(paths, (eye, eye[::-1]), strict=True):
        plain(path, values)
    (layer,) = model.open(paths, plugin=OURS, stack=True)
    assert layer.data.shape == (2, *eye.shape)
    model.dims.set_current_step(0, 1)
    angiogram = shown(layer, model)
    assert (angiogram.name, angiogram.frame) == ("late.tif", 0)
    assert angiogram.sha256 == read_angiogram(paths[1]).sha256


def test_a_frame_that_cannot_be_read_is_black_and_told_once(model, tmp_path, eye):
    paths = [tmp_path / f"{name}.tif" for name in ("early", "late")]
    plain(paths[0], eye)
    plain(paths[1], eye[:100])
    (layer,) = model.open(paths, plugin=OURS, stack=True)
    for step in (1, 0, 1):
        model.dims.set_current_step(0, step)
        assert layer.data[step].any() == (step == 0)
    (told,) = notifications()
    assert told == "'late.tif' has 150 x 100 pixels, the first frame 150 x 160. Open it alone."
    with pytest.raises(AngiogramError, match=r"late\.tif"):
        shown(layer, model)


@pytest.mark.parametrize("name", ["OD_03_npa.tif", "OD_03_retina.png", "drawn by hand.png"])
def test_a_mask_is_opened_as_a_mask(name, model, tmp_path, eye):
    path = tmp_path / name
    iio.imwrite(path, (255 * (eye > 100)).astype(np.uint8))
    (layer,) = model.open(path, plugin=OURS)
    assert isinstance(layer, Labels)
    np.testing.assert_array_equal(layer.data != 0, eye > 100)
    (told,) = notifications()
    assert told.startswith(f"'{name}' is a mask")
    assert "Load masks…" in told


def test_a_mask_that_napari_opened_as_an_image_is_no_angiogram(model, tmp_path, eye):
    path = tmp_path / "OD_03_npa.png"
    iio.imwrite(path, (255 * (eye > 100)).astype(np.uint8))
    on_screen = OnScreen(model)
    (mask,) = model.open(path, plugin=THEIRS)
    assert isinstance(mask, Image)
    assert angiogram_layers(model) == []
    assert on_screen.image is None
    (told,) = notifications()
    assert told.startswith("'OD_03_npa' is a mask, not an angiogram")
    angiogram = model.add_image(eye)
    assert angiogram_layers(model) == [angiogram]
    mask.data = eye.copy()
    assert angiogram_layers(model) == [mask, angiogram]


def test_a_colour_photograph_is_opened_as_napari_does(model, tmp_path, eye):
    path = tmp_path / "fundus.png"
    photograph = np.stack([eye, eye // 2, eye // 4], axis=-1)
    iio.imwrite(path, photograph)
    (layer,) = model.open(path, plugin=OURS)
    assert (type(layer), layer.rgb, layer.name) == (Image, True, "fundus")
    np.testing.assert_array_equal(layer.data, photograph)


def test_a_damaged_file_is_refused_with_our_reason(model, tmp_path, eye):
    path = tmp_path / "OD_03.tif"
    plain(path, eye)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(AngiogramError, match=r"'OD_03\.tif' is"):
        model.open(path, plugin=OURS)


def test_a_file_that_is_no_image_by_its_first_bytes_is_left_to_others(tmp_path):
    path = tmp_path / "report.png"
    path.write_bytes(b"%PDF-1.7")
    assert get_reader(str(path)) is None
    assert get_reader(str(tmp_path / "absent.tif")) is None


@pytest.mark.parametrize("name", ["a.tif", "a.TIFF", "a.png", "a.JPG", "a.jpeg"])
def test_napari_offers_our_reader_beside_its_own(name, model, tmp_path):
    path = tmp_path / name
    path.touch()
    assert {OURS, THEIRS} <= set(prepare_remaining_readers([str(path)]))


def test_an_answer_that_was_remembered_serves_for_all_images(model, tmp_path, eye, monkeypatch):
    monkeypatch.setattr(get_settings().plugins, "extension2reader", {"*.png": OURS})
    pictures = {"eye": eye, "fundus": np.stack([eye, eye // 2, eye // 4], axis=-1)}
    for name, pixels in pictures.items():
        iio.imwrite(tmp_path / f"{name}.png", pixels)
        model.open(tmp_path / f"{name}.png", plugin=None)
    assert [layer.name for layer in model.layers] == ["eye", "fundus"]
    np.testing.assert_array_equal(model.layers["eye"].data, eye / np.float32(255))
    np.testing.assert_array_equal(model.layers["fundus"].data, pictures["fundus"])
