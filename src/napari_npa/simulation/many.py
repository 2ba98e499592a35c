"""Simulating a whole set of angiograms, on all cores."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from napari_npa.io.writing import make_folder
from napari_npa.processes import mapping
from napari_npa.simulation.eye import Kind, simulate
from napari_npa.simulation.files import write_simulated

EYES_PER_WORKER = 4
"""Fewer eyes do not repay the seconds that a process takes to start."""


def simulate_many(
    count: int,
    kind: Kind,
    size: int,
    seed: int,
    output: Path,
    progress: Callable[[int, int], None] | None = None,
    *,
    workers: int = 1,
) -> list[Path]:
    """Write `count` simulated angiograms with their masks.

    Parameters
    ----------
    count
        Number of angiograms, at least 1.
    kind, size
        As in `simulate`.
    seed
        Seed of the first; each of the others has the next seed.
    output
        Folder; made if it is missing.
    progress
        Called after each angiogram with the number done and `count`; may raise `Cancelled`.
    workers
        Processes that share the work, if there is enough of it. A script that asks for
        several must keep its own work under ``if __name__ == "__main__"``.

    Returns
    -------
    paths
        Files of the angiograms, in the order of their seeds.

    Raises
    ------
    ValueError
        The count is below 1, or `simulate` refuses the kind, size or seed.
    SaveError
        A file could not be written.
    """
    if count < 1:
        raise ValueError(f"count is {count}; allowed are 1 and above")
    make_folder(output)
    write = partial(_write_one, kind, size, output)
    paths = []
    with mapping(min(workers, count // EYES_PER_WORKER)) as in_turn:
        for path in in_turn(write, range(seed, seed + count)):
            paths.append(path)
            if progress is not None:
                progress(len(paths), count)
    return paths


def _write_one(kind: Kind, size: int, output: Path, seed: int) -> Path:
    return write_simulated(simulate(kind, size, seed), output)
