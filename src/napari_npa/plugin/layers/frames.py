"""The frames of a series, as the data of one image layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_npa.errors import AngiogramError
from napari_npa.io.angiogram import Angiogram, read_angiogram
from napari_npa.plugin.qt.messages import tell
from napari_npa.types import Gray

FRAMES_KEPT = 4
"""Frames in memory: 64 megabytes each at 4000 x 4000 pixels."""


class Frames:
    """An array of (frames, rows, columns) float32 whose frames are read when they are shown.

    Parameters
    ----------
    sources
        File, and number in it from 0, of each frame.
    first
        The first frame, which decides the size.
    """

    dtype: DTypeLike = np.dtype(np.float32)
    ndim = 3

    def __init__(self, sources: Sequence[tuple[Path, int]], first: Angiogram) -> None:
        self.sources = tuple(sources)
        self.shape = (len(self.sources), *first.pixels.shape)
        self._read = {0: first}
        self._reading = Lock()  # the slider and a run may ask at the same time
        self._unreadable: set[int] = set()

    def angiogram(self, at: int) -> Angiogram:
        """Angiogram of a frame.

        Raises
        ------
        AngiogramError
            It cannot be read, or has another size than the first.
        """
        with self._reading:
            if at not in self._read:
                path, frame = self.sources[at]
                self._read[at] = self._fitting(read_angiogram(path, frame=frame))
            angiogram = self._read.pop(at)
            self._read[at] = angiogram  # the last one that was asked for is dropped last
            while len(self._read) > FRAMES_KEPT:
                del self._read[next(iter(self._read))]
            return angiogram

    def __getitem__(self, key: Any) -> NDArray[np.float32]:  # noqa: ANN401 - as numpy's
        """Pixels, as numpy gives them; a frame that cannot be read is black."""
        at, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(at, slice):
            chosen = [self._pixels(one)[tuple(rest)] for one in range(*at.indices(len(self)))]
            return np.stack(chosen)
        pixels: NDArray[np.float32] = self._pixels(int(at))[tuple(rest)]
        return pixels

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: ANN401
        """All frames in memory."""
        return self[:].astype(dtype or np.float32, copy=False)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.sources)

    def _pixels(self, at: int) -> Gray:
        try:
            return self.angiogram(at).pixels
        except AngiogramError as error:
            if at not in self._unreadable:  # told once, not at every turn of the slider
                self._unreadable.add(at)
                tell(error)
            return np.zeros(self.shape[1:], np.float32)

    def _fitting(self, angiogram: Angiogram) -> Angiogram:
        if angiogram.pixels.shape != self.shape[1:]:
            (rows, columns), (first_rows, first_columns) = angiogram.pixels.shape, self.shape[1:]
            raise AngiogramError(
                angiogram.name,
                f"has {columns} x {rows} pixels, the first frame {first_columns} x {first_rows}",
                "Open it alone.",
            )
        return angiogram
