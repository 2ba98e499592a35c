"""Overlays become small pictures; whatever else has the name of one is not decoded."""

import io

import numpy as np
import pytest
from PIL import Image

from clinic.masks import damaged_png
from napari_npa.plugin.batch.thumbnails import SIDE, read_pictures


def read(path):
    return read_pictures([path], lambda done, total: None)[path]


def test_an_overlay_becomes_a_small_picture(tmp_path):
    Image.fromarray(np.full((600, 300, 3), 90, np.uint8)).save(tmp_path / "a_overlay.png")
    assert read(tmp_path / "a_overlay.png").shape == (SIDE, SIDE // 2, 3)


@pytest.mark.parametrize("format", ["GIF", "BMP", "WEBP", "TIFF", "JPEG", "PPM"])
def test_no_other_decoder_runs_on_what_is_called_an_overlay(tmp_path, format):
    content = io.BytesIO()
    Image.fromarray(np.full((64, 64), 90, np.uint8)).save(content, format)
    (tmp_path / "a_overlay.png").write_bytes(content.getvalue())
    assert read(tmp_path / "a_overlay.png") is None


def test_a_damaged_overlay_is_no_picture(tmp_path):
    damaged_png(tmp_path / "a_overlay.png")
    assert read(tmp_path / "a_overlay.png") is None
    content = (tmp_path / "a_overlay.png").read_bytes()
    (tmp_path / "a_overlay.png").write_bytes(content.replace(b"IDAT", b"\0\1\2\3"))
    assert read(tmp_path / "a_overlay.png") is None
