"""Remembers which angiogram a layer was opened from, so that no file is decoded a second time.

The memory is by the array of pixels. Metadata of the layer would be copied to layers of other
pixels, and saved with them; and the layer itself is not known yet, since napari makes it from
what was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, finalize

import numpy as np

from napari_npa.errors import AngiogramError
from napari_npa.io.angiogram import Angiogram, read_angiogram
from napari_npa.types import Gray

if TYPE_CHECKING:
    from napari.layers import Image

_OPENED: dict[int, Angiogram] = {}
"""Angiograms by the identity of their layer's pixels; an entry is dropped with the pixels."""


def read_only_pixels(angiogram: Angiogram) -> Gray:
    """Read-only pixels of an angiogram for a layer, (rows, columns) float32; not a copy."""
    pixels = angiogram.pixels.view()
    pixels.flags.writeable = False
    _OPENED[id(pixels)] = angiogram
    finalize(pixels, _OPENED.pop, id(pixels)).atexit = False
    return pixels


def origin_of(pixels: Any) -> Angiogram | None:  # noqa: ANN401 - numpy, dask, zarr, …
    """Angiogram with these :func:`read_only_pixels`; None: none, or they became writable."""
    if not isinstance(pixels, np.ndarray) or pixels.flags.writeable:
        return None
    return _OPENED.get(id(pixels))


@dataclass(frozen=True, eq=False)
class _Decoded:
    """What the file of a layer held while the layer had these data."""

    path: Path
    frame: int
    pixels: Any
    angiogram: Angiogram | None


_DECODED: WeakKeyDictionary[Image, _Decoded] = WeakKeyDictionary()
_decoding = Lock()  # two jobs may ask about one layer: the second waits until the first has read


def decoded_file(
    image: Image,
    pixels: Any,  # noqa: ANN401 - numpy, dask, zarr, …
    path: Path,
    frame: int,
) -> Angiogram | None:
    """Angiogram in the file of a layer, read once while the layer has the same data.

    Parameters
    ----------
    image
        The layer.
    pixels
        Its data, all frames.
    path
        Its file.
    frame
        Which image of a series, from 0.

    Returns
    -------
    angiogram
        None if it is not an angiogram that we can read: the layer was opened by a reader that
        knows more kinds of file.
    """
    with _decoding:
        known = _DECODED.get(image)
        if (
            known is None
            or known.pixels is not pixels
            or (known.path, known.frame) != (path, frame)
        ):
            known = _DECODED[image] = _Decoded(path, frame, pixels, _read(path, frame))
        return known.angiogram


def _read(path: Path, frame: int) -> Angiogram | None:
    try:
        return read_angiogram(path, frame=frame)
    except AngiogramError:
        return None
