"""Opens angiograms by what is in the file, not by what the file is called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.types import LayerData

from napari_npa.io.angiogram import read_angiogram

if TYPE_CHECKING:
    from napari_npa.types import Progress

WHITE_PERCENTILE = 99.8
"""Gray level shown as white: angiograms are dim, a few leaks and reflections are not."""

LEVELS_READ = 500_000
"""About as many pixels are enough to find that level."""

FILES = "Angiograms (*.tif *.tiff *.png *.jpg *.jpeg);;All files (*)"

PATH = "path"
"""Key of an image layer's metadata under which the angiogram's file is kept."""

GAMMA = 0.6
"""Lifts the dim periphery on screen; the data stay as they are."""


def layer_of(path: Path, name: str) -> LayerData:
    """Image layer of an angiogram file, with a contrast in which vessels can be seen.

    Raises
    ------
    AngiogramError
        Not an angiogram.
    """
    angiogram = read_angiogram(path)
    levels = angiogram.pixels[angiogram.pixels > 0]
    white = float(np.percentile(levels[:: 1 + levels.size // LEVELS_READ], WHITE_PERCENTILE))
    settings = {
        "name": name,
        "contrast_limits": (0.0, white),
        "gamma": GAMMA,
        "metadata": {PATH: str(path), "notes": angiogram.notes},
    }
    return angiogram.pixels, settings, "image"


def open_file(path: Path, progress: Progress) -> LayerData:
    """Read an angiogram for the viewer; runs in a worker.

    Raises
    ------
    AngiogramError
        Not an angiogram.
    """
    return layer_of(path, path.stem)
