"""Reads files for napari's File > Open and for drag and drop, as our own Open… does.

Without a reader of ours, napari shows what a file stores and not what it means: inverted, turned,
a preview, a colour table as gray. A plugin that reads a kind of file makes napari ask which reader
to use, once for each suffix if the user lets it remember. So that one answer serves for all files,
what is no angiogram is opened here as well: masks as masks, and the rest as napari itself would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from napari.types import LayerData
from napari.utils.notifications import show_info
from napari_builtins.io import napari_get_reader

from napari_npa.errors import AngiogramError
from napari_npa.io.angiogram import read_angiogram
from napari_npa.io.decoding import HEAD_BYTES, require_known_format
from napari_npa.io.masks import read_mask
from napari_npa.io.names import MASK_ENDINGS, PICTURE_FILES
from napari_npa.plugin.layers.frames import Frames
from napari_npa.plugin.layers.mask_layers import mask_settings
from napari_npa.plugin.layers.on_screen import MASK_OPENED
from napari_npa.plugin.layers.open import layer_of, open_file

ReadLayers = Callable[[str | list[str]], list[LayerData]]

_NO_ANGIOGRAMS = tuple(Path(file).stem for file in PICTURE_FILES)


def get_reader(path: str | list[str]) -> ReadLayers | None:
    """Reader for TIFF, PNG and JPEG files, by their first bytes; None for others, napari's rule."""
    try:
        for file in _paths(path):
            with file.open("rb") as opened:
                require_known_format(file, opened.read(HEAD_BYTES))
    except (OSError, AngiogramError):
        return None
    return read


def read(path: str | list[str]) -> list[LayerData]:
    """Read a file, or several as the frames of a series.

    Raises
    ------
    AngiogramError
        Neither we nor napari can read it.
    """
    files = _paths(path)
    # By their names, since soft edges have as many gray levels as an angiogram.
    named_mask = files[0].stem.endswith(MASK_ENDINGS)
    if named_mask and (mask := _as_mask(files)) is not None:
        return [mask]
    try:
        return [_as_angiogram(files)]
    except AngiogramError as refused:
        if not named_mask and (mask := _as_mask(files)) is not None:
            return [mask]
        return _as_napari_does(path, refused)


def _paths(path: str | list[str]) -> list[Path]:
    return [Path(path)] if isinstance(path, str) else [Path(one) for one in path]


def _as_angiogram(files: Sequence[Path]) -> LayerData:
    if files[0].stem.endswith(_NO_ANGIOGRAMS):
        raise AngiogramError(files[0], "is a picture of a result", "Choose the angiogram.")
    if len(files) == 1:
        return open_file(files[0])
    first = read_angiogram(files[0])
    return layer_of(first, files[0].stem, Frames([(file, 0) for file in files], first))


def _as_mask(files: Sequence[Path]) -> LayerData | None:
    """Layer of a mask; None for what is no mask."""
    try:
        mask = read_mask(files[0]) if len(files) == 1 else None
    except AngiogramError:
        return None
    if mask is None:
        return None
    name = files[0].stem
    show_info(MASK_OPENED.format(files[0].name))
    return mask.astype(np.uint8), {"name": name, **mask_settings(name)}, "labels"


def _as_napari_does(path: str | list[str], refused: AngiogramError) -> list[LayerData]:
    """Read what is no angiogram with napari's own reader; if it cannot either, say our reason."""
    try:
        return list(napari_get_reader(path)(path))
    except Exception as error:  # of any of the libraries that napari uses
        raise refused from error
