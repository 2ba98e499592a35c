"""Angiograms are read by content, to gray levels worked out by hand, or refused with a way out."""

from __future__ import annotations

import hashlib
import os
import struct
import sys
import tracemalloc
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from napari_npa.errors import AngiogramError
from napari_npa.io import angiogram as angiogram_module
from napari_npa.io.angiogram import angiogram_from_array, as_angiogram, read_angiogram

FULL_SCALE = {"uint8": 255, "uint16": 65535, "int16": 32767, "float32": 1, "float64": 1}


def gradient(rows=70, columns=90):
    """Gray levels 0..157 that differ from any of their mirror images."""
    return np.add.outer(np.arange(rows), np.arange(columns)).astype(np.uint8)


def noise(shape, dtype, seed=0):
    """Samples over the whole range of the type, without negative values."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.random(shape).astype(dtype)
    return rng.integers(0, FULL_SCALE[dtype], shape, dtype, endpoint=True)


def refusal(image):
    """The error that an image ends in, checked to name the image and a way out."""
    with pytest.raises(AngiogramError) as caught:
        as_angiogram(image)
    error = caught.value
    assert error.subject == (image.name if hasattr(image, "name") else "array")
    assert error.remedy.endswith(".")
    assert not error.reason.endswith(".")
    return error


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("angiograms")


# Gray levels


@pytest.mark.parametrize(
    ("dtype", "stored", "gray"),
    [
        ("uint8", 51, 0.2),
        ("uint16", 32768, 0.50000763),
        ("uint16", 4095, 0.062485695),  # a 12-bit image in 16-bit samples stays as it is
        ("int16", 32767, 1.0),
        ("float32", 0.25, 0.25),
    ],
)
def test_samples_become_parts_of_their_full_scale(dtype, stored, gray):
    array = np.zeros((64, 64), dtype)
    array[3, 5] = stored
    pixels = angiogram_from_array(array).pixels
    assert pixels.dtype == np.float32
    assert pixels[3, 5] == np.float32(gray)
    assert np.count_nonzero(pixels) == 1


@pytest.mark.parametrize(
    ("highest", "gray", "note"),
    [
        (1.0, 0.5, ()),
        (200.0, 100 / 255, ("values up to 200, divided by 255",)),
        (4000.0, 2000 / 65535, ("values up to 4000, divided by 65535",)),
    ],
)
def test_floats_above_one_are_taken_as_levels_and_that_is_told(highest, gray, note):
    array = np.zeros((64, 64))
    array[0, :2] = highest, highest / 2
    angiogram = angiogram_from_array(array)
    assert angiogram.pixels[0, 1] == np.float32(gray)
    assert angiogram.notes == note


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
    assert (
        angiogram.notes
        == {
            "gray": (),
            "rgb": ("stored as RGB, read as gray",),
            "rgb by planes": ("stored as RGB, read as gray",),
            "rgba": ("stored as RGB, read as gray", "transparent pixels read as black"),
            "gray and alpha": ("transparent pixels read as black",),
        }[layout]
    )


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
    assert angiogram.notes == (() if mode == "L" else ("stored as RGB, read as gray",))


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


def test_transparent_pixels_are_black():
    array = np.dstack([gradient(), np.full_like(gradient(), 255)])
    array[10, 20] = 200, 0
    array[10, 21] = 51, 1
    pixels = angiogram_from_array(array).pixels
    assert pixels[10, 20] == 0
    assert pixels[10, 21] == np.float32(0.2)


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


# Frames and orientation


def test_the_first_of_several_pages_is_read_and_that_is_told(tmp_path):
    pages = noise((3, 64, 80), "uint8")
    tifffile.imwrite(tmp_path / "series.tif", pages, photometric="minisblack")
    angiogram = read_angiogram(tmp_path / "series.tif")
    assert np.array_equal(angiogram.pixels, pages[0] / np.float32(255))
    assert angiogram.notes == ("first of 3 pages",)


@pytest.mark.parametrize(
    ("shape", "notes"),
    [
        ((1, 70, 90), ()),
        ((70, 90, 1), ()),
        ((1, 70, 90, 1), ()),
        ((5, 70, 90), ("first of 5 frames",)),
        ((2, 5, 70, 90), ("first of 10 frames",)),
    ],
)
def test_the_first_frame_of_an_array_is_taken(shape, notes):
    array = noise(shape, "uint8")
    angiogram = angiogram_from_array(array)
    assert np.array_equal(angiogram.pixels, array.reshape(-1, 70, 90)[0] / np.float32(255))
    assert angiogram.notes == notes


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


# Colour


def test_a_difference_that_jpeg_leaves_between_channels_is_still_gray():
    array = np.full((64, 64, 3), 100, np.uint8)
    array[..., 2] = 108
    array[0, 0] = 0
    angiogram = angiogram_from_array(array)
    assert angiogram.pixels[5, 5] == pytest.approx((0.3 * 100 + 0.6 * 100 + 0.1 * 108) / 255)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_one_pixel_in_a_thousand_may_be_coloured_but_not_two(dtype):
    array = np.dstack([noise((100, 100), dtype)] * 3)
    array.reshape(-1, 3)[:10] = np.array([1, 0, 0]) * FULL_SCALE[dtype]
    angiogram_from_array(array)
    array.reshape(-1, 3)[10:20] = np.array([0, 0, 1]) * FULL_SCALE[dtype]
    assert "is a colour photograph" in refusal(array).reason


@pytest.mark.parametrize("name", ["eye.tif", "eye.png", "eye.jpg"])
def test_a_colour_photograph_is_refused(tmp_path, name):
    photograph = np.dstack([gradient(), gradient() // 2, gradient() // 4])
    Image.fromarray(photograph).save(tmp_path / name)
    assert "is a colour photograph" in refusal(tmp_path / name).reason


@pytest.mark.parametrize("name", ["eye.tif", "eye.jpg"])
def test_printing_colours_are_refused(tmp_path, name):
    Image.fromarray(np.dstack([gradient()] * 3)).convert("CMYK").save(tmp_path / name)
    assert "not" in refusal(tmp_path / name).reason


# What is not an angiogram


def test_an_absent_file_is_said_to_be_absent(tmp_path):
    assert refusal(tmp_path / "eye.tif").reason == "does not exist"


def test_a_folder_is_said_to_be_a_folder(tmp_path):
    (tmp_path / "eyes").mkdir()
    assert refusal(tmp_path / "eyes").reason == "is a folder, not an image"


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such permission on Windows")
def test_a_file_without_permission_is_said_so(tmp_path):
    path = tmp_path / "closed" / "eye.tif"
    path.parent.mkdir()
    tifffile.imwrite(path, gradient())
    path.parent.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read everything
    try:
        assert refusal(path).reason == "cannot be opened: no permission"
    finally:
        os.seteuid(user)
        path.parent.chmod(0o700)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"Patient 012, right eye, export failed\n" * 20, "is not an image of a known kind"),
        (bytes(128) + b"DICM" + bytes(500), "is a DICOM file, which is not read yet"),
        (b"II*\0", "is damaged, incomplete"),
        (b"\x89PNG\r\n\x1a\n", "is damaged, incomplete"),
        (b"\xff\xd8\xff", "is damaged, incomplete"),
    ],
    ids=["empty", "text", "dicom", "only a TIFF header", "only a PNG header", "only JPEG"],
)
def test_other_content_under_an_image_name_is_refused(tmp_path, content, reason):
    (tmp_path / "eye.tif").write_bytes(content)
    assert refusal(tmp_path / "eye.tif").reason.startswith(reason)


def test_an_image_of_one_pixel_is_refused(tmp_path):
    Image.fromarray(np.full((1, 1), 7, np.uint8)).save(tmp_path / "dot.png")
    assert refusal(tmp_path / "dot.png").reason.startswith("has only 1 x 1 pixels")


def test_sixty_four_pixels_on_each_side_are_enough():
    assert angiogram_from_array(gradient(64, 64)).pixels.shape == (64, 64)
    assert "64 x 63" in refusal(gradient(63, 64)).reason


@pytest.mark.parametrize(
    ("level", "reason"), [(0, "is entirely black"), (51, "has one value everywhere, 0.2")]
)
def test_an_image_without_contrast_is_refused(tmp_path, level, reason):
    Image.fromarray(np.full((64, 64), level, np.uint8)).save(tmp_path / "eye.png")
    assert refusal(tmp_path / "eye.png").reason == reason


@pytest.mark.parametrize("name", ["mask.tif", "mask.png"])
def test_a_mask_of_one_bit_is_refused(tmp_path, name):
    Image.fromarray(gradient() > 80).save(tmp_path / name)
    assert refusal(tmp_path / name).reason == "is a mask, not an angiogram"


def test_a_boolean_array_is_refused_as_a_mask():
    assert refusal(gradient() > 80).reason == "is a mask, not an angiogram"


def test_values_that_are_not_numbers_are_counted(tmp_path):
    array = noise((64, 64), "float32")
    array[0, :2] = np.nan
    array[5, 5] = -np.inf
    tifffile.imwrite(tmp_path / "eye.tif", array)
    error = refusal(tmp_path / "eye.tif")
    assert error.reason == "has 3 values that are not numbers or are infinite"
    assert error.remedy == "Replace them, for example by 0."


@pytest.mark.parametrize(
    ("extreme", "reason"),
    [(-0.5, "has values from -0.5 to 0.9"), (65536.0, "has values from 0.1 to 65536")],
)
def test_floats_out_of_range_are_refused_with_their_range(extreme, reason):
    array = np.full((64, 64), 0.1)
    array[0, :2] = 0.9, extreme
    assert refusal(array).reason == reason


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint32", "complex64", "object"])
def test_other_sample_types_are_refused_by_name(dtype):
    assert refusal(gradient().astype(dtype)).reason == f"has samples of type {dtype}"


def test_negative_integers_are_refused():
    assert refusal(gradient().astype(np.int16) - 1).reason == "has negative values"


@pytest.mark.parametrize("shape", [(), (100,), (0, 100), (0, 100, 100)])
def test_an_array_that_is_no_image_is_refused_by_its_shape(shape):
    assert refusal(np.zeros(shape)).reason == f"has the shape {shape}"


# Files that claim too much, and files cut off or damaged


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
        assert refusal(image).reason == "has 20001 x 20000 pixels; 400 million are read at most"


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


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, on damaged EXIF
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


@pytest.mark.filterwarnings("ignore::UserWarning")
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


# Size


def test_an_image_of_12000_by_12000_is_read_in_bounded_memory(tmp_path):
    path = tmp_path / "montage.tif"
    side = 12_000
    image = np.zeros((side, side), np.uint8)
    image[::100, ::100] = 255
    tifffile.imwrite(path, image, photometric="minisblack", compression="zlib")
    del image
    tracemalloc.start()
    pixels = read_angiogram(path).pixels
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert pixels[100, 100] == 1
    bytes_of_samples_and_pixels = side * side * (1 + 4)
    assert peak < 1.1 * bytes_of_samples_and_pixels


def test_images_larger_than_one_block_are_read_whole(monkeypatch):
    monkeypatch.setattr(angiogram_module, "_SAMPLES_AT_ONCE", 1000)
    for dtype in FULL_SCALE:
        array = np.dstack([noise((101, 97), dtype)] * 3)
        expected = array[..., 0] / np.float64(FULL_SCALE[dtype])
        np.testing.assert_allclose(angiogram_from_array(array).pixels, expected, rtol=2e-7)


# Identity


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path):
    path = tmp_path / "eye.tif"
    tifffile.imwrite(path, gradient())
    angiogram = read_angiogram(str(path))
    assert angiogram.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (angiogram.name, angiogram.path) == ("eye.tif", path)


def test_the_hash_of_an_array_depends_on_content_type_and_shape_only():
    def sha256(array):
        return angiogram_from_array(array).sha256

    array = gradient(80, 80)
    assert sha256(array) == sha256(np.asfortranarray(array))
    other = array.copy()
    other[40, 40] += 1
    kinds = [array, other, array.astype(np.uint16), array[None], array.T[::-1]]
    assert len({sha256(kind) for kind in kinds}) == len(kinds)


def test_an_angiogram_does_not_follow_its_array():
    array = noise((64, 64), "float32")
    angiogram = angiogram_from_array(array)
    before = angiogram.pixels.copy()
    array[:] = 0
    assert np.array_equal(angiogram.pixels, before)


def test_any_form_of_an_image_is_accepted(tmp_path):
    path = tmp_path / "eye.png"
    Image.fromarray(gradient()).save(path)
    angiogram = as_angiogram(path)
    assert as_angiogram(angiogram) is angiogram
    assert np.array_equal(as_angiogram(str(path)).pixels, angiogram.pixels)
    assert np.array_equal(as_angiogram(gradient()).pixels, angiogram.pixels)
    assert as_angiogram(gradient()).name == "array"


def test_an_angiogram_prints_without_its_pixels():
    assert "pixels" not in repr(angiogram_from_array(gradient()))


# Real images


def test_every_real_image_is_read(data):
    paths = [path for path in data.rglob("*") if path.suffix in {".jpg", ".png"}]
    paths = [path for path in paths if path.parent.name != "non_ffa"]
    assert len(paths) > 50
    for path in paths:
        with Image.open(path) as stored:
            columns, rows = stored.size
            is_colour = stored.mode == "RGB"
        angiogram = read_angiogram(path)
        assert angiogram.pixels.shape == (rows, columns)
        assert angiogram.notes == (("stored as RGB, read as gray",) if is_colour else ())


def test_the_wide_field_png_files_are_tiff_inside(data):
    for path in (data / "uwfa").glob("uwfa_*.png"):
        assert np.array_equal(read_angiogram(path).pixels, tifffile.imread(path) / np.float32(255))
