"""TIFF, PNG and JPEG files are decoded by content, to the gray levels that were stored."""

import struct

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from angiograms import FULL_SCALE, gradient, noise
from napari_npa.io.angiogram import read_angiogram
from napari_npa.io.decoding import pixel_count


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("angiograms")


@given(
    dtype=st.sampled_from(sorted(FULL_SCALE)),
    compression=st.sampled_from([None, "lzw", "zlib", "packbits"]),
    byteorder=st.sampled_from("<>"),
    bigtiff=st.booleans(),
    tile=st.sampled_from([None, (32, 16)]),
    layout=st.sampled_from(["gray", "rgb", "rgb by planes", "rgba", "gray and alpha"]),
    seed=st.integers(0, 999),
)
@settings(max_examples=60, deadline=None)
def test_tiff_round_trip(folder, dtype, compression, byteorder, bigtiff, tile, layout, seed):
    gray = noise((67, 71), dtype, seed)
    opaque = np.full_like(gray, FULL_SCALE[dtype])
    stored, how = {
        "gray": (gray, {"photometric": "minisblack"}),
        "rgb": (np.dstack([gray] * 3), {"photometric": "rgb"}),
        "rgb by planes": (
            np.stack([gray] * 3),
            {"photometric": "rgb", "planarconfig": "separate"},
        ),
        "rgba": (np.dstack([gray] * 3 + [opaque]), {"photometric": "rgb"}),
        "gray and alpha": (
            np.dstack([gray, opaque]),
            {
                "photometric": "minisblack",
                "planarconfig": "contig",
                "extrasamples": ["unassalpha"],
            },
        ),
    }[layout]
    path = folder / "round_trip.tif"
    tifffile.imwrite(
        path,
        stored,
        compression=compression,
        byteorder=byteorder,
        bigtiff=bigtiff,
        tile=tile,
        **how,
    )
    angiogram = read_angiogram(path)
    expected = (gray / np.float64(FULL_SCALE[dtype])).astype(np.float32)
    if dtype.startswith("float"):  # a mean of equal floats is off by the last bit
        np.testing.assert_allclose(angiogram.pixels, expected, rtol=2e-7)
    else:
        assert np.array_equal(angiogram.pixels, expected)
    has_alpha = layout in ("rgba", "gray and alpha")
    assert angiogram.notes == (("transparent pixels read as black",) if has_alpha else ())


@given(
    dtype=st.sampled_from(["uint8", "uint16"]),
    channels=st.sampled_from([1, 2, 3, 4]),
    seed=st.integers(0, 999),
)
@settings(max_examples=25, deadline=None)
def test_png_round_trip_keeps_all_bits(folder, dtype, channels, seed):
    gray = noise((67, 71), dtype, seed)
    opaque = np.full_like(gray, FULL_SCALE[dtype])
    stored = {
        1: gray,
        2: np.dstack([gray, opaque]),
        3: np.dstack([gray] * 3),
        4: np.dstack([gray] * 3 + [opaque]),
    }[channels]
    path = folder / "round_trip.png"
    path.write_bytes(imagecodecs.png_encode(stored))
    expected = (gray / np.float64(FULL_SCALE[dtype])).astype(np.float32)
    assert np.array_equal(read_angiogram(path).pixels, expected)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P"])
def test_a_png_of_any_mode_shows_the_same_gray(tmp_path, mode):
    path = tmp_path / "eye.png"
    image = Image.fromarray(gradient())
    if mode == "P":
        image.putpalette(np.repeat(np.arange(256, dtype=np.uint8), 3).tobytes())
        image.save(path, bits=8)
    else:
        image.convert(mode).save(path)
    assert np.array_equal(read_angiogram(path).pixels, gradient() / np.float32(255))


def test_a_16_bit_png_by_pillow_keeps_16_bits(tmp_path):
    array = noise((64, 64), "uint16")
    Image.fromarray(array).save(tmp_path / "eye.png")
    assert np.array_equal(read_angiogram(tmp_path / "eye.png").pixels, array / np.float32(65535))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_is_read_as_gray(tmp_path, mode):
    Image.fromarray(gradient()).convert(mode).save(tmp_path / "eye.jpg", quality=95)
    angiogram = read_angiogram(tmp_path / "eye.jpg")
    np.testing.assert_allclose(angiogram.pixels, gradient() / 255, atol=3 / 255)
    assert angiogram.notes == ()


