"""Steps of a layer's own undo that the program writes, and what else each of them changes.

napari undoes pixels only. A step can carry a mark, which says which automatic result, at which
threshold, the layer starts from before and after it. So threshold and pixels have one history,
whatever undoes or redoes it. Only this module knows how napari keeps that history.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_npa.segmentation.segmenter import Segmentation
    from napari_npa.types import Mask

Step = list[Any]
"""One step to undo, as napari keeps it: the changes made together."""


class Mark(tuple[Any, Any, Any]):
    """A change of no pixel, which says what automatic result a step leads from and to.

    Attributes
    ----------
    before, after
        Automatic result that the layer starts from, before the step and after it.
    """

    before: Segmentation
    after: Segmentation

    @classmethod
    def between(cls, before: Segmentation, after: Segmentation) -> Mark:
        """Mark of a step from one automatic result to another."""
        nowhere, nothing = np.empty(0, np.intp), np.empty(0, np.uint8)
        mark = cls(((nowhere, nowhere), nothing, nothing))
        mark.before, mark.after = before, after
        return mark


_WRITTEN: list[Labels] = []
"""Layers that the program is writing to now."""


def is_written_by_program(layer: Labels) -> bool:
    """Whether the change of a layer that was just announced is no stroke of the user."""
    return any(written is layer for written in _WRITTEN)


def write_step(
    layer: Labels,
    where: tuple[NDArray[np.intp], ...],
    values: NDArray[np.uint8],
    *,
    mark: Mark | None = None,
    onto: Step | None = None,
) -> Step | None:
    """Change pixels of a layer in one step to undo.

    Parameters
    ----------
    layer
        Layer of 0 and 1.
    where, values
        Rows and columns, and what to write there.
    mark
        What else the step changes; then it is a step even if no pixel changes.
    onto
        Earlier step that this change becomes a part of, if it is still the last.

    Returns
    -------
    step
        The step that holds the change; None if there was nothing to change.
    """
    layer._commit_staged_history()  # a stroke in progress is a step of its own
    history = layer._undo_history
    last: Step | None = history[-1] if history else None
    with by_program(layer), layer.block_history():
        if mark is not None:
            layer._save_history(mark)
        layer.data_setitem(where, values)
    step: Step | None = history[-1] if history else None
    if step is last:
        return None
    if onto is not None and last is onto:
        onto.extend(history.pop())
        return onto
    return step


def write_mask(layer: Labels, mask: Mask, mark: Mark | None = None) -> None:
    """Make a layer equal to a mask, (rows, columns) bool, in one step to undo."""
    changed = np.nonzero((np.asarray(layer.data) != 0) != mask)
    write_step(layer, changed, mask[changed].astype(np.uint8), mark=mark)


def version_shown(layer: Labels, current: Segmentation) -> Segmentation:
    """Automatic result that a layer starts from, after whatever was undone or redone.

    Parameters
    ----------
    current
        The one before; right if no step that is still known has a mark.
    """
    for change in _latest_first(layer._staged_history, *reversed(layer._undo_history)):
        if isinstance(change, Mark):
            return change.after
    # What can be redone lies the other way round: the next change is the last of the last step.
    for change in _latest_first(*reversed(layer._redo_history)):
        if isinstance(change, Mark):
            return change.before
    return current


def _latest_first(*steps: Step) -> Iterator[object]:
    for step in steps:
        yield from reversed(step)


@contextmanager
def by_program(layer: Labels) -> Iterator[None]:
    """Change a layer, or redraw it, so that it is not taken for a stroke of the user."""
    _WRITTEN.append(layer)
    try:
        yield
    finally:
        _WRITTEN.remove(layer)
