"""Image files damaged by the thousand: whole ones of every kind, and ways to damage them.

Run as a program, it damages files and reads them as angiograms and as masks, and prints a table:
``python -m clinic.damage 5000 png`` (in ``tests``).
"""

import io
import re
import resource
import struct
import sys
import time
import traceback
import zlib
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tifffile
from PIL import Image

from clinic import masks
from drawing import draw_round_angiogram
from napari_npa.errors import AngiogramError
from napari_npa.io.angiogram import read_angiogram
from napari_npa.io.masks import read_mask

MOST_SECONDS, MOST_BYTES = 20.0, 3 * 10**9
"""What reading one file may take."""

EYE = draw_round_angiogram(160)[:144, 8:152]


def _tiff(image=EYE, **how):
    how.setdefault("photometric", "minisblack")
    content = io.BytesIO()
    tifffile.imwrite(content, image, **how)
    return content.getvalue()


def _pages():
    content = io.BytesIO()
    with tifffile.TiffWriter(content) as writer:
        writer.write(EYE[::2, ::2], photometric="minisblack", subifds=1)
        writer.write(EYE, photometric="minisblack", compression="zlib")
        writer.write(EYE, photometric="minisblack", rowsperstrip=16, contiguous=False)
    return content.getvalue()


def _saved(image=EYE, **how):
    content = io.BytesIO()
    picture = Image.fromarray(image)
    if how.pop("table", False):
        picture.putpalette(masks.FULL_TABLE.astype(np.uint8).tobytes())
    picture.save(content, **how)
    return content.getvalue()


def _with_exif():
    exif = Image.Exif()
    exif[274], exif[306] = 6, "2026:01:01 12:00:00"
    return _saved(format="JPEG", exif=exif)


RGB = np.dstack([EYE] * 3)
TALL = EYE.astype(np.uint16) * 200
INSIDE = (EYE > 60).astype(np.uint8)

