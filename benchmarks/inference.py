"""Seconds an image: the published network as published, against this product.

Prints one table from one run on one machine. Reference: VGG-UNet with the published
decoder (512-256-128-64), float32, contiguous, eager, on a canvas of 1024 x 1024.

    python benchmarks/inference.py [--runs N]
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from napari_npa import Segmenter
from napari_npa.models.devices import has_fast_bf16
from napari_npa.models.networks import UNetConfig, VGGUNet
from napari_npa.simulation import simulate

SIDE = 1024
FINE = 2048
"""A size at which the second scale is looked at, too."""

LARGE = 4000

PANEL = """
import time
started = time.perf_counter()
import napari
from qtpy.QtCore import QEventLoop, QTimer
from napari_npa.plugin.layers.samples import first_sample

def wait_while(condition):
    while condition():
        loop = QEventLoop()
        QTimer.singleShot(5, loop.quit)
        loop.exec()

viewer = napari.Viewer(show=True)
shown = time.perf_counter()
_, workspace = viewer.window.add_plugin_dock_widget("napari-npa", "Segment non-perfusion")
panel = workspace.current
opened = time.perf_counter()
viewer.open_sample("napari-npa", "simulated_1")
wait_while(lambda: panel.jobs)
panel.run.click()
wait_while(lambda: panel.run_job is not None)
result = time.perf_counter()
assert len(viewer.layers) == 3, panel.status.text()
print(shown - started, opened - shown, result - opened)
viewer.close()
"""

# Not ru_maxrss where there is another way: it counts what the parent held before the start.
MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np
from napari_npa import Segmenter
image = np.load(sys.argv[1])
Segmenter(sys.argv[2]).segment(image)
status = Path("/proc/self/status")
kilobytes = (
    status.read_text().split("VmHWM:")[1].split()[0]
    if status.exists()
    else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
)
print(int(kilobytes) / 1024)
"""


def main() -> None:
    """Run all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each")
    parser.add_argument("--device", default="auto")
    runs = parser.parse_args().runs
    device = parser.parse_args().device

    angiogram, fine = (simulate("uwfa", side, seed=105).pixels for side in (SIDE, FINE))
    published = VGGUNet(UNetConfig.published()).eval()
    segmenter = Segmenter(device, mode="whole")
    two_scale = Segmenter(device, mode="two-scale")
    published.to(segmenter.device)
    image = torch.from_numpy(angiogram / np.float32(255)).expand(1, 3, -1, -1).contiguous()

    def run_published() -> None:
        with torch.inference_mode():
            torch.softmax(published(image.to(segmenter.device)), 1)[0, 1].cpu()

    reference, ours, twice, fine_twice = alternate(
        [
            run_published,
            lambda: segmenter.segment(angiogram),
            lambda: two_scale.segment(angiogram),
            lambda: two_scale.segment(fine),
        ],
        runs,
    )

    table = Table("what", "median", "least", "most", title=machine(segmenter))
    table.add_row(f"published VGG-UNet, float32, {SIDE} x {SIDE}", *seconds(reference))
    table.add_row(f"whole-image network, reading to mask, {SIDE} x {SIDE}", *seconds(ours))
    table.add_row("how many times faster, run by run", *ratios(reference, ours))
    table.add_row(f"two scales (the default), {SIDE} x {SIDE}", *seconds(twice))
    table.add_row("how many times faster, run by run", *ratios(reference, twice))
    table.add_row(f"two scales, {FINE} x {FINE}", *seconds(fine_twice))
    for name, value in zip(("napari window", "panel", "panel to result"), panel(), strict=True):
        table.add_row(f"{name} (2048 x 2048 sample)", f"{value:.2f} s", "", "")
    table.add_row(f"peak memory, {LARGE} x {LARGE}", f"{peak_memory(device):.0f} MiB", "", "")
    Console().print(table)


def alternate(functions: list[Callable[[], object]], runs: int) -> list[list[float]]:
    """Seconds of each function, called in turn after one warm-up each."""
    times: list[list[float]] = [[] for _ in functions]
    for function in functions:
        function()
    for _ in range(runs):
        for function, taken in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            taken.append(time.perf_counter() - start)
    return times


def spread(values: list[float]) -> tuple[float, float, float]:
    """Median, least and most."""
    return statistics.median(values), min(values), max(values)


def seconds(values: list[float]) -> list[str]:
    """Median, least and most, in words."""
    return [f"{value:.2f} s" for value in spread(values)]


def ratios(slow: list[float], fast: list[float]) -> list[str]:
    """Median, least and most of the ratios, run by run."""
    return [f"{ratio:.1f}" for ratio in spread([a / b for a, b in zip(slow, fast, strict=True)])]


def panel() -> tuple[float, ...]:
    """Seconds to the window, to the panel, and from the panel to the first result."""
    done = subprocess.run(
        [sys.executable, "-c", PANEL], capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode:
        print("the panel could not be timed; without a screen, use xvfb-run:", file=sys.stderr)
        print(*done.stderr.splitlines()[-6:], sep="\n", file=sys.stderr)
        return (float("nan"),) * 3
    return tuple(float(value) for value in done.stdout.split()[-3:])


def peak_memory(device: str) -> float:
    """MiB of a process of its own that segments one large angiogram."""
    import tempfile

    small = simulate("uwfa", LARGE // 4, seed=105).pixels
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file, np.kron(small, np.ones((4, 4), np.uint8)))
        file.flush()
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, file.name, device],
            capture_output=True,
            text=True,
            check=True,
        )
    return float(done.stdout.split()[-1])


def machine(segmenter: Segmenter) -> str:
    """Name what the figures were measured on."""
    fast = "bfloat16" if has_fast_bf16(segmenter.device) else "no fast bfloat16"
    return (
        f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, "
        f"{segmenter.device}, {fast}, torch {torch.__version__}"
    )


if __name__ == "__main__":
    main()
