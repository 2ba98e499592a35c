"""Controls that choose weights, mode and device."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QCheckBox, QComboBox, QFileDialog, QSizePolicy

from napari_npa.models.names import AUTO, TITLES, offered_models

if TYPE_CHECKING:  # imports torch
    from napari_npa.segmentation.segmenter import Segmenter
    from napari_npa.types import Mode, Progress

CHOOSE_FILE = "Choose file…"
WEIGHTS_FILES = "Weights (*.safetensors *.pth)"

DEVICE_TITLES = {"auto": TITLES[AUTO], "cuda": "Graphics card", "cpu": "Processor"}
"""What people read in place of the names of devices."""

AUTO_DEVICE = "auto"
"""Lets the segmenter choose the fastest device present."""


class ModelBox(QComboBox):
    """List of models; its last entry asks for a file.

    Parameters
    ----------
    names
        Of the embedded models to list; the first is chosen. None: those for whole images.
    """

    chosen = Signal()

    def __init__(self, names: Sequence[str] | None = None) -> None:
        super().__init__()
        self.setToolTip(
            "The trained network that finds the areas. Automatic: those of the package, each for\n"
            "the images on which it is the better one; the result says which. Or your own file."
        )
        for name in offered_models() if names is None else names:
            self.addItem(TITLES.get(name, name), name)
        self.addItem(CHOOSE_FILE)
        self._last = 0
        self.activated.connect(self._activated)
        # A long name must not widen the dock.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    @property
    def choice(self) -> str | Path:
        """Name of embedded weights, or a file."""
        data: str | Path = self.currentData()
        return data

    def choose_file(self, path: Path) -> None:
        """Add a weights file to the list, and choose it."""
        self.insertItem(self.count() - 1, path.name, path)
        self._choose(self.count() - 2)

    def _choose(self, at: int) -> None:
        self.setCurrentIndex(at)
        self._last = at
        self.chosen.emit()

    def _activated(self, at: int) -> None:
        if self.itemData(at) is not None:
            self._choose(at)
            return
        path, _ = QFileDialog.getOpenFileName(self, "Choose weights", "", WEIGHTS_FILES)
        if path:
            self.choose_file(Path(path))
        else:
            self.setCurrentIndex(self._last)


class ModeBox(QCheckBox):
    """Whether to look at a finer scale too; proposed for the embedded weights.

    Parameters
    ----------
    models
        The choice of weights that the proposal depends on.
    """

    def __init__(self, models: ModelBox) -> None:
        super().__init__("finer detail (slower)")
        self.setToolTip(
            "Ultra-widefield images only: look at the image at twice the resolution as well, and\n"
            "average both; slower and better."
        )
        self.setChecked(True)
        self._models = models
        models.chosen.connect(self._propose)

    @property
    def mode(self) -> Mode:
        """Mode of the segmenter."""
        return "two-scale" if self.isChecked() else "whole"

    def _propose(self) -> None:
        self.setChecked(self._models.choice == AUTO)


class DeviceBox(QComboBox):
    """Processor to compute on; only ``auto`` until the processors of the machine are known."""

    def __init__(self) -> None:
        super().__init__()
        self.addItem(TITLES[AUTO], AUTO_DEVICE)
        self.setToolTip("Processor to compute on; Automatic takes the fastest one present.")

    @property
    def choice(self) -> str:
        """Name of the chosen device, or ``auto``."""
        name: str = self.currentData()
        return name

    def offer(self, devices: list[str]) -> None:
        """List the present devices, the automatic choice first."""
        self.clear()
        for name in devices:
            self.addItem(DEVICE_TITLES.get(name, name), name)


class KeptSegmenter:
    """Keeps the segmenter of the last run until another device, model or mode is wanted."""

    def __init__(self) -> None:
        self._made_for: tuple[str, str | Path, Mode] | None = None
        self._segmenter: Segmenter | None = None

    def get(self, device: str, model: str | Path, mode: Mode) -> Segmenter:
        """Segmenter for a device, a model and a mode; loads the weights if necessary."""
        from napari_npa.segmentation.segmenter import Segmenter

        if self._segmenter is None or self._made_for != (device, model, mode):
            self._segmenter = Segmenter(device, model, mode=mode)
            self._made_for = (device, model, mode)
        return self._segmenter


def devices(progress: Progress) -> list[str]:
    """List the devices to choose from, ``auto`` first; runs in a worker.

    It imports torch and all that a run needs, while the user looks at the image. napari imports
    pandas with its first layer of labels: in the GUI thread that would hold up the first result.
    """
    import napari_npa.segmentation.segmenter  # noqa: F401

    with suppress(ImportError):
        import_module("pandas")
    from napari_npa.models.devices import present_devices

    return [AUTO_DEVICE, *present_devices()]
