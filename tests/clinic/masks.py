"""One mask, saved as programs of clinics save it: each function writes a file of its own kind."""

import io
import struct
import zlib

import numpy as np
import tifffile
from PIL import Image
from scipy.ndimage import gaussian_filter

INSIDE = np.zeros((70, 90), np.bool_)
INSIDE[10:40, 15:50] = True
INSIDE[50:60, 60:85] = True
INSIDE[12:20, 70:80] = True
"""The mask. No mirror image or half turn of it is the same."""

NUMBERS = INSIDE.astype(np.uint8)
GRAY = np.where(INSIDE, np.uint8(255), np.uint8(0))


def blurred(mask=INSIDE, sigma=1.0):
    """Gray levels 0 to 1 that cross one half where the mask ends."""
    # Blurring rounds corners: only straight edges stay where they were.
    return np.clip(gaussian_filter(mask.astype(np.float64), sigma), 0, 1)


def tiff(path, values, **how):
    how.setdefault("photometric", "minisblack")
    tifffile.imwrite(path, values, **how)
    return path


def picture(path, values, **how):
    Image.fromarray(values).save(path, **how)
    return path


def with_table(path, indices, *colours, **how):
    """A picture of indices and their colours, red, green and blue, 0 to 255."""
    image = Image.fromarray(indices)
    image.putpalette([level for colour in colours for level in colour])
    image.save(path, **how)
    return path


def coloured(*colours):
    """Pixels, (rows, columns, channels): the first colour outside, the second inside."""
    return np.array(colours, np.uint8)[NUMBERS]


BLACK, WHITE, RED, GREEN = (0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 128, 0)

FULL_TABLE = np.arange(256).repeat(3).reshape(-1, 3)


def instances(dtype=np.uint8, first=1, step=1):
    """Labels: a number for each area."""
    labels = np.zeros(INSIDE.shape, dtype)
    for at, where in enumerate([np.s_[:45, :55], np.s_[45:], np.s_[:45, 55:]]):
        labels[where][INSIDE[where]] = first + at * step
    return labels


def with_orientation(values, orientation):
    """Values as a file with this tag stores them, so that they are seen as they are here."""
    undo = {
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.T,
        6: lambda a: np.rot90(a),
        7: lambda a: a[::-1, ::-1].T,
        8: lambda a: np.rot90(a, -1),
    }
    return np.ascontiguousarray(undo[orientation](values))


