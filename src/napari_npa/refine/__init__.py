"""Correct a mask: tools that look again at a part of an angiogram.

Each tool gives a :class:`Proposal` for a :class:`Region`; applying it with an :data:`Action`
gives the corrected mask. Functions of arrays: they know neither layers nor files.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_npa.refine.proposal import NEUTRAL, Proposal, shape_itself
from napari_npa.refine.region import (
    Action,
    Region,
    corrected,
    ellipse_corners,
    polygon_region,
    whole_region,
)

if TYPE_CHECKING:
    from napari_npa.refine.classical import ASSISTANTS, Assistant
    from napari_npa.refine.close_up import CloseUp
    from napari_npa.refine.growing import grow
    from napari_npa.refine.tile import TileNetwork, calibrated
    from napari_npa.refine.tools import TOOLS, propose

__all__ = [
    "ASSISTANTS",
    "NEUTRAL",
    "TOOLS",
    "Action",
    "Assistant",
    "CloseUp",
    "Proposal",
    "Region",
    "TileNetwork",
    "calibrated",
    "corrected",
    "ellipse_corners",
    "grow",
    "polygon_region",
    "propose",
    "shape_itself",
    "whole_region",
]

_IN_MODULE = {
    "ASSISTANTS": "classical",
    "Assistant": "classical",
    "CloseUp": "close_up",
    "TileNetwork": "tile",
    "TOOLS": "tools",
    "calibrated": "tile",
    "grow": "growing",
    "propose": "tools",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the module holds
    """Import torch only when something that needs it is asked for."""
    if name in _IN_MODULE:
        return getattr(import_module(f"{__name__}.{_IN_MODULE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
