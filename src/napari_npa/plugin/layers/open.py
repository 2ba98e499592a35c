"""Opens an angiogram file as an image layer, by its content and not by its name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.types import LayerData

from napari_npa.io.angiogram import Angiogram, count_frames, read_angiogram
from napari_npa.plugin.layers.frames import Frames
from napari_npa.plugin.layers.origins import read_only_pixels

if TYPE_CHECKING:
    from napari_npa.types import Progress

WHITE_PERCENTILE = 99.8
"""Gray level that is shown as white: angiograms are dim but for a few leaks and reflections."""

LEVELS_READ = 500_000
"""About so many pixels are enough to find that level."""

FILES = "Angiograms (*.tif *.tiff *.png *.jpg *.jpeg);;All files (*)"

PATH = "path"
"""Key of the angiogram's file in the metadata of an image layer."""

GAMMA = 0.6
"""Brightens the dim periphery on screen; the data stay as they are."""


def open_file(path: Path, progress: Progress | None = None, *, name: str = "") -> LayerData:
    """Read an angiogram, or the frames of a series, for the viewer; slow, for a worker.

    Parameters
    ----------
    path
        The file.
    progress
        Not called: reading is one step.
    name
        Name of the layer; empty: that of the file, without its suffix.

    Raises
    ------
    AngiogramError
        Not an angiogram.
    """
    angiogram = read_angiogram(path)
    frames = None
    if (count := count_frames(path)) > 1:
        frames = Frames([(path, at) for at in range(count)], angiogram)
    return layer_of(angiogram, name or path.stem, frames)


def layer_of(angiogram: Angiogram, name: str, frames: Frames | None = None) -> LayerData:
    """Image layer of an angiogram, with a contrast in which vessels can be seen.

    If it is the first frame of a series, pass all of them.

    Its pixels are read-only, so that :func:`napari_npa.plugin.layers.origins.origin_of` finds the
    angiogram again. Its metadata are plain text, which any writer of layers can save.
    """
    levels = angiogram.pixels[angiogram.pixels > 0]
    white = float(np.percentile(levels[:: 1 + levels.size // LEVELS_READ], WHITE_PERCENTILE))
    metadata = {} if angiogram.path is None else {PATH: str(angiogram.path)}
    pixels = read_only_pixels(angiogram) if frames is None else frames
    settings = {
        "name": name,
        "contrast_limits": (0.0, white),
        "gamma": GAMMA,
        "metadata": {**metadata, "notes": angiogram.notes},
    }
    return pixels, settings, "image"
