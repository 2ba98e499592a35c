"""What a correction costs at 4000 x 4000, in a shown napari.

Region: seconds from the release of the mouse to the changed mask, for rectangles of 512 x 512,
against the tile network's own forward pass on what it is shown of them (the reference); once as
it is, and once without redrawing the canvas, which software OpenGL does on the same processor.
Both after the same rest, as while the user draws: a processor that has rested is slower at first.
Live index: seconds a frame while the brush moves, with the panels against plain napari with the
same layers (the reference), and of one count.

    python benchmarks/correcting.py [--runs N]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import napari
import numpy as np
import torch
from inference import machine, spread
from napari.layers import Labels
from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QApplication
from rich.console import Console
from rich.table import Table

from napari_npa import Segmenter
from napari_npa.models.inference import PIECE_CONTEXT, with_context
from napari_npa.plugin.correct.panel import CorrectPanel
from napari_npa.plugin.segment.panel import SegmentPanel
from napari_npa.refine import CloseUp, TileNetwork, box_region
from napari_npa.simulation import simulate

SIDE = 4000
REGION = 512
STAMPS = 60
LIMIT = 120
"""Seconds after which what is waited for is given up."""

SPOT = 100
"""Side of what is wrong in a region before it is corrected, pixels."""


def main() -> None:
    """Run all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9, help="counted runs of each")
    runs = parser.parse_args().runs
    pixels = np.kron(simulate("uwfa", SIDE // 4, seed=105).pixels, np.ones((4, 4), np.uint8))
    viewer = napari.Viewer(show=True)
    _, workspace = viewer.window.add_plugin_dock_widget("napari-npa", "Segment non-perfusion")
    segment, correct = workspace.panel("segment"), workspace.panel("correct")
    viewer.add_image(pixels, name="eye")
    segmented(segment, correct)
    table = Table("what", "median", "least", "most", title=machine(Segmenter("auto")))
    canvas = viewer.window._qt_viewer.canvas.native
    for drawing in (True, False):
        canvas.setUpdatesEnabled(drawing)
        ours, forward = regions(correct, runs)
        ratios = [a / b for a, b in zip(ours, forward, strict=True)]
        how = f"region of {REGION} x {REGION}" if drawing else "the same, canvas not redrawn"
        table.add_row(f"release to changed mask, {how}", *seconds3(ours))
        table.add_row("tile network's forward pass on it", *seconds3(forward))
        table.add_row("ratio, run by run", *(f"{value:.2f}" for value in spread(ratios)))
    canvas.setUpdatesEnabled(True)
    npa = correct.result.npa
    viewer.layers.selection.active = npa  # as while the user paints
    frames, plain = brush_frames(npa, plain_layer(viewer, npa), runs)
    ratios = [a / b for a, b in zip(frames, plain, strict=True)]
    table.add_row("brush frame with the panels", *milliseconds(frames))
    table.add_row("brush frame in plain napari", *milliseconds(plain))
    table.add_row("ratio, run by run", *(f"{value:.2f}" for value in spread(ratios)))
    table.add_row("one count of the index", *milliseconds(timed(workspace.bar.index.recount, runs)))
    Console().print(table)
    correct.annotations.flush(10)
    viewer.close()


def segmented(segment: SegmentPanel, correct: CorrectPanel) -> None:
    """Wait for the panels, run, and wait until a correction can be made."""
    wait_while(lambda: len(segment.jobs))
    segment.run.click()
    wait_while(lambda: segment.run_job is not None)
    wait_while(lambda: len(correct.jobs))


def regions(correct: CorrectPanel, runs: int) -> tuple[list[float], list[float]]:
    """Seconds of corrections, and of the network alone on the same windows."""
    network = TileNetwork(correct.device, correct.model)
    seen = network.look(correct.result.segmentation.angiogram)
    # Its first run takes it to the number format that the panel's network computes in.
    network.propose(seen, [box_region((0, 0, REGION - 1, REGION - 1), (SIDE, SIDE))])
    if not correct.drawing["rectangle"].isChecked():
        correct.drawing["rectangle"].click()
    ours, alone = [], []
    changed: list[float] = []
    correct.result.npa.events.labels_update.connect(lambda: changed.append(time.perf_counter()))
    for run in range(-1, runs):  # the first warms up
        top, left = 1200 + 90 * run, 1500 + 60 * run
        bottom, right = top + REGION, left + REGION
        corners = np.array([(top, left), (top, right), (bottom, right), (bottom, left)])
        spot = np.nonzero(np.ones((SPOT, SPOT), bool))
        inside = (spot[0] + top + SPOT, spot[1] + left + SPOT)
        flipped = 1 - correct.result.npa.data[inside]
        correct.result.npa.data_setitem(inside, flipped)  # so that there is something to correct
        shapes = correct.mouse.shapes.layer
        shapes.add(corners, shape_type="rectangle", gui=True)  # as while the mouse moves
        shapes._is_creating, shapes._moving_value = True, (0, None)
        rest()
        changed.clear()
        start = time.perf_counter()
        shapes._finish_drawing()  # what napari does when the mouse is released
        wait_while(lambda: not changed or correct.looking)
        taken = changed[0] - start
        region = correct.correction.made.proposals[0].region
        passed = statistics.median(forward_passes(network, seen, region.window))
        if run >= 0:
            ours.append(taken)
            alone.append(passed)
    return ours, alone


def forward_passes(network: TileNetwork, seen: CloseUp, window: tuple[slice, slice]) -> list[float]:
    """Seconds of the bare network on what it is shown of a region, three times."""
    inference = network._inference
    shape = (seen.box.canvas, seen.box.canvas)
    shown = with_context(seen.canvas_window(window), shape, PIECE_CONTEXT, inference.multiple)
    weights = next(inference.network.parameters())
    images = torch.from_numpy(seen.channels[(slice(None), *shown)])[None]
    images = images.to(weights.device, weights.dtype, memory_format=torch.channels_last)

    def forward() -> None:
        with torch.inference_mode():
            inference.network(images).float().cpu()

    times = []
    for _ in range(3):
        rest()
        times += timed(forward, 1)
    return times


def plain_layer(ours: napari.Viewer, npa: Labels) -> Labels:
    """The same layers in a napari without panels, on a canvas of the same size."""
    viewer = napari.Viewer(show=True)
    viewer.add_image(ours.layers["eye"].data)
    retina = viewer.add_labels(ours.layers["Retina"].data.copy())
    retina.contour = ours.layers["Retina"].contour
    canvas = viewer.window._qt_viewer.canvas.native
    canvas.setFixedSize(ours.window._qt_viewer.canvas.native.size())
    layer = viewer.add_labels(npa.data.copy(), colormap=npa.colormap, opacity=npa.opacity)
    layer.brush_size = npa.brush_size
    return layer


def brush_frames(npa: Labels, plain: Labels, runs: int) -> tuple[list[float], list[float]]:
    """Median seconds a frame of strokes in each layer, in turn."""
    return tuple(zip(*((stroke(npa, run), stroke(plain, run)) for run in range(runs)), strict=True))


def stroke(layer: Labels, run: int) -> float:
    """Seconds a stamp of the brush and what napari does about it, averaged over a stroke."""
    layer.mode = "paint"
    QApplication.processEvents()
    start = time.perf_counter()
    with layer.block_history():
        for at in range(STAMPS):
            layer.paint((1500 + 40 * run, 1200 + 12 * at), 1 - run % 2)
            QApplication.processEvents()
    return (time.perf_counter() - start) / STAMPS


def timed(function: Callable[[], object], runs: int) -> list[float]:
    """Seconds of each of `runs` calls."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return times


def seconds3(values: list[float]) -> list[str]:
    """Median, least and most, in thousandths."""
    return [f"{value:.3f} s" for value in spread(values)]


def milliseconds(values: list[float]) -> list[str]:
    """Median, least and most."""
    return [f"{1000 * value:.1f} ms" for value in spread(values)]


def rest() -> None:
    """Let napari be idle for over half a second."""
    wait_while(iter([True] * 30 + [False]).__next__)


def wait_while(condition: Callable[[], object]) -> None:
    """Let napari work until something has ended.

    Raises
    ------
    TimeoutError
        It has not after :data:`LIMIT` seconds: a correction that changed no pixel, for instance.
    """
    started = time.monotonic()
    while condition():
        if time.monotonic() - started > LIMIT:
            raise TimeoutError(f"what is waited for has not happened in {LIMIT} s")
        loop = QEventLoop()
        QTimer.singleShot(20, loop.quit)  # seldom: to ask takes time of what is measured
        loop.exec()


if __name__ == "__main__":
    main()
