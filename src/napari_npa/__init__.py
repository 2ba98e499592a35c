"""Retinal non-perfusion areas and the ischemic index on fluorescein angiograms."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_npa.segmentation.segmenter import Segmentation, Segmenter, segment

    __version__: str

__all__ = ["Segmentation", "Segmenter", "__version__", "segment"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the module holds
    """Import torch, and look the version up, only when something asks for them."""
    if name == "__version__":
        return globals().setdefault(name, _installed_version())
    if name in ("Segmentation", "Segmenter", "segment"):
        return getattr(import_module("napari_npa.segmentation.segmenter"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _installed_version() -> str:
    """Version of the installed package; "0+unknown" in a source tree that is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("napari-npa")
    except PackageNotFoundError:
        return "0+unknown"