WHOLE = {
    "png": {
        "gray": lambda: _saved(format="PNG"),
        "16 bits": lambda: _saved(TALL, format="PNG"),
        "RGB": lambda: _saved(RGB, format="PNG"),
        "gray and alpha": lambda: _saved(np.dstack([EYE, 255 - EYE // 9]), format="PNG"),
        "colour table": lambda: _saved(format="PNG", table=True),
        "one bit": lambda: _saved(EYE > 60, format="PNG"),
        "mask": lambda: _saved(INSIDE * 255, format="PNG"),
    },
    "tiff": {
        "plain": _tiff,
        "16 bits, big-endian": lambda: _tiff(TALL, byteorder=">"),
        "floats": lambda: _tiff(EYE.astype(np.float32) / 255, compression="zlib", predictor=True),
        "lzw": lambda: _tiff(compression="lzw", rowsperstrip=20),
        "packbits, tiles": lambda: _tiff(compression="packbits", tile=(32, 48)),
        "deflate, tiles, BigTIFF": lambda: _tiff(compression="zlib", tile=(64, 64), bigtiff=True),
        "zstd": lambda: _tiff(compression="zstd"),
        "jpeg": lambda: _tiff(compression="jpeg"),
        "RGB": lambda: _tiff(RGB, photometric="rgb", compression="lzw"),
        "planes": lambda: _tiff(
            np.moveaxis(RGB, -1, 0).copy(), photometric="rgb", planarconfig="separate"
        ),
        "white is zero": lambda: _tiff(photometric="miniswhite"),
        "colour table": lambda: _tiff(
            photometric="palette", colormap=(masks.FULL_TABLE.T * 257).astype(np.uint16)
        ),
        "fax": lambda: _saved(EYE > 60, format="TIFF", compression="group4"),
        "pages": _pages,
        "mask": lambda: _tiff(INSIDE, compression="zlib"),
    },
    "jpeg": {
        "baseline": lambda: _saved(format="JPEG"),
        "progressive": lambda: _saved(format="JPEG", progressive=True),
        "colour": lambda: _saved(RGB, format="JPEG"),
        "colour, progressive": lambda: _saved(RGB, format="JPEG", progressive=True),
        "EXIF": _with_exif,
        "restarts": lambda: _saved(format="JPEG", restart_marker_rows=1),
        "mask": lambda: _saved(INSIDE * 255, format="JPEG"),
    },
}
"""Small whole files of every kind that is read, by format."""

EXTREMES = (0, 1, 2, 3, 7, 8, 63, 255, 256, 1000, 4096, 20_000, 65_535, 65_536, 400_000, 2**27,
            2**31 - 1, 2**31, 2**32 - 1)  # fmt: skip


def flip_bits(content, rng):
    for _ in range(rng.integers(1, 9)):
        content[rng.integers(len(content))] ^= 1 << rng.integers(8)


def flip_header(content, rng):
    for _ in range(rng.integers(1, 5)):
        content[int(len(content) * rng.random() ** 4)] = rng.integers(256)


def cut_off(content, rng):
    del content[rng.integers(len(content)) :]


def lose_a_block(content, rng):
    start = rng.integers(len(content))
    del content[start : start + rng.integers(1, 600)]


def repeat_a_block(content, rng):
    start = rng.integers(len(content))
    content[start:start] = content[start : start + rng.integers(1, 3000)] * rng.integers(1, 50)


def blank_a_block(content, rng):
    start = rng.integers(len(content))
    size = min(int(rng.integers(1, 600)), len(content) - start)
    content[start : start + size] = bytes([rng.choice([0, 255])]) * size


def put_an_extreme(content, rng):
    """Write an extreme number anywhere, most often where headers are."""
    size = int(rng.choice([1, 2, 4]))
    where = int((len(content) - size) * rng.random() ** rng.choice([1, 4]))
    number = int(rng.choice(EXTREMES)) % 256**size
    content[where : where + size] = number.to_bytes(size, str(rng.choice(["little", "big"])))


def change_a_tag(content, rng):
    """Change number, type, count or value of a tag of any directory of a TIFF."""
    order = "<" if content[:2] == b"II" else ">"
    is_big = content[2:4] in (b"+\0", b"\0+")
    offset, count, entry = ("Q", "Q", 20) if is_big else ("I", "H", 12)
    directories = []
    at = struct.unpack_from(order + offset, content, 8 if is_big else 4)[0]
    while at and len(directories) < 4:
        tags = struct.unpack_from(order + count, content, at)[0]
        directories.append((at + struct.calcsize(count), tags))
        at = struct.unpack_from(order + offset, content, directories[-1][0] + tags * entry)[0]
    for _ in range(rng.integers(1, 4)):
        first, tags = directories[rng.integers(len(directories))]
        where = first + entry * int(rng.integers(tags))
        what = rng.choice(["tag", "type", "count", "value", "value", "value"])
        number = int(rng.choice(EXTREMES))
        if what == "tag":
            struct.pack_into(order + "H", content, where, int(rng.integers(254, 340)))
        elif what == "type":
            struct.pack_into(order + "H", content, where + 2, int(rng.integers(20)))
        else:
            shift = 4 if what == "count" else 4 + struct.calcsize(offset)
            kind = "H" if what == "value" and rng.random() < 0.5 else offset
            limit = 256 ** struct.calcsize(kind)
            struct.pack_into(order + kind, content, where + shift, number % limit)


def change_a_chunk(content, rng):
    """Change the header or a part of a PNG, and make its checksum fit."""
    at, chunks = 8, []
    while at + 12 <= len(content):
        length = struct.unpack_from(">I", content, at)[0]
        chunks.append((at, length))
        at += 12 + length
    for _ in range(rng.integers(1, 4)):
        at, length = chunks[0] if rng.random() < 0.6 else chunks[rng.integers(len(chunks))]
        if length == 0:
            continue
        where = at + 8 + int(rng.integers(length))
        if at == 8 and rng.random() < 0.7:
            struct.pack_into(
                ">I", content, 16 + 4 * int(rng.integers(2)), int(rng.choice(EXTREMES))
            )
        else:
            content[where] = rng.integers(256)
        checked = bytes(content[at + 4 : at + 8 + length])
        struct.pack_into(">I", content, at + 8 + length, zlib.crc32(checked))


def change_a_segment(content, rng):
    """Change size, kind or length of a JPEG header, or repeat a scan."""
    markers = [
        at for at in range(len(content) - 9) if content[at] == 255 and content[at + 1] >= 192
    ]
    at = markers[rng.integers(len(markers))]
    frames = [m for m in markers if content[m + 1] in (192, 194)]
    scans = [m for m in markers if content[m + 1] == 218]
    what = rng.choice(["size", "kind", "length", "scans"])
    if what == "size" and frames:
        struct.pack_into(">HH", content, frames[0] + 5, *map(int, rng.integers(1, 65_536, 2)))
    elif what == "scans" and scans:
        content[scans[-1] : scans[-1]] = content[scans[-1] : -2] * int(rng.integers(1, 200))
    elif what == "kind":
        content[at + 1] = rng.integers(192, 256)
    else:
        struct.pack_into(">H", content, at + 2, int(rng.integers(65_536)))


ANYWHERE = (flip_bits, flip_header, cut_off, lose_a_block, repeat_a_block, blank_a_block,
            put_an_extreme)  # fmt: skip
OF_FORMAT = {"png": change_a_chunk, "tiff": change_a_tag, "jpeg": change_a_segment}


def damaged(format, seed):
    """A damaged file: which whole one, how it was damaged, and its content."""
    rng = np.random.default_rng([seed, len(format), ord(format[0])])
    kind = list(WHOLE[format])[rng.integers(len(WHOLE[format]))]
    content = bytearray(WHOLE[format][kind]())
    harm = OF_FORMAT[format] if rng.random() < 0.5 else ANYWHERE[rng.integers(len(ANYWHERE))]
    harm(content, rng)
    return kind, harm.__name__, bytes(content)


READERS = {"angiogram": read_angiogram, "mask": read_mask}


def outcome(read, path):
    """What reading came to: ``read``, a reason's first words, or the error that must not be."""
    try:
        read(path)
    except AngiogramError as error:
        return " ".join(re.sub(r"[\d.]+", "#", error.reason).split()[:4])
    except Exception as error:  # what is looked for
        traceback.print_exc()
        return f"ERROR {type(error).__name__}"
    return "read"


def _peak():
    """Most memory of this process since it was last asked, bytes (Linux)."""
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)
    Path("/proc/self/clear_refs").write_text("5")
    return 1024 * peak


def survey(format, count, start=0):
    """Damage and read files, and print what came of them."""
    told = {name: Counter() for name in READERS}
    slowest, largest = (0.0, 0), (0, 0)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"eye.{format}"
        for seed in range(start, start + count):
            path.write_bytes(damaged(format, seed)[2])
            for name, read in READERS.items():
                _peak()
                begin = time.process_time()
                told[name][outcome(read, path)] += 1
                slowest = max(slowest, (time.process_time() - begin, seed))
                largest = max(largest, (_peak(), seed))
    for name, counts in told.items():
        print(
            f"{format} as {name}: " + ", ".join(f"{n} {what}" for what, n in counts.most_common())
        )
    print(f"{format}: at most {slowest[0]:.2f} s of processor (file {slowest[1]}), "
          f"{largest[0] / 1e9:.2f} GB (file {largest[1]})")  # fmt: skip
    return told, slowest[0], largest[0]


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (2**34, 2**34))
    survey(sys.argv[2], int(sys.argv[1]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
