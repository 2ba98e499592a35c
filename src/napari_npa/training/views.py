"""Random views of the examples, drawn by number: the same seed gives the same training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from napari_npa.imaging.contrast import channels_on_device, input_channels
from napari_npa.training.augmentation import Augmentation, Look, draw_look, reach, render
from napari_npa.training.examples import Example, Source
from napari_npa.types import Mask, Window

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
retina, and whether each target is known (2,), all float32; a batch of views has one axis more,
in front."""


def whole_view(example: Example) -> View:
    """View that is the whole canvas of an example, as it is."""
    return (
        torch.from_numpy(input_channels(example.image)),
        torch.from_numpy(np.stack(_targets(example)).astype(np.float32)),
        torch.tensor(_known(example)),
    )


class Stock:
    """The examples of a training run where its views are rendered: on a GPU, if it has one.

    Parameters
    ----------
    examples
        Kept as they are on the processor; on a GPU they take three bytes a pixel of its memory.
    device
        Where views are rendered.
    """

    def __init__(self, examples: Sequence[Example], device: torch.device) -> None:
        self.examples = examples
        self._layers = [
            [torch.from_numpy(layer).to(device) for layer in (e.stretched, *_targets(e))]
            for e in examples
        ]
        self._places = [np.flatnonzero(e.npa).astype(np.int32) for e in examples]
        self._by_source: dict[Source, list[int]] = {}
        for number, example in enumerate(examples):
            self._by_source.setdefault(example.source, []).append(number)
        # A canvas twice as wide has more to show: its images come up twice as often.
        self._up_to = {
            source: np.cumsum([len(examples[n].npa) for n in numbers])
            for source, numbers in self._by_source.items()
        }

    def draw(self, shares: dict[Source, float], rng: np.random.Generator) -> int:
        """Number of an example."""
        sources = sorted(self._by_source)
        weights = np.array([shares[source] for source in sources])
        source = sources[rng.choice(len(sources), p=weights / weights.sum())]
        up_to = self._up_to[source]
        place = int(np.searchsorted(up_to, rng.integers(up_to[-1]), "right"))
        return self._by_source[source][place]

    def nonperfused(self, number: int) -> NDArray[np.int32]:
        """Pixels of non-perfusion in an example, counted row by row."""
        return self._places[number]

    def layers(self, number: int, window: Window) -> Tensor:
        """Gray levels, non-perfusion and gradable retina of a part, (3, rows, columns) float32."""
        image, *targets = (layer[window] for layer in self._layers[number])
        return torch.stack([image / 255, *(target.float() for target in targets)])


Choice = tuple[int, Window, Look]
"""Number of an example, part of it, and how that is seen."""


class RandomViews(Dataset[Choice]):
    """`count` views; view number `i` depends on the seed and on ``first + i`` only.

    An item is what was drawn; :meth:`rendered` makes a batch of them.
    """

    def __init__(
        self,
        stock: Stock,
        sampling: Sampling,
        augmentation: Augmentation,
        *,
        seed: int,
        first: int,
        count: int,
    ) -> None:
        self.stock = stock
        self.sampling = sampling
        self.augmentation = augmentation
        self.seed, self.first, self.count = seed, first, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Choice:
        """Draw a view."""
        rng = np.random.default_rng([self.seed, self.first + index])
        side = self.sampling.side
        number = self.stock.draw(self.sampling.shares, rng)
        canvas = len(self.stock.examples[number].npa)
        centre = self._centre(number, canvas, rng)
        # Of a large canvas only what the view can reach.
        far = reach(side, self.augmentation)
        starts = [max(0, int(place - far)) for place in centre]
        ends = [min(canvas, int(place + far) + 2) for place in centre]
        rows, columns = (slice(*pair) for pair in zip(starts, ends, strict=True))
        look = draw_look(
            (ends[0] - starts[0], ends[1] - starts[1]),
            (centre[0] - starts[0], centre[1] - starts[1]),
            side,
            self.augmentation,
            rng,
        )
        return number, (rows, columns), look

    def rendered(self, choices: Sequence[Choice]) -> View:
        """Batch of the views that were drawn, on the device of the stock."""
        layers = [self.stock.layers(number, window) for number, window, _ in choices]
        images, targets = render(layers, [look for _, _, look in choices], self.sampling.side)
        known = torch.tensor([_known(self.stock.examples[number]) for number, _, _ in choices])
        return channels_on_device(images), targets, known.to(images.device)

    def _centre(self, number: int, canvas: int, rng: np.random.Generator) -> tuple[float, float]:
        half = self.sampling.side / 2
        places = self.stock.nonperfused(number)
        if canvas <= self.sampling.side:
            row, column = canvas * (0.5 + CENTRE_JITTER * rng.uniform(-1, 1, 2))
        elif rng.random() < self.sampling.on_npa and len(places):
            place = int(places[rng.integers(len(places))])
            row, column = np.clip(np.divmod(place, canvas), half, canvas - half)
        else:
            row, column = rng.uniform(half, canvas - half, 2)
        return float(row), float(column)


def _targets(example: Example) -> tuple[Mask, Mask]:
    """Non-perfusion and gradable retina; in place of an unknown retina, anything."""
    return example.npa, example.npa if example.retina is None else example.retina


def _known(example: Example) -> list[float]:
    """Whether non-perfusion (always) and the gradable retina are known of an example."""
    return [1.0, float(example.retina is not None)]
