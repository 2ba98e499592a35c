"""An image to correct: what it truly shows, and what the tools see of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from napari_npa import Segmentation, Segmenter
from napari_npa.io.angiogram import read_angiogram
from napari_npa.io.decoding import IMAGE_SUFFIXES
from napari_npa.io.masks import find_masks, read_mask
from napari_npa.io.names import NPA_ENDING, RETINA_ENDING
from napari_npa.refine import CloseUp, Proposal, Region, TileNetwork, grow, whole_region
from napari_npa.refine.classical import Method, clusters, local_threshold, threshold
from napari_npa.segmentation.segmenter import non_perfusion
from napari_npa.types import Gray, Mask
from robot_grader.hand import Screen

LEAST_MM2 = 0.5
"""An image with less non-perfusion in its true mask is left out: there is nothing to correct."""

ASSISTANTS: dict[str, Method] = {
    "threshold": threshold,
    "local threshold": local_threshold,
    "clusters": clusters,
}
"""The methods without a network that are tried, by the ids of their tools: the fast ones."""


@dataclass(frozen=True, eq=False)
class Case:
    """One image.

    Attributes
    ----------
    truth, judged, retina : (rows, columns) bool
        True non-perfusion, where it is compared, and the retina that the tools keep to.
    result
        Of the large network.
    screen
        On which it is drawn by hand.
    """

    image: str
    truth: Mask
    judged: Mask
    retina: Mask
    result: Segmentation
    network: TileNetwork
    screen: Screen

    @cached_property
    def seen(self) -> CloseUp:
        return self.network.look(self.result.angiogram)

    @property
    def automatic(self) -> Mask:
        return non_perfusion(self.result.probability, self.retina, self.result.threshold)

    @property
    def too_little(self) -> bool:
        (top, left), (bottom, right) = self.seen.place(0, 0), self.seen.place(1, 1)
        pixel_mm2 = self.seen.pixel_mm**2 * (bottom - top) * (right - left)
        return bool(np.count_nonzero(self.truth) * pixel_mm2 < LEAST_MM2)

    @cached_property
    def glance(self) -> Gray:
        """The tile network's evidence for all of the image: to plan with, never to correct."""
        everywhere = whole_region(self.truth.shape)
        return self.network.propose(self.seen, [everywhere])[0].within(self.retina).evidence

    def looked(self, region: Region) -> Proposal:
        """What the tile network finds in a region."""
        return self.network.propose(self.seen, [region])[0].within(self.retina)

    def assisted(self, name: str, region: Region) -> Proposal:
        """What a method without a network finds in a rectangle."""
        key = f"{name} {region.window}"
        if key not in self._assisted:
            found = ASSISTANTS[name](self.seen, region)
            self._assisted[key] = found.within(self.retina)
        return self._assisted[key]

    def grown(self, seed: tuple[int, int]) -> Proposal:
        """What grows from a click."""
        if seed not in self._grown:
            probability = self.result.probability
            self._grown[seed] = grow(self.seen, seed, retina=self.retina, probability=probability)
        return self._grown[seed]

    @cached_property
    def _assisted(self) -> dict[str, Proposal]:
        return {}

    @cached_property
    def _grown(self) -> dict[tuple[int, int], Proposal]:
        return {}


def cases(
    images: Path,
    masks: Path,
    segmenter: Segmenter,
    network: TileNetwork,
    retinas: bool,
    decide_cm: float,
    limit: int | None,
) -> Iterator[Case]:
    """Images of a folder that have a mask, by name."""
    truths = find_masks(masks, NPA_ENDING)
    known = find_masks(masks, RETINA_ENDING) if retinas else {}
    paths = [
        path
        for path in sorted(images.iterdir())
        if path.suffix.lower() in IMAGE_SUFFIXES and path.stem in truths
    ]
    for path in paths[:limit]:
        result = segmenter.segment(read_angiogram(path))
        truth = read_mask(truths[path.stem])
        retina = read_mask(known[path.stem]) if path.stem in known else result.retina
        judged = retina if path.stem in known else np.ones_like(truth)
        screen = Screen(truth.shape, decide_cm)
        yield Case(path.stem, truth & judged, judged, retina, result, network, screen)
