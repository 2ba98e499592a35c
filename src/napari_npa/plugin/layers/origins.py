"""Which angiogram the pixels of a layer are, so that no file is decoded a second time.

Not in the layer's metadata, which others copy and save, and not by the layer, which napari makes
itself of what is opened: an angiogram belongs to its pixels.
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
"""By the identity of the read-only pixels that a layer was given; an entry ends with them."""


def read_only_pixels(angiogram: Angiogram) -> Gray:
    """Pixels of an angiogram for a layer, (rows, columns) float32, that cannot be written to."""
    pixels = angiogram.pixels.view()
    pixels.flags.writeable = False
    _OPENED[id(pixels)] = angiogram
    finalize(pixels, _OPENED.pop, id(pixels)).atexit = False
    return pixels


def origin_of(pixels: Any) -> Angiogram | None:  # noqa: ANN401 - numpy, dask, zarr, …
    """Angiogram whose :func:`read_only_pixels` these are; None if they may have been changed."""
    if not isinstance(pixels, np.ndarray) or pixels.flags.writeable:
        return None
    return _OPENED.get(id(pixels))


@dataclass(frozen=True, eq=False)
class _Decoded:
    """What was found in the file of a layer while the layer had these data."""

    path: Path
    pixels: Any
    angiogram: Angiogram | None


_DECODED: WeakKeyDictionary[Image, _Decoded] = WeakKeyDictionary()
_decoding = Lock()  # two jobs may ask of one layer: the second waits for what the first reads


def decoded_file(image: Image, pixels: Any, path: Path) -> Angiogram | None:  # noqa: ANN401
    """Angiogram in the file of a layer, read once while the layer has the same data.

    Parameters
    ----------
    image
        The layer.
    pixels
        Its data, all frames.
    path
        Its file.

    Returns
    -------
    angiogram
        None where the file is not an angiogram: another reader, which knows more kinds of file,
        opened it.
    """
    with _decoding:
        known = _DECODED.get(image)
        if known is None or known.pixels is not pixels or known.path != path:
            known = _DECODED[image] = _Decoded(path, pixels, _read(path))
        return known.angiogram


def _read(path: Path) -> Angiogram | None:
    try:
        return read_angiogram(path)
    except AngiogramError:
        return None
