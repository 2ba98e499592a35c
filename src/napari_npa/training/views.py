"""Random views of the examples, drawn by number, so that a seed determines a training run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from napari_npa.imaging.contrast import channels_on_device, input_channels
from napari_npa.training.augmentation import (
    ViewTransform,
    draw_transform,
    reach,
    render,
)
from napari_npa.training.config import Augmentation, Source
from napari_npa.training.examples import Example
from napari_npa.types import Mask, Window

CENTRE_JITTER = 0.08
"""How far a view that shows the whole image may be off centre, as a share of the canvas."""


@dataclass(frozen=True)
class Sampling:
    """How views are drawn.

    Attributes
    ----------
    side
        Rows and columns of a view, pixels.
    shares
        Relative share of the views from each source; a source without examples has none.
    on_npa
        Share of the partial views that are centred on non-perfusion, if there is any.
    """

    side: int
    shares: dict[Source, float]
    on_npa: float = 0.5


View = tuple[Tensor, Tensor, Tensor]
"""Channels (3, rows, columns), targets (2, rows, columns) of non-perfusion and gradable
retina, and whether each target is known (2,), all float32; a batch of views has one more axis in
front."""


def whole_view(example: Example) -> View:
    """Return the whole canvas of an example, not augmented, as a view."""
    return (
        torch.from_numpy(input_channels(example.image)),
        torch.from_numpy(np.stack(_targets(example)).astype(np.float32)),
        torch.tensor(_known(example)),
    )


class ExampleCache:
    """The examples of a training run, on the device where its views are rendered.

    Parameters
    ----------
    examples
        They stay as they are on the processor; a GPU keeps copies of three bytes a pixel.
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
        # A canvas twice as wide has more to show, so its images are drawn twice as often.
        self._up_to = {
            source: np.cumsum([len(examples[n].npa) for n in numbers])
            for source, numbers in self._by_source.items()
        }

    def draw(self, shares: dict[Source, float], rng: np.random.Generator) -> int:
        """Draw the number of an example."""
        sources = sorted(self._by_source)
        weights = np.array([shares[source] for source in sources])
        source = sources[rng.choice(len(sources), p=weights / weights.sum())]
        up_to = self._up_to[source]
        place = int(np.searchsorted(up_to, rng.integers(up_to[-1]), "right"))
        return self._by_source[source][place]

    def nonperfused(self, number: int) -> NDArray[np.int32]:
        """Return the pixels of non-perfusion in an example, counted row by row."""
        return self._places[number]

    def layers(self, number: int, window: Window) -> Tensor:
        """Cut out gray levels, non-perfusion and retina of a part, (3, rows, columns) float32."""
        image, *targets = (layer[window] for layer in self._layers[number])
        return torch.stack([image / 255, *(target.float() for target in targets)])


DrawnView = tuple[int, Window, ViewTransform]
"""Number of an example, part of it, and how that part is transformed."""


class RandomViews(Dataset[DrawnView]):
    """`count` views; view number `i` depends on the seed and on ``first + i`` only.

    An item is a drawn view; :meth:`render_batch` makes a batch of several.

    Parameters
    ----------
    cache
        Examples to draw from.
    sampling, augmentation
        How views are drawn.
    seed, first, count
        Seed of the run, number of the first view in it, and number of views.
    """

    def __init__(
        self,
        cache: ExampleCache,
        sampling: Sampling,
        augmentation: Augmentation,
        *,
        seed: int,
        first: int,
        count: int,
    ) -> None:
        self.cache = cache
        self.sampling = sampling
        self.augmentation = augmentation
        self.seed, self.first, self.count = seed, first, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> DrawnView:
        """Draw a view."""
        rng = np.random.default_rng([self.seed, self.first + index])
        side = self.sampling.side
        number = self.cache.draw(self.sampling.shares, rng)
        canvas = len(self.cache.examples[number].npa)
        centre = self._centre(number, canvas, rng)
        # Only the part of a large canvas that the view can reach.
        far = reach(side, self.augmentation)
        starts = [max(0, int(place - far)) for place in centre]
        ends = [min(canvas, int(place + far) + 2) for place in centre]
        rows, columns = (slice(*pair) for pair in zip(starts, ends, strict=True))
        transform = draw_transform(
            (ends[0] - starts[0], ends[1] - starts[1]),
            (centre[0] - starts[0], centre[1] - starts[1]),
            side,
            self.augmentation,
            rng,
        )
        return number, (rows, columns), transform

    def render_batch(self, drawn: Sequence[DrawnView]) -> View:
        """Render drawn views as a batch, on the device of the cache."""
        layers = [self.cache.layers(number, window) for number, window, _ in drawn]
        images, targets = render(layers, [transform for *_, transform in drawn], self.sampling.side)
        known = torch.tensor([_known(self.cache.examples[number]) for number, *_ in drawn])
        return channels_on_device(images), targets, known.to(images.device)

    def _centre(self, number: int, canvas: int, rng: np.random.Generator) -> tuple[float, float]:
        half = self.sampling.side / 2
        places = self.cache.nonperfused(number)
        if canvas <= self.sampling.side:
            row, column = canvas * (0.5 + CENTRE_JITTER * rng.uniform(-1, 1, 2))
        elif rng.random() < self.sampling.on_npa and len(places):
            place = int(places[rng.integers(len(places))])
            row, column = np.clip(np.divmod(place, canvas), half, canvas - half)
        else:
            row, column = rng.uniform(half, canvas - half, 2)
        return float(row), float(column)


def _targets(example: Example) -> tuple[Mask, Mask]:
    """Return non-perfusion and gradable retina; an unknown retina is replaced by anything."""
    return example.npa, example.npa if example.retina is None else example.retina


def _known(example: Example) -> list[float]:
    """Tell whether an example's non-perfusion (always) and gradable retina are known."""
    return [1.0, float(example.retina is not None)]
