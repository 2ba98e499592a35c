"""The files of a simulated angiogram: picture, masks, and what else is known about it."""

from __future__ import annotations

from pathlib import Path

from napari_npa.io.names import NPA_FILE, RETINA_FILE
from napari_npa.io.writing import write_gray, write_json, write_mask
from napari_npa.simulation.eye import SimulatedAngiogram


def write_simulated(simulated: SimulatedAngiogram, folder: Path) -> Path:
    """Write ``sim_<seed>.tif``, its masks ``_npa`` and ``_retina``, and a JSON file of the rest.

    Parameters
    ----------
    simulated
        What to write.
    folder
        Where to write it.

    Returns
    -------
    path
        File of the angiogram.

    Raises
    ------
    SaveError
        A file could not be written.
    """
    stem = f"sim_{simulated.seed}"
    write_mask(folder / f"{stem}{NPA_FILE}", simulated.npa)
    write_mask(folder / f"{stem}{RETINA_FILE}", simulated.retina)
    write_json(folder / f"{stem}.json", _description(simulated))
    write_gray(folder / f"{stem}.tif", simulated.pixels)
    return folder / f"{stem}.tif"


def _description(simulated: SimulatedAngiogram) -> dict[str, object]:
    retina = int(simulated.retina.sum())
    return {
        "simulated": True,
        "kind": simulated.kind,
        "seed": simulated.seed,
        "size": len(simulated.pixels),
        "mm_per_pixel_at_fovea": round(simulated.mm_per_pixel, 5),
        "disc_row_column": [round(at, 1) for at in simulated.disc],
        "fovea_row_column": [round(at, 1) for at in simulated.fovea],
        "npa_share_of_retina": round(float(simulated.npa.sum() / max(1, retina)), 4),
    }
