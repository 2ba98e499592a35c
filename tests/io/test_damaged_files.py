"""Files that claim too much, are cut off or damaged are never read as another image."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from angiograms import gradient, noise, refusal
from napari_npa.errors import AngiogramError
from napari_npa.io.angiogram import read_angiogram


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("angiograms")


def pixels_or_refusal(path):
    try:
        return read_angiogram(path).pixels
    except AngiogramError as error:
        return error


def png_chunk(kind, content):
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def test_an_image_larger_than_the_limit_is_refused_before_it_is_decoded(tmp_path):
    png = tmp_path / "large.png"
    header = struct.pack(">IIBBBBB", 20_001, 20_000, 8, 0, 0, 0, 0)
    png.write_bytes(b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", b""))
    tiff = tmp_path / "large.tif"
    tifffile.imwrite(tiff, gradient())
    with tifffile.TiffFile(tiff, mode="r+") as file:
        file.pages.first.tags["ImageWidth"].overwrite(20_001)
        file.pages.first.tags["ImageLength"].overwrite(20_000)
    jpeg = tmp_path / "large.jpg"
    Image.fromarray(gradient()).save(jpeg)
    content = bytearray(jpeg.read_bytes())
    sizes_at = content.index(b"\xff\xc0") + 5
    content[sizes_at : sizes_at + 4] = struct.pack(">HH", 20_000, 20_001)
    jpeg.write_bytes(content)
    for image in (png, tiff, jpeg, np.broadcast_to(np.uint8(1), (20_000, 20_001))):
        assert refusal(image).reason == "has 20001 x 20000 pixels; at most 400 million are read"


def test_the_limit_of_pillow_neither_applies_nor_changes(tmp_path, monkeypatch):
    Image.fromarray(gradient()).save(tmp_path / "eye.jpg")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    read_angiogram(tmp_path / "eye.jpg")
    assert Image.MAX_IMAGE_PIXELS == 100


WRITERS = {
    "plain.tif": lambda path, image: tifffile.imwrite(path, image, photometric="minisblack"),
    "lzw.tif": lambda path, image: tifffile.imwrite(path, image, compression="lzw"),
    "zlib.tif": lambda path, image: tifffile.imwrite(
        path, image, compression="zlib", tile=(32, 32)
    ),
    "jpeg.tif": lambda path, image: tifffile.imwrite(
        path, image, compression="jpeg", photometric="minisblack"
    ),
    "pillow.tif": lambda path, image: Image.fromarray(image).save(path, compression="tiff_lzw"),
    "eye.png": lambda path, image: Image.fromarray(image).save(path),
    "eye.jpg": lambda path, image: Image.fromarray(image).save(path),
    "progressive.jpg": lambda path, image: Image.fromarray(image).save(path, progressive=True),
}


@pytest.mark.parametrize("name", WRITERS)
@given(part=st.floats(0, 1, exclude_max=True))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_file_cut_off_anywhere_is_never_read_as_half_an_image(folder, name, part):
    path = folder / name
    WRITERS[name](path, noise((70, 90), "uint8"))
    whole, content = read_angiogram(path).pixels, path.read_bytes()
    cut = folder / f"cut_{name}"
    cut.write_bytes(content[: int(part * len(content))])
    result = pixels_or_refusal(cut)
    if isinstance(result, AngiogramError):
        assert result.subject == cut.name
    else:  # only an end mark was lost
        assert np.array_equal(result, whole)


@pytest.mark.parametrize("name", WRITERS)
@given(damage=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_damaged_file_ends_in_our_error_or_in_gray_levels(folder, name, damage):
    path = folder / name
    WRITERS[name](path, gradient())
    content = bytearray(path.read_bytes())
    for where, value in damage:
        # Most of it in the header, where it does the most harm.
        content[int(where**2 * (len(content) - 1))] = value
    damaged = folder / f"damaged_{name}"
    damaged.write_bytes(content)
    result = pixels_or_refusal(damaged)
    if isinstance(result, AngiogramError):
        assert result.subject == damaged.name
    else:
        assert result.dtype == np.float32
        assert 0 <= result.min() < result.max() <= 1


def test_damaged_lzw_data_do_not_bring_the_program_down(tmp_path):
    path = tmp_path / "eye.tif"
    tifffile.imwrite(path, gradient(), compression="lzw")
    with tifffile.TiffFile(path) as file:
        start = file.pages.first.dataoffsets[0]
    content = bytearray(path.read_bytes())
    # The 9-bit codes 256, "clear the table", and 500, which the table does not have.
    content[start : start + 3] = 0b100000000_111110100_000000.to_bytes(3, "big")
    path.write_bytes(content)
    assert refusal(path).reason.startswith("is damaged")


def test_a_missing_strip_is_not_read_as_black(tmp_path):
    path = tmp_path / "eye.tif"
    tifffile.imwrite(path, gradient(), rowsperstrip=10, compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as file:
        counts = list(file.pages.first.databytecounts)
        counts[3] = 0
        file.pages.first.tags["StripByteCounts"].overwrite(counts)
    assert refusal(path).reason == "is incomplete: part of its pixels is missing"
