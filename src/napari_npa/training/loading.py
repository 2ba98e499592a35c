"""Loading a whole training set, on all cores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial

from napari_npa.processes import mapping
from napari_npa.training.config import TrainingConfig
from napari_npa.training.dataset import LabelledFile
from napari_npa.training.examples import Example, load_example
from napari_npa.training.lesion_synthesis import diseased_variants

FILES_PER_WORKER = 20
"""Fewer files do not repay the seconds that a process takes to start."""


def load_examples(
    files: Sequence[LabelledFile], config: TrainingConfig
) -> dict[LabelledFile, list[Example]]:
    """Load each file's example, followed by its variants with synthetic lesions, if any.

    Many files are shared among processes: see :func:`napari_npa.processes.mapping`.

    Raises
    ------
    TrainingError
        An image cannot be trained on.
    """
    workers = min(os.cpu_count() or 1, len(files) // FILES_PER_WORKER)
    with mapping(workers) as in_turn:
        loaded = in_turn(partial(_load, config), files)
        return dict(zip(files, loaded, strict=True))


def _load(config: TrainingConfig, file: LabelledFile) -> list[Example]:
    example = load_example(file, config.canvases, config.target)
    return [example, *diseased_variants(example, config.painted, config.seed)]