def test_content_decides_not_the_name(tmp_path):
    tifffile.imwrite(tmp_path / "eye.tif", gradient(), compression="lzw")
    named_png = (tmp_path / "eye.tif").rename(tmp_path / "eye.png")
    Image.fromarray(gradient()).save(tmp_path / "eye.jpeg", format="PNG")
    assert np.array_equal(
        read_angiogram(named_png).pixels, read_angiogram(tmp_path / "eye.jpeg").pixels
    )


def test_zero_as_white_is_inverted(tmp_path):
    array = gradient()
    array[0, :3] = 0, 55, 255
    tifffile.imwrite(tmp_path / "eye.tif", array, photometric="miniswhite")
    angiogram = read_angiogram(tmp_path / "eye.tif")
    assert angiogram.pixels[0, :3].tolist() == [1, np.float32(200 / 255), 0]
    assert angiogram.notes == ("stored with zero as white, inverted",)


def test_a_gray_colour_table_is_looked_up(tmp_path):
    table = np.stack([np.arange(255, -1, -1) * 257] * 3).astype(np.uint16)
    tifffile.imwrite(tmp_path / "eye.tif", gradient(), photometric="palette", colormap=table)
    angiogram = read_angiogram(tmp_path / "eye.tif")
    assert np.array_equal(angiogram.pixels, (255 - gradient()) / np.float32(255))
    assert angiogram.notes[0] == "stored with a colour table"


def test_twelve_packed_bits_are_parts_of_4095(tmp_path):
    levels = np.full((64, 64), 2048)
    levels[0, :2] = 0, 4095
    bits = "".join(f"{level:012b}" for level in levels.flat)
    pixels = int(bits, 2).to_bytes(len(bits) // 8, "big")
    # width, length, bits, uncompressed, zero is black, offset, samples, rows a strip, bytes
    numbers = (256, 257, 258, 259, 262, 273, 277, 278, 279)
    values = (64, 64, 12, 1, 1, 8, 1, 64, len(pixels))
    tags = b"".join(
        struct.pack("<HHII", number, 4, 1, value)
        for number, value in zip(numbers, values, strict=True)
    )
    (tmp_path / "eye.tif").write_bytes(
        struct.pack("<2sHI", b"II", 42, 8 + len(pixels))
        + pixels
        + struct.pack("<H", len(numbers))
        + tags
        + bytes(4)
    )
    read = read_angiogram(tmp_path / "eye.tif").pixels
    assert read[0, :3].tolist() == [0, 1, np.float32(2048 / 4095)]


def test_a_channel_without_a_meaning_is_left_out(tmp_path):
    tifffile.imwrite(
        tmp_path / "eye.tif",
        np.dstack([gradient(), np.zeros_like(gradient())]),
        photometric="minisblack",
        planarconfig="contig",
    )
    angiogram = read_angiogram(tmp_path / "eye.tif")
    assert np.array_equal(angiogram.pixels, gradient() / np.float32(255))
    assert angiogram.notes == ("channels without a meaning left out",)


def test_the_first_of_several_pages_is_read_and_that_is_told(tmp_path):
    pages = noise((3, 64, 80), "uint8")
    tifffile.imwrite(tmp_path / "series.tif", pages, photometric="minisblack")
    angiogram = read_angiogram(tmp_path / "series.tif")
    assert np.array_equal(angiogram.pixels, pages[0] / np.float32(255))
    assert angiogram.notes == ("first of 3 pages",)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_upright_as_pillow_would(tmp_path, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(gradient()).save(tmp_path / "eye.jpg", exif=exif)
    tifffile.imwrite(
        tmp_path / "eye.tif",
        gradient(),
        photometric="minisblack",
        extratags=[(274, 3, 1, orientation, True)],
    )
    with Image.open(tmp_path / "eye.jpg") as image:
        upright = np.asarray(ImageOps.exif_transpose(image)) / np.float32(255)
    from_jpeg, from_tiff = (read_angiogram(tmp_path / name) for name in ("eye.jpg", "eye.tif"))
    assert np.array_equal(from_jpeg.pixels, upright)
    np.testing.assert_allclose(from_tiff.pixels, upright, atol=10 / 255)
    assert from_jpeg.notes == from_tiff.notes
    assert from_jpeg.notes == (() if orientation == 1 else ("turned upright as the file says",))


@pytest.mark.parametrize("name", ["eye.tif", "eye.png", "eye.jpg"])
def test_pixels_are_counted_by_the_header(tmp_path, name):
    path = tmp_path / name
    Image.fromarray(gradient(70, 90)).save(path)
    assert pixel_count(path) == 70 * 90
    path.write_bytes(path.read_bytes()[:12])
    assert pixel_count(path) == 0
