"""Keyboard shortcuts of the panels; none is one of napari's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.components import ViewerModel

CORRECT_KEYS = {
    "Shift+D": "draw a shape, or stop drawing",
    "Shift+G": "grow by click, or stop",
    "Shift+U": "go to the next doubtful place",
    "Shift+J": "go to the previous one",
    "Shift+H": "hide or show the non-perfusion",
}

REVIEW_KEYS = {
    "Shift+N": "next image",
    "Shift+B": "previous image",
    "Shift+Y": "approve, and go to the next to do",
}


def bind(viewer: ViewerModel, keys: dict[str, str], actions: list[Callable[[], None]]) -> None:
    """Bind actions to keys, in the order of the table, wherever in the viewer the focus is."""
    for key, action in zip(keys, actions, strict=True):
        viewer.bind_key(key, _ignoring_viewer(action), overwrite=True)


def unbind(viewer: ViewerModel, keys: dict[str, str]) -> None:
    """Release the keys of a panel that is gone."""
    for key in keys:
        viewer.bind_key(key, None, overwrite=True)


def in_words(keys: dict[str, str]) -> str:
    """Keys and what they do, one per line."""
    return "\n".join(f"{key}: {does}" for key, does in keys.items())


def _ignoring_viewer(action: Callable[[], None]) -> Callable[[object], None]:
    def pressed(viewer: object) -> None:
        action()

    return pressed
