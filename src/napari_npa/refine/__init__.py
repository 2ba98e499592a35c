"""Correct masks with tools that look again at a part of an angiogram.

:class:`Refiner` is for results, with any tool of :data:`TOOLS`. What it is made of takes and
returns arrays: a tool gives a :class:`Proposal` for a :class:`Region`, and applying that with an
:data:`Action` gives the corrected mask.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_npa.refine.close_up import CloseUp
    from napari_npa.refine.correction import Correction
    from napari_npa.refine.growing import grow
    from napari_npa.refine.proposal import NEUTRAL, Proposal, shape_itself
    from napari_npa.refine.refiner import Refiner
    from napari_npa.refine.region import (
        Action,
        Region,
        box_region,
        corrected,
        ellipse_corners,
        polygon_region,
        whole_region,
        window_around,
    )
    from napari_npa.refine.tile import TileNetwork, calibrated
    from napari_npa.refine.tools import TOOLS, Tool, ToolId, tool_for

__all__ = [
    "NEUTRAL",
    "TOOLS",
    "Action",
    "CloseUp",
    "Correction",
    "Proposal",
    "Refiner",
    "Region",
    "TileNetwork",
    "Tool",
    "ToolId",
    "box_region",
    "calibrated",
    "corrected",
    "ellipse_corners",
    "grow",
    "polygon_region",
    "shape_itself",
    "tool_for",
    "whole_region",
    "window_around",
]

_IN_MODULE = {
    "close_up": ("CloseUp",),
    "correction": ("Correction",),
    "growing": ("grow",),
    "proposal": ("NEUTRAL", "Proposal", "shape_itself"),
    "refiner": ("Refiner",),
    "region": (
        "Action",
        "Region",
        "box_region",
        "corrected",
        "ellipse_corners",
        "polygon_region",
        "whole_region",
        "window_around",
    ),
    "tile": ("TileNetwork", "calibrated"),
    "tools": ("TOOLS", "Tool", "ToolId", "tool_for"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the module holds
    """Import a module only when it is asked for: the shell's help needs the tools' names alone."""
    for module, names in _IN_MODULE.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
