"""Controls that choose weights, mode and device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QCheckBox, QComboBox, QFileDialog, QSizePolicy

from napari_npa.models.names import AUTO, TILE, WHOLE

if TYPE_CHECKING:  # imports torch
    from napari_npa.segmentation.segmenter import Segmenter
    from napari_npa.types import Mode, Progress

CHOOSE_FILE = "Choose file…"
WEIGHTS_FILES = "Weights (*.safetensors *.pth)"

AUTO_DEVICE = "auto"
"""Lets the segmenter choose the fastest device present."""


class ModelBox(QComboBox):
    """List of models; its last entry asks for a file."""

    chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setToolTip(
            "Weights of the network. 'auto': those of the package, each where it is the better\n"
            "one; the result says which. Or a file of your own."
        )
        self.addItem(CHOOSE_FILE)
        self.setCurrentIndex(-1)
        self._last = -1
        self.activated.connect(self._activated)
        # A long name must not widen the dock.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    @property
    def choice(self) -> str | Path | None:
        """Name of embedded weights, or a file."""
        data: str | Path | None = self.currentData()
        return data

    def offer(self, names: list[str], first: str) -> None:
        """List embedded models, and choose `first` unless the user has chosen already."""
        for at, name in enumerate(names):
            self.insertItem(at, name, name)
        if self.choice is None:
            self._choose(self.findData(first))

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
    """Whether to look at two scales; proposed for the embedded weights.

    Parameters
    ----------
    models
        The choice of weights that the proposal depends on.
    """

    def __init__(self, models: ModelBox) -> None:
        super().__init__("look twice (slower)")
        self.setToolTip(
            "Look at ultra-widefield images a second time, at twice the resolution, and average\n"
            "both: slower and better. 55° images are looked at once."
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
        self.addItem(AUTO_DEVICE, AUTO_DEVICE)
        self.setToolTip("Processor to compute on; 'auto' takes the fastest present.")

    @property
    def choice(self) -> str:
        """Name of the chosen device, or ``auto``."""
        name: str = self.currentData()
        return name

    def offer(self, devices: list[str]) -> None:
        """List the present devices, the automatic choice first."""
        self.clear()
        for name in devices:
            self.addItem(name, name)


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


def models_and_devices(progress: Progress) -> tuple[list[str], list[str]]:
    """List the models and the devices to choose from, ``auto`` first; imports torch."""
    from napari_npa.models.devices import present_devices
    from napari_npa.models.weights import embedded_models

    others = [name for name in embedded_models() if name not in (WHOLE, TILE)]
    return [AUTO, *others], [AUTO_DEVICE, *present_devices()]
