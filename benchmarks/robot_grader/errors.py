"""Where a mask is wrong, the largest places first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from napari_npa.imaging.raster import dilated, eroded
from napari_npa.types import Mask, Window

PARTS = 3
"""So many of the largest places are considered, of what is missed and of what is too much."""

THIN = 1 / 250
"""Errors thinner than twice this, sides of the image, link no places to one."""

MARGIN = 1 / 60
"""How far around a place a doctor frames it, sides of the image."""


@dataclass(frozen=True, eq=False)
class Part:
    """A connected part of the image, on a window that holds it."""

    window: Window
    mask: Mask

    @property
    def centre(self) -> tuple[int, int]:
        """Its deepest pixel."""
        depth = ndi.distance_transform_edt(np.pad(self.mask, 1))[1:-1, 1:-1]
        row, column = np.unravel_index(depth.argmax(), depth.shape)
        return int(row) + self.window[0].start, int(column) + self.window[1].start

    def reaching(self, allowed: Mask, distance: float) -> Part:
        """With what of another mask of the image lies within a distance: a line through it is as
        good as one along the part."""
        window = wider(self.window, int(np.ceil(distance)), allowed.shape)
        inner = tuple(
            slice(held.start - span.start, held.stop - span.start)
            for held, span in zip(self.window, window, strict=True)
        )
        mask = np.zeros([span.stop - span.start for span in window], np.bool_)
        mask[inner] = self.mask
        return Part(window, mask | (dilated(mask, distance) & allowed[window]))


def largest_parts(wrong: Mask, count: int = PARTS) -> list[Part]:
    """Largest parts, without links thinner than ``2 * THIN``."""
    radius = THIN * max(wrong.shape)
    cores, found = ndi.label(eroded(wrong, radius) if wrong.any() else wrong)
    if not found:
        return connected_parts(wrong, count)
    return [widened(part, wrong, radius) for part in _largest(cores, count)]


def connected_parts(wrong: Mask, count: int = PARTS) -> list[Part]:
    """Largest connected parts as they are."""
    return _largest(ndi.label(wrong, structure=np.ones((3, 3)))[0], count)


def widened(core: Part, wrong: Mask, radius: float) -> Part:
    """A core with what of the mask was eroded around it."""
    return core.reaching(wrong, radius + 1)


def part_at(mask: Mask, place: tuple[int, int]) -> Part | None:
    """Connected part that holds a pixel."""
    labels, _ = ndi.label(mask)
    label = labels[place]
    if not label:
        return None
    window = ndi.find_objects((labels == label).astype(np.int8))[0]
    return Part(window, labels[window] == label)


def wider(window: Window, margin: int, shape: tuple[int, ...]) -> Window:
    """Window with a margin, within the image."""
    rows, columns = (
        slice(max(0, span.start - margin), min(side, span.stop + margin))
        for span, side in zip(window, shape, strict=True)
    )
    return rows, columns


def _largest(labels: np.ndarray, count: int) -> list[Part]:
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    boxes = ndi.find_objects(labels)
    order = [at for at in np.argsort(-sizes, kind="stable")[:count] if sizes[at]]
    return [Part(boxes[at - 1], labels[boxes[at - 1]] == at) for at in order]
