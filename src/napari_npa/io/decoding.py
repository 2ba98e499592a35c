"""Decode TIFF, PNG and JPEG files, identified by content: samples and their meaning."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL.JpegImagePlugin import JpegImageFile

from napari_npa.errors import AngiogramError

MIN_SIDE_PIXELS = 64
"""Smallest number of rows and of columns: a smaller image shows no retina to judge."""

MAX_PIXELS = 20_000 * 20_000
"""Largest image: five times the rows and columns that ultra-widefield cameras export."""

# JPEG inside TIFF is stored as YCbCr and decoded to RGB.
_GRAY_OR_RGB = (
    tifffile.PHOTOMETRIC.MINISWHITE,
    tifffile.PHOTOMETRIC.MINISBLACK,
    tifffile.PHOTOMETRIC.RGB,
    tifffile.PHOTOMETRIC.PALETTE,
    tifffile.PHOTOMETRIC.YCBCR,
)

IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
"""Suffixes, in lower case, of images in a folder; the content decides what they are."""

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # classic and BigTIFF

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"

_JPEG_MAGIC = b"\xff\xd8\xff"

_DICOM_MAGIC, _DICOM_MAGIC_AT = b"DICM", 128

HEAD_BYTES = _DICOM_MAGIC_AT + len(_DICOM_MAGIC)
"""Number of bytes at the beginning of a file that identify its format."""

_ORIENTATION_TAG = 274

# What tifffile, imagecodecs and Pillow raise on damaged files. They have no common base class,
# and a damaged header raises whatever its first wrong number causes.
_DECODER_ERRORS = (
    OSError,
    ValueError,  # tifffile.TiffFileError too
    RuntimeError,  # every imagecodecs error
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    EOFError,
    SyntaxError,  # Pillow's "not a JPEG file"
    struct.error,
)

_EXPORT_AGAIN = "Export or copy it again, as gray TIFF or PNG."

_EXPORT_GRAY = "Export the angiogram as 8- or 16-bit gray."


@dataclass(frozen=True, eq=False)
class Stored:
    """Content of a file or an array, before its samples become gray levels from 0 to 1.

    Frames come first in `samples`, channels (at most 4) last. `full_scale` is None where the
    sample type determines it.
    """

    samples: NDArray[Any]
    full_scale: float | None = None
    zero_is_white: bool = False
    orientation: int = 1
    notes: tuple[str, ...] = ()


def decoded(path: Path, head: bytes) -> Stored:
    """Decode a file that begins with `head`, or say what is wrong with it."""
    decode = _decoder(path, head)
    try:
        return decode(path)
    except _DECODER_ERRORS as error:
        raise AngiogramError(
            path, "is damaged, incomplete or in an unusual format", _EXPORT_AGAIN
        ) from error


def pixel_count(path: Path) -> int:
    """Return the number of pixels by the header of an image; 0 if the header does not say."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            if head.startswith(TIFF_MAGIC):
                file.seek(0)
                with tifffile.TiffFile(file) as tiff:
                    page = tiff.pages.first
                    return int(page.imagelength * page.imagewidth)
            if head.startswith(PNG_MAGIC):
                columns, rows = struct.unpack_from(">II", head, 16)
                return int(rows * columns)
            if head.startswith(_JPEG_MAGIC):
                file.seek(0)
                with JpegImageFile(file) as image:
                    return image.height * image.width
    except _DECODER_ERRORS:
        pass  # reported when the file is decoded
    return 0


def _decoder(path: Path, head: bytes) -> Callable[[Path], Stored]:
    """Choose the function that decodes a file beginning with `head`."""
    if head.startswith(TIFF_MAGIC):
        return _decode_tiff
    if head.startswith(PNG_MAGIC):
        return _decode_png
    if head.startswith(_JPEG_MAGIC):
        return _decode_jpeg
    if not head:
        raise AngiogramError(path, "is empty", _EXPORT_AGAIN)
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


