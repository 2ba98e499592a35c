"""Random views of the examples, drawn by number: the same seed gives the same training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from napari_npa.contrast import input_channels
from napari_npa.training.augmentation import Augmentation, random_view, reach
from napari_npa.training.examples import Example, Source

CENTRE_JITTER = 0.08
"""How far, as part of the canvas, a view that takes in the whole image may be off centre."""


@dataclass(frozen=True)
class Sampling:
    """How views are drawn.

    Attributes
    ----------
    side
        Rows and columns of a view, pixels.
    shares
        Relative share of views from each source; sources without examples are left out.
    on_npa
        Share of the partial views that are centred on non-perfusion, where there is any.
    """

    side: int
    shares: dict[Source, float]
    on_npa: float = 0.5


View = tuple[Tensor, Tensor, Tensor]
"""Channels (3, rows, columns), targets (2, rows, columns) of non-perfusion and gradable
retina, and whether each target is known (2,), all float32."""


def whole_view(example: Example) -> View:
    """View that is the whole canvas of an example, as it is."""
    return _view(example.image, _targets(example), example)


class RandomViews(Dataset[View]):
    """`count` views; view number `i` depends on the seed and on ``first + i`` only."""

    def __init__(
        self,
        examples: Sequence[Example],
        sampling: Sampling,
        augmentation: Augmentation,
        *,
        seed: int,
        first: int,
        count: int,
    ) -> None:
        self.by_source: dict[Source, list[Example]] = {}
        for example in examples:
            self.by_source.setdefault(example.source, []).append(example)
        self.sampling = sampling
        self.augmentation = augmentation
        self.seed, self.first, self.count = seed, first, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> View:
        """View of `side` rows and columns."""
        rng = np.random.default_rng([self.seed, self.first + index])
        sources = sorted(self.by_source)
        weights = np.array([self.sampling.shares[source] for source in sources])
        examples = self.by_source[sources[rng.choice(len(sources), p=weights / weights.sum())]]
        # A canvas twice as wide has more to show: its images come up twice as often.
        sides = np.array([len(example.npa) for example in examples])
        example = examples[rng.choice(len(examples), p=sides / sides.sum())]
        centre = self._centre(example, rng)
        example, centre = _near(example, centre, reach(self.sampling.side, self.augmentation))
        image, targets = random_view(
            example.image,
            _targets(example),
            centre,
            self.sampling.side,
            self.augmentation,
            rng,
        )
        return _view(image, targets, example)

    def _centre(self, example: Example, rng: np.random.Generator) -> tuple[float, float]:
        canvas = len(example.npa)
        half = self.sampling.side / 2
        if canvas <= self.sampling.side:
            row, column = canvas * (0.5 + CENTRE_JITTER * rng.uniform(-1, 1, 2))
        elif rng.random() < self.sampling.on_npa and example.npa.any():
            place = rng.choice(np.flatnonzero(example.npa))
            row, column = np.clip(np.divmod(place, canvas), half, canvas - half)
        else:
            row, column = rng.uniform(half, canvas - half, 2)
        return float(row), float(column)


def _near(
    example: Example, centre: tuple[float, float], reach: float
) -> tuple[Example, tuple[float, float]]:
    """What a view can reach of an example, and its centre there: of a large canvas, little."""
    starts = [max(0, int(place - reach)) for place in centre]
    rows, columns = (
        slice(start, int(place + reach) + 2) for start, place in zip(starts, centre, strict=True)
    )
    return example.part((rows, columns)), (centre[0] - starts[0], centre[1] - starts[1])


def _targets(example: Example) -> NDArray[np.float32]:
    retina = example.npa if example.retina is None else example.retina
    return np.stack([example.npa, retina]).astype(np.float32)


def _view(image: NDArray[np.float32], targets: NDArray[np.float32], example: Example) -> View:
    known = torch.tensor([1.0, float(example.retina is not None)])
    return torch.from_numpy(input_channels(image)), torch.from_numpy(targets), known