UNDERSTOOD = {
    "0 and 1": lambda p: tiff(p, NUMBERS),
    "0 and 255": lambda p: tiff(p, GRAY, compression="lzw"),
    "0 and 2": lambda p: tiff(p, 2 * NUMBERS),
    "0 and 100": lambda p: picture(p, 100 * NUMBERS, format="PNG"),
    "0 and 255 of 16 bits": lambda p: tiff(p, GRAY.astype(np.uint16)),
    "0 and 65535": lambda p: tiff(p, GRAY.astype(np.uint16) * 257),
    "napari's labels": lambda p: tiff(p, instances(np.int32), compression="zlib"),
    "labels 1 to 3": lambda p: picture(p, instances(), format="PNG"),
    "labels 40 to 120": lambda p: picture(p, instances(first=40, step=40), format="PNG"),
    "labels 1000 to 3000": lambda p: tiff(p, instances(np.uint16, 1000, 1000)),
    "labels of 64 bits": lambda p: tiff(p, instances(np.int64)),
    "labels as floats": lambda p: tiff(p, instances(np.float32)),
    "one bit": lambda p: picture(p, INSIDE, format="PNG"),
    "one bit, TIFF": lambda p: picture(p, INSIDE, format="TIFF"),
    "one bit as a fax": lambda p: picture(p, INSIDE, format="TIFF", compression="group4"),
    "one bit, white is zero": lambda p: tiff(p, ~INSIDE, photometric="miniswhite"),
    "floats 0 and 1": lambda p: tiff(p, INSIDE.astype(np.float32)),
    "floats of 64 bits": lambda p: tiff(p, INSIDE.astype(np.float64)),
    "floats 0 and 255": lambda p: tiff(p, GRAY.astype(np.float32)),
    "NaN outside": lambda p: tiff(p, np.where(INSIDE, 1, np.nan).astype(np.float32)),
    "NaN at the rim": lambda p: tiff(
        p, np.where(np.arange(70)[:, None] < 5, np.nan, INSIDE).astype(np.float32)
    ),
    "-1 outside": lambda p: tiff(p, np.where(INSIDE, 1, -1).astype(np.int16)),
    "-1 outside, floats": lambda p: tiff(p, np.where(INSIDE, 1, -1).astype(np.float32)),
    "-1, 0 and 1": lambda p: tiff(
        p, np.where(np.arange(70)[:, None] < 5, -1, INSIDE).astype(np.int16)
    ),
    "a gray table": lambda p: with_table(p, GRAY, *FULL_TABLE, format="PNG"),
    "a table of black and white": lambda p: with_table(p, NUMBERS, BLACK, WHITE, format="PNG"),
    "a table of one bit": lambda p: with_table(p, NUMBERS, BLACK, WHITE, format="PNG", bits=1),
    "a table of black and red": lambda p: with_table(p, NUMBERS, BLACK, RED, format="PNG"),
    "a table of dark colours": lambda p: with_table(
        p, instances(), BLACK, (64, 0, 0), (0, 64, 0), (0, 0, 128), format="PNG"
    ),
    "a table in TIFF": lambda p: tiff(
        p, NUMBERS, photometric="palette", colormap=table_of_tiff(BLACK, RED)
    ),
    "a gray table in TIFF": lambda p: tiff(
        p, GRAY, photometric="palette", colormap=(FULL_TABLE.T * 257).astype(np.uint16)
    ),
    "RGB": lambda p: picture(p, coloured(BLACK, WHITE), format="PNG"),
    "RGB of two dark grays": lambda p: picture(p, coloured(BLACK, (1, 1, 1)), format="PNG"),
    "red on black": lambda p: picture(p, coloured(BLACK, RED), format="PNG"),
    "green on black, TIFF": lambda p: tiff(p, coloured(BLACK, GREEN), photometric="rgb"),
    "red on black, plane by plane": lambda p: tiff(
        p,
        np.moveaxis(coloured(BLACK, RED), -1, 0).copy(),
        photometric="rgb",
        planarconfig="separate",
    ),
    "RGBA": lambda p: picture(p, coloured((*BLACK, 255), (*WHITE, 255)), format="PNG"),
    "white on transparent": lambda p: picture(
        p, coloured((*WHITE, 0), (*WHITE, 255)), format="PNG"
    ),
    "red on transparent": lambda p: picture(p, coloured((*WHITE, 0), (*RED, 255)), format="PNG"),
    "gray and alpha": lambda p: picture(
        p, np.dstack([GRAY, np.full_like(GRAY, 255)]), format="PNG"
    ),
    "white seen through alpha": lambda p: picture(
        p, np.dstack([np.full_like(GRAY, 255), GRAY]), format="PNG"
    ),
    "JPEG": lambda p: picture(p, GRAY, format="JPEG", quality=60),
    "JPEG, progressive": lambda p: picture(p, GRAY, format="JPEG", progressive=True),
    "JPEG in colour": lambda p: picture(p, coloured(BLACK, WHITE), format="JPEG"),
    "JPEG in TIFF": lambda p: tiff(p, GRAY, compression="jpeg"),
    "JPEG saved as PNG": lambda p: picture(p, after_jpeg(), format="PNG"),
    **{
        f"orientation {number}": lambda p, number=number: tiff(
            p, with_orientation(NUMBERS, number), extratags=[(274, 3, 1, number, True)]
        )
        for number in range(2, 9)
    },
    "orientation of a JPEG": lambda p: jpeg_with_orientation(p, 6),
    "a preview before it": lambda p: pages(p, GRAY[::5, ::5], GRAY),
    "a pyramid after it": lambda p: pages(p, NUMBERS, NUMBERS[::2, ::2], NUMBERS[::4, ::4]),
    "BigTIFF in tiles, big-endian": lambda p: tiff(
        p, GRAY, bigtiff=True, tile=(32, 16), byteorder=">", compression="packbits"
    ),
}
"""Masks that are :data:`INSIDE` and nothing else, by what is special about them."""


