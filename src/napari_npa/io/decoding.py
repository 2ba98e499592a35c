"""Decode TIFF, PNG and JPEG files, identified by content: samples and their meaning.

Nothing else is ever decoded, whatever a file is called. Headers are checked against the length of
the file before a decoder sees it.
"""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Literal

import imagecodecs
import numpy as np
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from napari_npa.errors import AngiogramError
from napari_npa.io.formats.jpeg_header import jpeg_header
from napari_npa.io.formats.png_header import PNG_MAGIC, png_header
from napari_npa.io.formats.tiff import count_frames, decode_tiff
from napari_npa.io.formats.tiff_directories import Directories
from napari_npa.io.orientation import orientation_of_exif
from napari_npa.io.stored import (
    EXPORT_AGAIN,
    EXPORT_GRAY,
    Stored,
    check_size,
    refuse_mask,
    refuse_too_large,
)

IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jpe", ".jfif")
"""Suffixes, in lower case, of images in a folder; the content decides what they are."""

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # classic and BigTIFF
_JPEG_MAGIC = b"\xff\xd8\xff"
_DICOM_MAGIC, _DICOM_MAGIC_AT = b"DICM", 128

HEAD_BYTES = _DICOM_MAGIC_AT + len(_DICOM_MAGIC)
"""Number of bytes at the beginning of a file that identify its format."""

# What our checks, imagecodecs and Pillow raise on damaged files. They have no common base class,
# and a damaged header raises whatever its first wrong number causes.
_DECODER_ERRORS = (
    OSError,
    ValueError,
    RuntimeError,  # every imagecodecs error
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    EOFError,
    SyntaxError,  # Pillow's "not a JPEG file", "broken PNG file"
    struct.error,
    zlib.error,
)

Format = Literal["tiff", "png", "jpeg"]


def decoded(path: Path, content: bytearray, *, mask: bool = False, frame: int = 0) -> Stored:
    """Decode the content of a file, or say what is wrong with it.

    Parameters
    ----------
    path
        Of the file, for errors.
    content
        All its bytes.
    mask
        Take a mask: of one bit, of any size, its colour table not looked up.
    frame
        Which image of a series, from 0.

    Raises
    ------
    AngiogramError
        It is damaged, too large, or of a kind that is not read; or there is no such frame.
    """
    kind = require_known_format(path, content[:HEAD_BYTES])
    if frame and kind != "tiff":
        raise AngiogramError(path, f"has no frame {frame + 1}: it is one image", "Open it alone.")
    try:
        if kind == "tiff":
            return decode_tiff(path, content, mask=mask, frame=frame)
        return {"png": _decode_png, "jpeg": _decode_jpeg}[kind](path, content, mask=mask)
    except _DECODER_ERRORS as error:
        raise AngiogramError(
            path, "is damaged, incomplete or in an unusual format", EXPORT_AGAIN
        ) from error


def frames_in(path: Path, content: bytearray) -> int:
    """Count the frames of a series, which have one size; 1 for a single image.

    Raises
    ------
    AngiogramError
        It is damaged, or of a kind that is not read.
    """
    if require_known_format(path, content[:HEAD_BYTES]) != "tiff":
        return 1
    try:
        return count_frames(path, content)
    except _DECODER_ERRORS as error:
        raise AngiogramError(
            path, "is damaged, incomplete or in an unusual format", EXPORT_AGAIN
        ) from error


def require_known_format(path: Path, head: bytes | bytearray) -> Format:
    """Tell the format of a file by its first bytes; refuse what is not read."""
    if head.startswith(_TIFF_MAGIC):
        return "tiff"
    if head.startswith(PNG_MAGIC):
        return "png"
    if head.startswith(_JPEG_MAGIC):
        return "jpeg"
    if not head:
        raise AngiogramError(path, "is empty", EXPORT_AGAIN)
    if head[_DICOM_MAGIC_AT:] == _DICOM_MAGIC:
        raise AngiogramError(
            path,
            "is a DICOM file, which is not read yet",
            "Export the image as TIFF or PNG from the viewer of the camera.",
        )
    raise AngiogramError(
        path,
        "is not an image of a known format, whatever its name says",
        "Choose a TIFF, PNG or JPEG file.",
    )


def _decode_png(path: Path, content: bytearray, *, mask: bool) -> Stored:
    header = png_header(content)
    refuse_too_large(path, header.rows, header.columns, header.decoded_bytes)
    if not mask:
        check_size(path, header.rows, header.columns)
        if header.bits == 1:
            refuse_mask(path)
    header.check()
    needed = header.without_extras(content)
    if mask and header.has_table:
        return _indices(needed)
    # Pillow would reduce 16-bit colour, and gray with alpha, to 8 bits.
    return Stored(imagecodecs.png_decode(needed))


def _indices(content: bytes) -> Stored:
    """Decode a PNG with a colour table to indices."""
    # Not Image.open, here and below: it would decode anything, with a limit of the whole process.
    with PngImageFile(BytesIO(content)) as image:
        samples = np.array(image)
        table = np.array(image.getpalette("RGBA"), np.uint8).reshape(-1, 4)
    if samples.max() >= len(table):
        raise ValueError("an index is not in the colour table")
    return Stored(samples, table=table)


def _decode_jpeg(path: Path, content: bytearray, *, mask: bool) -> Stored:
    header = jpeg_header(content)
    if header is None:
        raise ValueError("there is no image")
    refuse_too_large(path, header.rows, header.columns, header.decoded_bytes)
    if not mask:
        check_size(path, header.rows, header.columns)
    header.check()
    orientation = orientation_of_exif(header.exif(content))
    with JpegImageFile(BytesIO(header.without_extras(content))) as image:
        if image.mode not in ("L", "RGB"):
            raise AngiogramError(path, f"stores its pixels as {image.mode}, not gray", EXPORT_GRAY)
        return Stored(np.asarray(image), orientation=orientation, lossless=False)


def pixel_count(path: Path) -> int:
    """Return the number of pixels by the headers of an image; 0 if they do not say.

    Of several images in a TIFF file the largest counts.
    """
    try:
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            kind = require_known_format(path, content[:HEAD_BYTES])
            if kind == "tiff":
                pages = Directories(content).pages()
                return max(image.pixels for page in pages for image in page)
            header = png_header(content) if kind == "png" else jpeg_header(content)
            return 0 if header is None else header.rows * header.columns
    except (AngiogramError, *_DECODER_ERRORS):
        return 0  # reported when the file is decoded
