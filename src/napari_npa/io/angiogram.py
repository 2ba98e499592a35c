"""Read angiograms as one gray image from 0 to 1, whatever their source.

The content of a file decides its format, not the name. A file that is not an angiogram
raises an `AngiogramError` that a clinician can act on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_npa.errors import AngiogramError
from napari_npa.io.decoding import decoded, frames_in
from napari_npa.io.file_bytes import does_not_fit, read_bytes
from napari_npa.io.gray_levels import gray_of_planes, row_blocks
from napari_npa.io.orientation import TURNED, is_turned, upright
from napari_npa.io.stored import Stored, check_size, refuse_mask
from napari_npa.types import Gray


@dataclass(frozen=True, eq=False)
class Angiogram:
    """A gray image of the retina.

    Attributes
    ----------
    pixels : (rows, columns) float32
        Gray levels from 0 to 1, see :func:`napari_npa.io.gray_levels.gray_of_planes`.
    name
        File name, or "array".
    sha256
        Hash of the bytes of the file; of an array, of its sample type, shape and bytes. A later
        frame of a file has its own, see :func:`hash_of_frame`.
    notes
        How the image was read, as far as a reader of the result should know: for example
        "first of 3 pages".
    path
        The file; None for an array.
    frame
        Which image of a series, from 0; 0 for a single image.
    """

    pixels: Gray = field(repr=False)
    name: str
    sha256: str
    notes: tuple[str, ...]
    path: Path | None = None
    frame: int = 0


def read_angiogram(path: str | Path, *, frame: int = 0) -> Angiogram:
    """Read an angiogram from a TIFF, PNG or JPEG file, identified by its content.

    Parameters
    ----------
    path
        The file, with any suffix.
    frame
        Which of the pages that have the size of the first, from 0.

    Returns
    -------
    Angiogram
        The first page of a file with several, or the full image of which that is a preview.
        Gray that is stored as colour becomes gray again. Gray levels are the same whatever the
        container: 8 bits, 10, 12 or 14 in 16, 16, floats; see
        :func:`napari_npa.io.gray_levels.gray_of_planes`. `notes` lists all other choices and
        changes.

    Raises
    ------
    AngiogramError
        The file is absent, unreadable, damaged, incomplete or of another format, or has no such
        frame; or the image has a side below `MIN_SIDE_PIXELS`, more than `MAX_PIXELS`, colour,
        one value only, or values that are not finite or out of range; or it is a mask.
    """
    path = Path(path)
    content = read_bytes(path)
    sha256 = hash_of_frame(hashlib.sha256(content).hexdigest(), frame)
    try:
        stored = decoded(path, content, frame=frame)
        del content  # before gray levels take memory
        pixels, notes = _gray_levels(path, stored)
    except MemoryError as error:
        raise does_not_fit(path) from error
    return Angiogram(pixels, path.name, sha256, notes, path, frame)


def count_frames(path: str | Path) -> int:
    """Count the frames of a file: TIFF pages of the size of the first, or 1.

    Raises
    ------
    AngiogramError
        The file is absent, cannot be read, is damaged or of another format.
    """
    path = Path(path)
    return frames_in(path, read_bytes(path))


def hash_of_frame(file_sha256: str, frame: int) -> str:
    """Hash of a frame of a file: of its first one that of the file; later ones have their own.

    That of the n-th is the SHA-256 of the text ``<hash of the file> frame <n>``.
    """
    if frame == 0:
        return file_sha256
    return hashlib.sha256(f"{file_sha256} frame {frame + 1}".encode()).hexdigest()


def angiogram_from_array(array: NDArray[Any], name: str = "array") -> Angiogram:
    """Take an array as an angiogram, under the same rules as a file.

    Parameters
    ----------
    array : (rows, columns), (rows, columns, channels) or (frames, rows, columns)
        uint8, uint16, int16 without negative values, or floats from 0 to 1 (larger ones are
        taken as levels of 8, 10, 12, 14 or 16 bits). A last axis of up to 4 is taken as channels:
        gray, gray and alpha, RGB, RGBA. The first of several frames is used.
    name
        Name of the angiogram in results and errors.

    Returns
    -------
    Angiogram
        A copy: later changes of `array` do not affect it.

    Raises
    ------
    AngiogramError
        As for `read_angiogram`, as far as it applies to an array.
    """
    array = np.asarray(array)
    pixels, notes = _gray_levels(name, Stored(array))
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    for rows in row_blocks(array):
        digest.update(np.ascontiguousarray(array[rows]).data)
    return Angiogram(pixels, name, digest.hexdigest(), notes)


def as_angiogram(image: str | Path | NDArray[Any] | Angiogram) -> Angiogram:
    """Make an angiogram of a file or an array.

    Parameters
    ----------
    image
        A file, an array, or an `Angiogram`, which is returned unchanged.

    Returns
    -------
    Angiogram

    Raises
    ------
    AngiogramError
        As for `read_angiogram` and `angiogram_from_array`.
    """
    if isinstance(image, Angiogram):
        return image
    if isinstance(image, str | Path):
        return read_angiogram(image)
    return angiogram_from_array(image)


def _gray_levels(subject: str | Path, stored: Stored) -> tuple[Gray, tuple[str, ...]]:
    """Return gray levels from 0 to 1, upright, and how they were obtained."""
    samples, frame_notes = _first_frame(subject, stored.samples)
    check_size(subject, *samples.shape[:2])
    planes = [samples] if samples.ndim == 2 else list(np.moveaxis(samples, -1, 0))
    alpha = planes.pop() if len(planes) in (2, 4) else None
    pixels, scale_notes = gray_of_planes(
        subject, planes, stored_white=stored.full_scale, zero_is_white=stored.zero_is_white
    )
    notes = [*stored.notes, *frame_notes, *scale_notes]
    if stored.zero_is_white:
        notes.append("stored with zero as white, inverted")
    if alpha is not None:
        pixels[alpha == 0] = 0
        notes.append("transparent pixels read as black")
    if is_turned(stored.orientation):
        pixels = upright(pixels, stored.orientation)
        notes.append(TURNED)
    _refuse_few_values(subject, pixels)
    return pixels, tuple(notes)


def _first_frame(
    subject: str | Path, samples: NDArray[Any]
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return the first (rows, columns) or (rows, columns, channels) of an array."""
    if samples.ndim < 2 or samples.size == 0:
        raise AngiogramError(
            subject, f"has the shape {samples.shape}", "Pass an array of rows and columns."
        )
    has_channels = samples.ndim > 2 and samples.shape[-1] <= 4
    leading = samples.ndim - (3 if has_channels else 2)
    frames = int(np.prod(samples.shape[:leading]))
    frame = samples[(0,) * leading]
    if has_channels and frame.shape[-1] == 1:
        frame = frame[..., 0]
    return frame, (f"first of {frames} frames",) if frames > 1 else ()


def _refuse_few_values(subject: str | Path, pixels: Gray) -> None:
    """Refuse an image that shows nothing, and a mask."""
    lowest, highest = pixels.min(), pixels.max()
    if lowest == highest:
        what = "is entirely black" if highest == 0 else "has one value everywhere"
        raise AngiogramError(subject, what, "Choose an image that shows the retina.")
    if not any(
        ((pixels[rows] > lowest) & (pixels[rows] < highest)).any() for rows in row_blocks(pixels)
    ):
        refuse_mask(subject)