def _decode_tiff(path: Path) -> Stored:
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        check_size(path, page.imagelength, page.imagewidth)
        if page.bitspersample == 1:
            refuse_mask(path)
        if page.photometric not in _GRAY_OR_RGB:
            kind = getattr(page.photometric, "name", page.photometric)
            raise AngiogramError(path, f"stores its pixels as {kind}, not as gray", _EXPORT_GRAY)
        if page.imagedepth > 1:
            raise AngiogramError(path, f"is a volume of {page.imagedepth} planes", _EXPORT_AGAIN)
        # libtiff decodes an incomplete JPEG-compressed page as far as it can, without an error.
        ends = [at + size for at, size in zip(page.dataoffsets, page.databytecounts, strict=True)]
        if max(ends) > path.stat().st_size or 0 in page.databytecounts:
            raise AngiogramError(
                path, "is incomplete: part of its pixels is missing", _EXPORT_AGAIN
            )
        # Not page.asarray: damaged LZW data can crash its decoder (imagecodecs 2026.3.6), and
        # with it the whole program; libtiff refuses them.
        samples = imagecodecs.tiff_decode(path.read_bytes())
        if page.samplesperpixel > 1 and samples.shape[-1] != page.samplesperpixel:
            samples = np.moveaxis(samples, 0, -1)  # stored plane by plane
        notes: list[str] = []
        if len(file.pages) > 1:
            notes.append(f"first of {len(file.pages)} pages")
        if tifffile.EXTRASAMPLE.UNSPECIFIED in page.extrasamples:
            samples = samples[..., : page.samplesperpixel - len(page.extrasamples)]
            notes.append("channels without a meaning left out")
        full_scale = None
        if page.photometric == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None:
            samples = np.ascontiguousarray(page.colormap.T)[samples]
            notes.append("stored with a colour table")
        elif samples.dtype.kind == "u":  # 12 packed bits are decoded to 16, not stretched
            full_scale = 2.0**page.bitspersample - 1
        return Stored(
            samples,
            full_scale=full_scale,
            # Read from the tag: without one, tifffile takes zero as white.
            zero_is_white=page.tags.valueof("PhotometricInterpretation")
            == tifffile.PHOTOMETRIC.MINISWHITE,
            orientation=int(page.tags.valueof(_ORIENTATION_TAG, default=1)),
            notes=tuple(notes),
        )


def _decode_png(path: Path) -> Stored:
    encoded = path.read_bytes()
    columns, rows, bits = struct.unpack_from(">IIB", encoded, 16)  # the IHDR chunk
    check_size(path, rows, columns)
    if bits == 1:
        refuse_mask(path)
    # Pillow would reduce 16-bit colour, and gray with alpha, to 8 bits.
    return Stored(imagecodecs.png_decode(encoded))


def _decode_jpeg(path: Path) -> Stored:
    # Not Image.open: its limit on the number of pixels holds for the whole process.
    with path.open("rb") as file, JpegImageFile(file) as image:
        check_size(path, image.height, image.width)
        if image.mode not in ("L", "RGB"):
            raise AngiogramError(path, f"stores its pixels as {image.mode}, not gray", _EXPORT_GRAY)
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
        return Stored(np.asarray(image), orientation=orientation)


def check_size(subject: str | Path, rows: int, columns: int) -> None:
    """Refuse thumbnails, and images too large for memory."""
    if min(rows, columns) < MIN_SIDE_PIXELS:
        raise AngiogramError(
            subject,
            f"has only {columns} x {rows} pixels; {MIN_SIDE_PIXELS} on each side are needed",
            "Choose the full angiogram, not a thumbnail.",
        )
    if rows * columns > MAX_PIXELS:
        raise AngiogramError(
            subject,
            f"has {columns} x {rows} pixels; at most {MAX_PIXELS // 10**6} million are read",
            "Export it smaller.",
        )


def refuse_mask(subject: str | Path) -> NoReturn:
    """Refuse a mask that was given instead of an angiogram."""
    raise AngiogramError(
        subject, "is a mask, not an angiogram", "Choose the angiogram that it was made on."
    )
