"""Decode TIFF files: which of their images, and its samples and their meaning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from tifffile import COMPRESSION, PHOTOMETRIC

from napari_npa.errors import AngiogramError
from napari_npa.io.formats.jpeg_header import jpeg_header
from napari_npa.io.formats.tiff_directories import EXPANSION, DamagedError, Directories, Directory
from napari_npa.io.stored import (
    EXPORT_AGAIN,
    EXPORT_GRAY,
    Stored,
    check_size,
    refuse_mask,
    refuse_too_large,
)

# JPEG inside TIFF is stored as YCbCr and decoded to RGB.
_GRAY_OR_RGB = (
    None,
    PHOTOMETRIC.MINISWHITE,
    PHOTOMETRIC.MINISBLACK,
    PHOTOMETRIC.RGB,
    PHOTOMETRIC.PALETTE,
    PHOTOMETRIC.YCBCR,
)

PREVIEW_AREA = 0.7
"""A page with a larger share of the pixels of another is not a preview of it."""

ALIKE = 0.95
"""Correlation of the gray levels of a preview with those of its image; of different angiograms of
one camera it was at most 0.92."""


def decode_tiff(path: Path, content: bytearray, *, mask: bool = False, frame: int = 0) -> Stored:
    """Decode the image of full resolution of a TIFF file.

    Parameters
    ----------
    path
        Of the file, for errors.
    content
        The whole file; its first offset may be changed.
    mask
        Take a mask: of one bit, of any size, its colour table not looked up.
    frame
        Which of the images of that size, from 0.
    """
    directories = Directories(content)
    pages = directories.pages()
    if not pages:
        raise DamagedError("there is no page")
    chosen, notes = _chosen(path, directories, content, pages, mask=mask)
    if frame:
        frames = _of_same_size(pages, chosen)
        if frame >= len(frames):
            raise AngiogramError(
                path,
                f"has no frame {frame + 1}: there are {len(frames)}",
                "Choose one of these frames.",
            )
        chosen, notes = frames[frame], [f"frame {frame + 1} of {len(frames)}"]
    if not mask:
        check_size(path, chosen.rows, chosen.columns)
        if chosen.bits == 1:
            refuse_mask(path)
    elif len(_of_same_size(pages, chosen)) > 1:
        raise AngiogramError(
            path,
            f"has {len(_of_same_size(pages, chosen))} pages; a mask has one",
            "Export the page with the mask alone.",
        )
    samples = _decoded(path, directories, content, chosen)
    stored = Stored(
        samples,
        zero_is_white=chosen.photometric == PHOTOMETRIC.MINISWHITE,
        orientation=chosen.orientation,
        notes=tuple(notes),
        lossless=chosen.compression != COMPRESSION.JPEG,
    )
    if chosen.meaningless and mask:
        raise AngiogramError(
            path,
            f"has {chosen.samples} channels; a mask has one",
            "Export it with one value a pixel, 0 outside and 1 (or 255) inside.",
        )
    if chosen.meaningless:
        samples = samples[..., : chosen.samples - chosen.meaningless]
        note = "channels without a meaning left out"
        stored = replace(stored, samples=samples, notes=(*stored.notes, note))
    if (table := chosen.colour_table) is not None:
        if mask:
            return replace(stored, table=table)
        note = "stored with a colour table"
        return replace(stored, samples=table[samples], notes=(*stored.notes, note))
    if samples.dtype.kind == "u":  # 12 packed bits are decoded to 16, not stretched
        return replace(stored, full_scale=2.0**chosen.bits - 1)
    return stored


def count_frames(path: Path, content: bytearray) -> int:
    """Count the images of a TIFF file that have the size of the one of full resolution."""
    directories = Directories(content)
    pages = directories.pages()
    chosen, _ = _chosen(path, directories, content, pages, mask=False)
    return max(1, len(_of_same_size(pages, chosen)))


def _chosen(
    path: Path,
    directories: Directories,
    content: bytearray,
    pages: list[list[Directory]],
    *,
    mask: bool,
) -> tuple[Directory, list[str]]:
    """Choose the image of full resolution, and say which it is."""
    first = pages[0][0]
    images = [image for page in pages for image in page if not image.is_mask]
    images = [image for image in images if not image.is_reduced] or images or [first]
    largest = max(images, key=lambda image: image.pixels)  # the first of several
    if first.pixels > PREVIEW_AREA * largest.pixels and not first.is_mask:
        return first, [f"first of {len(pages)} pages"] if len(pages) > 1 else []
    if largest.inside and largest.page == 0:
        what = f"image of {largest.columns} x {largest.rows} pixels inside the first page"
        return largest, [f"{what}, which is a preview"]
    told = first.is_reduced or first.is_mask
    if not told and not _shows_the_same(path, directories, content, first, largest):
        sizes = " and ".join(f"{image.columns} x {image.rows}" for image in (first, largest))
        raise AngiogramError(
            path,
            f"holds different pictures, of {sizes} pixels",
            f"Export the page with the {'mask' if mask else 'angiogram'} alone.",
        )
    inside = "inside " if largest.inside else ""
    return largest, [
        f"{inside}page {largest.page + 1} of {len(pages)}, since the first is a preview"
    ]


def _of_same_size(pages: list[list[Directory]], chosen: Directory) -> list[Directory]:
    size = (chosen.rows, chosen.columns)
    return [
        image
        for page in pages
        for image in page
        if (image.rows, image.columns) == size and not image.is_mask
    ]


def _shows_the_same(
    path: Path,
    directories: Directories,
    content: bytearray,
    preview: Directory,
    image: Directory,
) -> bool:
    """Whether one image is a smaller version of another, by their gray levels."""
    small, large = (
        _gray(_decoded(path, directories, content, one), one) for one in (preview, image)
    )
    return max(_correlation(small, one) for one in _shrunk(large, small.shape)) >= ALIKE


def _shrunk(image: NDArray[np.float64], shape: tuple[int, ...]) -> Iterator[NDArray[np.float64]]:
    """Make an image as small as a preview, as programs do: by averaging, or by picking pixels."""
    rows, columns = (
        np.arange(there) * size // there for there, size in zip(shape, image.shape, strict=True)
    )
    sums = np.add.reduceat(np.add.reduceat(image, rows, axis=0), columns, axis=1)
    counts = np.outer(np.diff([*rows, image.shape[0]]), np.diff([*columns, image.shape[1]]))
    yield sums / counts
    yield image[np.ix_(rows, columns)]
    yield image[
        np.ix_(rows + image.shape[0] // shape[0] // 2, columns + image.shape[1] // shape[1] // 2)
    ]


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Correlation of gray levels; 1 where both images have one level."""
    if not np.ptp(one) or not np.ptp(other):
        return float(not np.ptp(one) and not np.ptp(other))
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def _gray(samples: NDArray[Any], image: Directory) -> NDArray[np.float64]:
    """Gray levels of an image at any scale, to be compared with those of another."""
    table = image.colour_table
    if table is not None:
        samples = table.mean(axis=1)[samples]
    elif samples.ndim == 3:
        samples = samples[..., : 3 if samples.shape[-1] >= 3 else 1].mean(axis=-1)
    return np.nan_to_num(samples.astype(np.float64))


