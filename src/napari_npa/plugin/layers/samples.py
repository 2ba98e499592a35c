"""The simulated angiograms under File > Open Sample."""

from __future__ import annotations

from pathlib import Path

from napari.types import LayerData

from napari_npa.errors import AngiogramError
from napari_npa.io.names import MASK_ENDINGS
from napari_npa.plugin.layers.open import open_file
from napari_npa.plugin.qt.messages import tell

FOLDERS = (
    Path(__file__).parents[2] / "sample_data",  # installed
    Path(__file__).parents[4] / "sample_data",  # in a checkout
)


def first_sample() -> list[LayerData]:
    """Open the first simulated angiogram."""
    return _sample(1)


def second_sample() -> list[LayerData]:
    """Open the second simulated angiogram."""
    return _sample(2)


def sample_files() -> list[Path]:
    """List the simulated angiograms that come with the package, without their masks."""
    return [
        path
        for folder in FOLDERS
        for path in sorted(folder.glob("sim_*.tif"))
        if not path.stem.endswith(MASK_ENDINGS)
    ]


def _sample(number: int) -> list[LayerData]:
    name = f"Simulated angiogram {number}"
    try:
        files = sample_files()
        if len(files) < number:
            raise AngiogramError(name, "is not installed", "Install napari-npa again.")
        return [open_file(files[number - 1], name=name)]
    except AngiogramError as error:
        tell(error)
        return []
