"""Writing a whole set of simulated angiograms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari_npa.simulate.eye import Kind, simulate
from napari_npa.simulate.files import write_simulated
from napari_npa.writing import make_folder


def simulate_many(
    count: int,
    kind: Kind,
    size: int,
    seed: int,
    output: Path,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Write `count` simulated angiograms with their masks.

    Parameters
    ----------
    count
        How many, at least 1.
    kind, size
        As in `simulate`.
    seed
        Seed of the first; the others follow by ones.
    output
        Folder, made when missing.
    progress
        Called with the number done and `count` after each; may raise `Cancelled`.

    Returns
    -------
    paths
        The angiograms' files, in the order of their seeds.

    Raises
    ------
    ValueError
        A count below 1, or what `simulate` refuses.
    SaveError
        A file could not be written.
    """
    if count < 1:
        raise ValueError(f"count is {count}; allowed are 1 and above")
    make_folder(output)
    paths = []
    for done in range(count):
        paths.append(write_simulated(simulate(kind, size, seed + done), output))
        if progress is not None:
            progress(done + 1, count)
    return paths
