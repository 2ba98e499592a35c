"""Reading a whole training set, on all cores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial

from napari_npa.processes import mapping
from napari_npa.training.examples import Example, LabelledFile, load_example
from napari_npa.training.lesion_synthesis import painted
from napari_npa.training.recipe import TrainingConfig

FILES_PER_WORKER = 20
"""Fewer are not worth the seconds in which a process starts."""


def read_examples(
    files: Sequence[LabelledFile], config: TrainingConfig
) -> dict[LabelledFile, list[Example]]:
    """Each file's example, and after it its painted variants if the recipe has any.

    Many files are shared among processes: see :func:`napari_npa.processes.mapping`.

    Raises
    ------
    TrainingError
        An image that cannot be trained on.
    """
    workers = min(os.cpu_count() or 1, len(files) // FILES_PER_WORKER)
    with mapping(workers) as in_turn:
        read = in_turn(partial(_read, config), files)
        return dict(zip(files, read, strict=True))


def _read(config: TrainingConfig, file: LabelledFile) -> list[Example]:
    example = load_example(file, config.canvases, config.target)
    return [example, *painted(example, config.painted, config.seed)]
