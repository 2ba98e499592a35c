"""The ischemic index, large, and right while the user paints."""

from __future__ import annotations

import numpy as np
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget
from superqt.utils import QSignalThrottler

from napari_npa.errors import RetinaError
from napari_npa.measure import count_pixels, index_of_counts
from napari_npa.plugin.result_layers import ImageResult

RECOUNT_MS = 100
"""Least time between two counts; one takes 2 ms on 16 million pixels."""

# labels_update: each brush stamp; paint: end of a stroke; set_data: undo and redo.
_CHANGES = ("labels_update", "paint", "set_data", "data")


class LiveIndex(QWidget):
    """Ischemic index of the two layers of a result."""

    def __init__(self) -> None:
        super().__init__()
        self.index = QLabel()
        self.index.setStyleSheet("font-size: 17pt; font-weight: bold;")
        self.index.setToolTip(
            "Non-perfused share of the gradable retina, in pixels: what lies inside both "
            "layers, with your corrections."
        )
        self.counts = QLabel()
        self.counts.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 4)
        layout.setSpacing(2)
        layout.addWidget(self.index)
        layout.addWidget(self.counts)
        self._result: ImageResult | None = None
        self._throttler = QSignalThrottler(parent=self)
        self._throttler.setTimeout(RECOUNT_MS)
        self._throttler.triggered.connect(self.recount)
        self.recount()

    def follow(self, result: ImageResult | None) -> None:
        """Show the index of another result, from now on."""
        if result is not self._result:
            self._connect(False)
            self._result = result
            self._connect(True)
        self.recount()

    def recount(self) -> None:
        """Count the pixels of the layers again."""
        if self._result is None:
            self.index.setText("Ischemic index –")
            self.counts.setText("Research use only")
            return
        # The layers as they are: masks of them would be copies, at each stamp of the brush.
        npa, retina = self._result.npa, self._result.retina
        counts = count_pixels(np.asarray(npa.data), np.asarray(retina.data))
        try:
            isi = index_of_counts(counts, name=retina.name)
        except RetinaError as error:
            self.index.setText("Ischemic index –")
            self.counts.setText(str(error))
            return
        self.index.setText(f"Ischemic index {isi:.1%}".replace("%", " %"))
        self.counts.setText(
            f"Non-perfused {counts.npa:,} px of {counts.retina:,} px "
            "gradable retina\nResearch use only"
        )

    def _connect(self, on: bool) -> None:
        if self._result is None:
            return
        for layer in (self._result.npa, self._result.retina):
            for name in _CHANGES:
                event = getattr(layer.events, name)
                (event.connect if on else event.disconnect)(self._changed)

    def _changed(self) -> None:
        self._throttler.throttle()
