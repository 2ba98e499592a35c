"""Seconds from Run to the first correction on an image of 4000 x 4000, in a shown napari.

Run is pressed as soon as the image is there, and a region is grown by a click as soon as the
result is. Reference, in turn with it: the way before, in which the file was decoded and compared
with the layer again, once for the recovery of corrections and once for the run, and in which the
tools of correction found the retina a second time. Real images where the development machine has
some, else a simulated eye. Weights: the embedded ones.

    python benchmarks/first_correction.py [--runs N]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import napari
import numpy as np
from correcting import timed, wait_while
from inference import machine, seconds, spread
from napari.layers import Layer
from PIL import Image
from rich.console import Console
from rich.table import Table

from napari_npa import Segmentation, Segmenter
from napari_npa.io.angiogram import Angiogram, angiogram_from_array, read_angiogram
from napari_npa.plugin.correct.panel import CorrectPanel
from napari_npa.plugin.layers.open import open_file
from napari_npa.plugin.qt.model_choice import KeptSegmenter
from napari_npa.plugin.segment.panel import SegmentPanel
from napari_npa.segmentation.retina import find_retina
from napari_npa.simulation import simulate
from napari_npa.types import Mode, Progress

REAL = Path(__file__).parents[2] / "shared" / "data" / "uwfa"
SIDE = 4000


class WayBefore:
    """A segmenter that also does what was done twice."""

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter
        self.recovery: Thread | None = None

    def segment(self, angiogram: Angiogram, progress: Progress) -> Segmentation:
        self.recovery = Thread(target=compare_with_file, args=(angiogram,))
        self.recovery.start()  # its job ran beside the other
        compare_with_file(angiogram)
        found = self.segmenter.segment(angiogram, progress=progress)
        find_retina(angiogram.pixels)
        return found


class SegmentersBefore(KeptSegmenter):
    """Gives the panel segmenters of the way before."""

    def get(self, device: str, model: str | Path, mode: Mode) -> WayBefore:
        return WayBefore(super().get(device, model, mode))


def compare_with_file(angiogram: Angiogram) -> None:
    """Decode the file of a layer, and compare its pixels with those on screen."""
    shown = angiogram_from_array(angiogram.pixels)
    assert np.array_equal(read_angiogram(angiogram.path).pixels, shown.pixels)


def main() -> None:
    """Run all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NAPARI_NPA_DATA"] = folder  # not among the user's own corrections
        images = distinct_images(Path(folder))
        now, before = journeys(images, runs)
        angiogram = read_angiogram(next(images))
        decodings = timed(lambda: compare_with_file(angiogram), runs)
        searches = timed(lambda: find_retina(angiogram.pixels), runs)
    ratios = [b / a for a, b in zip(now, before, strict=True)]
    rows, columns = angiogram.pixels.shape
    title = f"{rows} x {columns}; {machine(Segmenter('auto'))}"
    table = Table("what", "median", "least", "most", title=title)
    table.add_row("Run to first correction", *seconds(now))
    table.add_row("the way before", *seconds(before))
    table.add_row("ratio, run by run", *(f"{value:.2f}" for value in spread(ratios)))
    table.add_row("one decoding, hash and comparison", *seconds(decodings))
    table.add_row("one search for the retina", *seconds(searches))
    Console().print(table)


def distinct_images(folder: Path) -> Iterator[Path]:
    """Files of one angiogram that differ in a pixel each: what is known of one is of no use."""
    files = sorted(REAL.glob("*.png"))
    pixels = np.array(Image.open(files[0]).convert("L")) if files else simulated()
    for number in range(10_000):
        pixels[0, number % SIDE] ^= 1
        path = folder / f"eye_{number}.png"
        Image.fromarray(pixels).save(path, compress_level=1)
        yield path


def simulated() -> np.ndarray:
    """A simulated eye, enlarged."""
    return np.kron(simulate("uwfa", SIDE // 4, seed=105).pixels, np.ones((4, 4), np.uint8))


def journeys(images: Iterator[Path], runs: int) -> tuple[list[float], list[float]]:
    """Seconds from Run to the first correction, now and the way before, in turn."""
    viewer = napari.Viewer(show=True)
    _, workspace = viewer.window.add_plugin_dock_widget("napari-npa", "Segment non-perfusion")
    segment, correct = workspace.panel("segment"), workspace.panel("correct")
    wait_while(lambda: segment.jobs or correct.jobs)
    ways = KeptSegmenter(), SegmentersBefore()
    times: tuple[list[float], ...] = ([], [])
    for run in range(-1, runs):  # the first warms up
        for way, taken in zip(ways, times, strict=True):
            segment.segmenter = way
            needed = journey(viewer, segment, correct, next(images))
            if run >= 0:
                taken.append(needed)
    viewer.close()
    return times


def journey(
    viewer: napari.Viewer, segment: SegmentPanel, correct: CorrectPanel, image: Path
) -> float:
    """Seconds from Run to the first correction of an image."""
    layer = viewer.add_layer(Layer.create(*open_file(image)))
    row, column = (side // 2 for side in layer.data.shape)
    start = time.perf_counter()
    segment.run.click()
    wait_while(lambda: segment.run_job is not None)
    correct.grow_at(row, column)
    wait_while(lambda: correct.correction is None)
    needed = time.perf_counter() - start
    wait_while(lambda: segment.jobs or correct.jobs)
    segment.annotations.flush(10)
    viewer.layers.clear()
    return needed


if __name__ == "__main__":
    main()
