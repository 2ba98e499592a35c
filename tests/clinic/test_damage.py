"""Damaged files end in a reason, soon, and in little memory: never in a traceback or a crash."""

import io
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from angiograms import gradient, refusal
from batch_folders import table, write_eye
from clinic import damage
from clinic.damage import MOST_BYTES, MOST_SECONDS, READERS, WHOLE, damaged, outcome
from napari_npa.io.angiogram import read_angiogram


@pytest.mark.parametrize("format", WHOLE)
def test_whole_files_are_what_the_damaged_ones_were(tmp_path, format):
    """Otherwise the damage would tell nothing."""
    told = {}
    for kind, make in WHOLE[format].items():
        (tmp_path / "eye").write_bytes(make())
        told[kind] = [outcome(read, tmp_path / "eye") for read in READERS.values()]
    assert all("read" in outcomes for outcomes in told.values()), told


@pytest.mark.parametrize("format", WHOLE)
def test_a_damaged_file_is_refused_with_a_reason_or_read(tmp_path, format):
    path = tmp_path / "eye"
    told = []
    for seed in range(120):
        path.write_bytes(damaged(format, seed)[2])
        for read in READERS.values():
            begin = time.process_time()
            told.append((outcome(read, path), seed))
            assert time.process_time() - begin < MOST_SECONDS, seed
    assert [(what, seed) for what, seed in told if what.startswith("ERROR")] == []
    assert any(what.startswith("is damaged") for what, _ in told)


@pytest.mark.slow
@pytest.mark.parametrize("format", WHOLE)
def test_five_thousand_damaged_files_take_neither_long_nor_much_memory(format, capsys):
    """In a process of its own: a crash of a decoder is told from an error."""
    ran = subprocess.run(
        [sys.executable, "-m", "clinic.damage", "5000", format],
        cwd=Path(damage.__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    with capsys.disabled():
        print(f"\n{ran.stdout}")
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "ERROR" not in ran.stdout, ran.stderr[-2000:]
    seconds, gigabytes = ran.stdout.rpartition("at most ")[2].split(" GB")[0].split("), ")
    assert float(seconds.split()[0]) < MOST_SECONDS
    assert float(gigabytes) * 1e9 < MOST_BYTES


def test_a_batch_of_damaged_files_has_a_row_and_a_reason_for_each(batch, tmp_path, output):
    folder = tmp_path / "source"
    write_eye(folder / "good.tif")
    for format in WHOLE:
        for seed in range(200, 215):
            (folder / f"{seed}.{format}").write_bytes(damaged(format, seed)[2])
    (folder / "200.jpeg").write_bytes(b"")
    assert batch(folder, output).exit_code == 1
    rows = {row["image"]: row for row in table(output)}
    assert len(rows) == 1 + 3 * 15
    assert rows["good.tif"]["status"] == "ok"
    for name, row in rows.items():
        if row["status"] == "failed":
            assert name in row["message"]
            assert "could not be processed" not in row["message"]


# Files that were found by damaging, or made by people who wish harm


def with_tag(content, tag, kind, value):
    """A little-endian TIFF whose tag has another type and value."""
    content = bytearray(content)
    first = struct.unpack_from("<I", content, 4)[0]
    for at in range(first + 2, first + 2 + 12 * struct.unpack_from("<H", content, first)[0], 12):
        if struct.unpack_from("<H", content, at)[0] == tag:
            struct.pack_into("<HII", content, at + 2, kind, 1, value)
    return bytes(content)


@pytest.mark.parametrize("kind", [1, 2, 5, 7, 12, 99])
def test_a_width_of_another_type_than_numbers_have_is_damage(tmp_path, kind):
    path = tmp_path / "eye.tif"
    tifffile.imwrite(path, gradient(), photometric="minisblack")
    path.write_bytes(with_tag(path.read_bytes(), 256, kind, 90))
    assert refusal(path).reason.startswith("is damaged")


@pytest.mark.parametrize("compression", ["webp", "lzma", "lerc", "jpegxl"])
def test_compressions_that_can_take_minutes_are_refused_by_name(tmp_path, compression):
    path = tmp_path / "eye.tif"
    tifffile.imwrite(path, np.dstack([gradient()] * 3), compression=compression)
    assert f"is compressed as {compression.upper()} inside the TIFF" in refusal(path).reason


def test_declared_pixels_that_the_data_cannot_hold_are_not_decoded(tmp_path):
    path = tmp_path / "eye.tif"
    tifffile.imwrite(path, gradient(), photometric="minisblack", compression="zlib")
    content = path.read_bytes()
    for tag in (256, 257, 278):
        content = with_tag(content, tag, 4, 19_999)
    path.write_bytes(content)
    begin = time.process_time()
    assert refusal(path).reason.startswith("is damaged")
    assert time.process_time() - begin < 0.5


def test_a_single_strip_need_not_say_its_length(tmp_path):
    path = tmp_path / "eye.tif"
    tifffile.imwrite(path, gradient(), photometric="minisblack")
    before = read_angiogram(path).pixels
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<H", 279), struct.pack("<H", 65_000), 1))
    assert np.array_equal(read_angiogram(path).pixels, before)


def test_strips_that_lie_over_each_other_are_damage(tmp_path):
    path = tmp_path / "eye.tif"
    tifffile.imwrite(path, gradient(), photometric="minisblack", rowsperstrip=1)
    with tifffile.TiffFile(path, mode="r+") as file:
        tags = file.pages.first.tags
        tags["StripOffsets"].overwrite([8] * 70)
        tags["StripByteCounts"].overwrite([6000] * 70)
    assert refusal(path).reason.startswith("is damaged")


def test_directories_without_end_are_damage(tmp_path):
    path = tmp_path / "eye.tif"
    directory = struct.pack("<HHHIII", 1, 256, 4, 1, 70, 0)[:-4]
    size = len(directory) + 4
    chain = b"".join(directory + struct.pack("<I", 8 + (at + 1) * size) for at in range(200_000))
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + chain + directory + bytes(4))
    begin = time.process_time()
    assert refusal(path).reason.startswith("is damaged")
    assert time.process_time() - begin < 5


def test_a_jpeg_of_many_scans_is_damage(tmp_path):
    path = tmp_path / "eye.jpg"
    content = io.BytesIO()
    Image.fromarray(gradient()).save(content, "JPEG", progressive=True)
    whole = content.getvalue()
    scan = whole[whole.rindex(b"\xff\xda") : -2]
    path.write_bytes(whole[:-2] + 20 * scan + whole[-2:])
    assert np.ptp(read_angiogram(path).pixels) > 0.5
    path.write_bytes(whole[:-2] + 100 * scan + whole[-2:])
    assert refusal(path).reason.startswith("is damaged")


def test_only_png_tiff_and_jpeg_are_ever_decoded(tmp_path):
    """An EPS would start Ghostscript; others have decoders that few people ever looked at."""
    contents = {"EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n"}
    for format in ("GIF", "BMP", "WEBP", "PPM", "TGA", "ICO", "SGI", "PCX"):
        content = io.BytesIO()
        Image.fromarray(gradient()).save(content, format)
        contents[format] = content.getvalue()
    for format, content in contents.items():
        for name in (f"{format}.tif", f"{format}_npa.png"):
            (tmp_path / name).write_bytes(content)
            for read in READERS.values():
                assert outcome(read, tmp_path / name) == "is not an image", format
