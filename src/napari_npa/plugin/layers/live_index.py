"""The ischemic index, in large type, kept up to date while the user paints."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from psygnal import Signal
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget
from superqt.utils import QSignalThrottler

from napari_npa.errors import RetinaError
from napari_npa.imaging.raster import bounding_box
from napari_npa.measure.ischemia import PixelCounts, count_common, index_of_counts
from napari_npa.plugin.layers.result_layers import ImageResult
from napari_npa.plugin.qt.gui_thread import deleted_in_gui
from napari_npa.plugin.qt.panel import Connections

RECOUNT_MS = 100
"""Least time between two counts. A count takes 2 ms on 16 million pixels, and showing it in the
panels several more. The last change of a stroke is always counted."""

EVERYTHING = (slice(None), slice(None))
"""All rows and columns of a mask."""

# labels_update: each stamp of the brush; paint: end of a stroke; set_data: undo and redo.
_CHANGES = ("labels_update", "paint", "set_data", "data")


class PixelCounter:
    """Counts the pixels of a result after each change, for all panels together."""

    counted = Signal()

    def __init__(self, result: ImageResult) -> None:
        # Not the result itself: it is the weak key of this counter in _COUNTERS.
        self.npa, self.retina = result.npa, result.retina
        # Count after the change: napari emits its events of strokes and corrections before it.
        after = QSignalThrottler.EmissionPolicy.Trailing
        self._throttler = deleted_in_gui(QSignalThrottler(policy=after), self)
        self._throttler.setTimeout(RECOUNT_MS)
        self._throttler.triggered.connect(self._count)
        for name in _CHANGES:
            getattr(self.npa.events, name).connect(self._npa_changed)
            getattr(self.retina.events, name).connect(self._retina_changed)
        self.counts = PixelCounts(0, 0)
        self._window = EVERYTHING
        self._gradable: int | None = None
        self.recount()

    def recount(self) -> None:
        """Count all pixels of the layers again."""
        self._forget_retina()
        self._count()

    def _count(self) -> None:
        # The data themselves: a mask would be a copy at each stamp of the brush.
        npa, retina = (np.asarray(layer.data)[self._window] for layer in (self.npa, self.retina))
        gradable = self._gradable
        if gradable is None:
            gradable = int(np.count_nonzero(retina))
        self.counts = PixelCounts(count_common(npa, retina), gradable)
        self.counted.emit()

    def _npa_changed(self) -> None:
        # Only the gradable retina counts, which is less than half of an ultra-widefield image, and
        # its own pixels need not be counted again.
        if self._gradable is None and (retina := np.asarray(self.retina.data)).any():
            self._window = bounding_box(retina)
            self._gradable = int(np.count_nonzero(retina[self._window]))
        self._throttler.throttle()

    def _retina_changed(self) -> None:
        self._forget_retina()
        self._throttler.throttle()

    def _forget_retina(self) -> None:
        self._window, self._gradable = EVERYTHING, None


_COUNTERS: WeakKeyDictionary[ImageResult, PixelCounter] = WeakKeyDictionary()


def counter_of(result: ImageResult) -> PixelCounter:
    """Counter of a result; all panels share one."""
    if result not in _COUNTERS:
        _COUNTERS[result] = PixelCounter(result)
    return _COUNTERS[result]


class LiveIndex(QWidget):
    """Shows the ischemic index of the two layers of a result."""

    def __init__(self) -> None:
        super().__init__()
        self.index = QLabel()
        self.index.setStyleSheet("font-size: 17pt; font-weight: bold;")
        self.index.setToolTip(
            "Non-perfused share of the gradable retina, in pixels: what lies inside both "
            "layers, with your corrections."
        )
        self.counts = QLabel()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 4)
        layout.setSpacing(2)
        layout.addWidget(self.index)
        layout.addWidget(self.counts)
        self._counter: PixelCounter | None = None
        self._connections = Connections(self)
        self._show()

    def follow(self, result: ImageResult | None) -> None:
        """Show the index of another result."""
        counter = counter_of(result) if result is not None else None
        if counter is not self._counter:
            if self._counter is not None:
                self._connections.disconnect(self._counter.counted, self._show)
            self._counter = counter
            if counter is not None:
                self._connections.connect(counter.counted, self._show)
        self._show()

    def recount(self) -> None:
        """Count the pixels of the layers again at once."""
        if self._counter is not None:
            self._counter.recount()

    def _show(self) -> None:
        if self._counter is None:
            self.index.setText("Ischemic index –")
            self.counts.setText("Research use only")
            return
        counts = self._counter.counts
        try:
            isi = index_of_counts(counts, name=self._counter.retina.name)
        except RetinaError as error:
            self.index.setText("Ischemic index –")
            self.counts.setWordWrap(True)
            self.counts.setText(str(error))
            return
        self.counts.setWordWrap(False)  # short lines need no new layout ten times a second
        self.index.setText(f"Ischemic index {isi:.1%}".replace("%", " %"))
        self.counts.setText(
            f"Non-perfused {counts.npa:,} px of {counts.retina:,} px\n"
            "gradable retina. Research use only"
        )