def _decoded(
    path: Path, directories: Directories, content: bytearray, image: Directory
) -> NDArray[Any]:
    """Samples of one image, (rows, columns) or (rows, columns, channels), after all checks."""
    refuse_too_large(path, image.rows, image.columns)
    if image.photometric not in _GRAY_OR_RGB:
        kind = _name(PHOTOMETRIC, image.photometric)
        raise AngiogramError(path, f"stores its pixels as {kind}, not as gray", EXPORT_GRAY)
    if image.planes > 1:
        raise AngiogramError(path, f"is a volume of {image.planes} planes", EXPORT_AGAIN)
    if image.compression not in EXPANSION:
        kind = _name(COMPRESSION, image.compression)
        raise AngiogramError(
            path, f"is compressed as {kind} inside the TIFF, which is not read", EXPORT_AGAIN
        )
    # libtiff decodes an incomplete JPEG-compressed page as far as it can, without an error.
    if image.is_cut_off(len(content)):
        raise AngiogramError(path, "is incomplete: part of its pixels is missing", EXPORT_AGAIN)
    image.check(len(content))
    looked_up = 0 if image.colour_table is None else 6 * image.pixels
    refuse_too_large(path, image.rows, image.columns, image.decoded_bytes + looked_up)
    if image.compression == COMPRESSION.JPEG:
        for offset, count in image.segments:
            header = jpeg_header(content, offset, offset + count)
            if header is not None:
                refuse_too_large(path, header.rows, header.columns, header.decoded_bytes)
                header.check()
    directories.point_to(image)
    # Not with tifffile: damaged LZW data can crash its decoder (imagecodecs 2026.3.6), and with
    # it the whole program; libtiff refuses them.
    samples = np.asarray(imagecodecs.tiff_decode(content))
    if image.samples > 1 and samples.shape[-1] != image.samples:
        samples = np.moveaxis(samples, 0, -1)  # stored plane by plane
    channels = (image.samples,) if image.samples > 1 else ()
    if samples.shape != (image.rows, image.columns, *channels):
        raise DamagedError(f"decoded to {samples.shape}")
    return samples


def _name(kinds: type[PHOTOMETRIC] | type[COMPRESSION], number: int | None) -> str:
    return kinds(number).name if number in list(kinds) else f"kind {number}"