REFUSED = {
    "white is zero": lambda p: tiff(p, 255 - GRAY, photometric="miniswhite"),
    "white is zero, as ImageJ inverts": lambda p: tiff(p, GRAY, photometric="miniswhite"),
    "white is zero, 0 and 1": lambda p: tiff(p, NUMBERS, photometric="miniswhite"),
    "a reversed table": lambda p: with_table(p, GRAY, *FULL_TABLE[::-1], format="PNG"),
    "a reversed table in TIFF": lambda p: tiff(
        p, GRAY, photometric="palette", colormap=(FULL_TABLE[::-1].T * 257).astype(np.uint16)
    ),
    "a table of white and black": lambda p: with_table(p, NUMBERS, WHITE, BLACK, format="PNG"),
    "a table of white and red": lambda p: with_table(p, NUMBERS, WHITE, RED, format="PNG"),
    "red on white": lambda p: picture(p, coloured(WHITE, RED), format="PNG"),
    "red on green": lambda p: picture(p, coloured(GREEN, RED), format="PNG"),
    "black on transparent": lambda p: picture(
        p, coloured((*BLACK, 0), (*BLACK, 255)), format="PNG"
    ),
    "transparent everywhere": lambda p: picture(
        p, coloured((*BLACK, 0), (*WHITE, 0)), format="PNG"
    ),
    "classes from 1": lambda p: tiff(p, NUMBERS + np.uint8(1)),
    "classes from 1 to 255": lambda p: tiff(p, np.where(INSIDE, 255, 128).astype(np.uint8)),
    "a void of 255": lambda p: picture(
        p, np.where(np.arange(90) < 4, np.uint8(255), NUMBERS), format="PNG"
    ),
    "one bit of each colour": lambda p: tiff(p, np.dstack([INSIDE] * 3), photometric="rgb"),
    "-1 and 0": lambda p: tiff(p, np.where(INSIDE, 0, -1).astype(np.int16)),
    "-2": lambda p: tiff(p, np.where(INSIDE, 1, -2).astype(np.int16)),
    "infinity": lambda p: tiff(p, np.where(INSIDE, np.inf, 0).astype(np.float32)),
    "a photograph": lambda p: picture(p, noise(), format="PNG"),
    "a dark photograph": lambda p: picture(p, noise() // 8, format="PNG"),
    "a photograph of 12 bits": lambda p: tiff(p, noise().astype(np.uint16) * 16),
    "a photograph as JPEG": lambda p: picture(p, noise(), format="JPEG"),
    "a photograph as floats": lambda p: tiff(p, noise().astype(np.float32) / 255),
    "a colour photograph": lambda p: picture(
        p, np.dstack([noise(), noise() // 2, noise() // 3]), format="PNG"
    ),
    "an overlay": lambda p: picture(
        p, np.where(INSIDE[..., None], np.uint8(RED), np.dstack([noise()] * 3)), format="PNG"
    ),
    "two pages": lambda p: pages(p, NUMBERS, 1 - NUMBERS),
    "two channels": lambda p: tiff(p, np.dstack([NUMBERS, 1 - NUMBERS]), planarconfig="contig"),
    "different pictures": lambda p: pages(p, noise()[:35, :45], GRAY),
    "a damaged part of a PNG": lambda p: damaged_png(p),
    "more pixels than the data can hold": lambda p: bomb(p, 20_000, 20_000),
    "more pixels than are read": lambda p: bomb(p, 60_000, 60_000),
}
"""Files that are no masks, or can be understood in two ways, or are damaged."""


def table_of_tiff(*colours):
    table = np.zeros((3, 256), np.uint16)
    table[:, : len(colours)] = 257 * np.array(colours, np.uint16).T
    return table


def after_jpeg():
    encoded = io.BytesIO()
    Image.fromarray(GRAY).save(encoded, "JPEG", quality=75)
    return np.asarray(Image.open(encoded, formats=["JPEG"]))


def jpeg_with_orientation(path, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    return picture(path, with_orientation(GRAY, orientation), format="JPEG", exif=exif)


def pages(path, *images):
    with tifffile.TiffWriter(path) as writer:
        for image in images:
            writer.write(image, photometric="minisblack", contiguous=False)
    return path


def noise():
    return np.random.default_rng(0).integers(0, 256, INSIDE.shape, np.uint8)


def chunk(kind, content):
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def bomb(path, rows, columns):
    """A PNG of few bytes that declares many pixels."""
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(bytes(1000)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b""))
    return path


def damaged_png(path):
    with_table(path, NUMBERS, BLACK, WHITE, format="PNG")
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 8] ^= 0xFF
    path.write_bytes(content)
    return path
