"""Retinal non-perfusion areas and the ischemic index on fluorescein angiograms."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_npa.segmentation.segmenter import Segmentation, Segmenter, segment

__version__ = "0.1.0"

__all__ = ["Segmentation", "Segmenter", "__version__", "segment"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the module holds
    """Import torch only when something that needs it is asked for."""
    if name in ("Segmentation", "Segmenter", "segment"):
        return getattr(import_module("napari_npa.segmentation.segmenter"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
