"""Retinal non-perfusion areas and the ischemic index on fluorescein angiograms."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_npa.analysis.evaluate import evaluate
    from napari_npa.batch.run import run_batch
    from napari_npa.io.angiogram import Angiogram, read_angiogram
    from napari_npa.refine.refiner import Refiner
    from napari_npa.results.folder import ResultFolder
    from napari_npa.results.result import Result
    from napari_npa.segmentation.segmenter import Segmentation, Segmenter, segment
    from napari_npa.simulation.eye import simulate

    __version__: str

__all__ = [
    "Angiogram",
    "Refiner",
    "Result",
    "ResultFolder",
    "Segmentation",
    "Segmenter",
    "__version__",
    "evaluate",
    "read_angiogram",
    "run_batch",
    "segment",
    "simulate",
]

_MODULES = {
    "Angiogram": "io.angiogram",
    "Refiner": "refine.refiner",
    "Result": "results.result",
    "ResultFolder": "results.folder",
    "Segmentation": "segmentation.segmenter",
    "Segmenter": "segmentation.segmenter",
    "evaluate": "analysis.evaluate",
    "read_angiogram": "io.angiogram",
    "run_batch": "batch.run",
    "segment": "segmentation.segmenter",
    "simulate": "simulation.eye",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the module holds
    """Import a module, and torch with it, only when something asks for what it holds."""
    if name == "__version__":
        return globals().setdefault(name, _installed_version())
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _installed_version() -> str:
    """Version of the installed package; "0+unknown" in a source tree that is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("napari-npa")
    except PackageNotFoundError:
        return "0+unknown"
