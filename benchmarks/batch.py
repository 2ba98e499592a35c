"""Images a minute of a batch, against the network alone and against a plain loop.

Prints one table from one run on one machine. Loop and batch do the same images: simulated
ultra-widefield eyes, each turned and mirrored eight ways. The network alone gets some of them
prepared in memory, before, between and after the others, since a machine does not keep its pace
for an hour; the loop reads, segments and writes one after the other; the batch is
`napari_npa.batch.run_batch` as the shell runs it, and its memory is watched. By default
it looks at each image at two scales, as for a user; ``--mode whole`` looks once.

    python benchmarks/batch.py [--images N] [--side PIXELS] [--workers N] [--mode whole|two-scale]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import get_args

import numpy as np
from inference import machine
from rich.console import Console
from rich.table import Table
from torch import Tensor

from napari_npa import Segmenter
from napari_npa.angiogram import read_angiogram
from napari_npa.batch import BatchOptions, Finished, run_batch
from napari_npa.inference import Inference, Steps
from napari_npa.letterbox import Letterbox
from napari_npa.results import write_result
from napari_npa.retina import find_retina
from napari_npa.segmentation import Mode
from napari_npa.simulate import simulate
from napari_npa.writing import write_gray

Look = tuple[Inference, int]
"""A network, and the side of the canvas on which it looks."""

TURNS = 8

PREPARED = 16
"""Images that the network alone is timed on; its inputs are held in memory."""


def main() -> None:
    """Run all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--side", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--mode", choices=get_args(Mode), default="two-scale")
    parser.add_argument("--folder", type=Path, help="where to keep the simulated images")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "images"
        make_images(folder, options.images, options.side)
        images = sorted(folder.iterdir())
        segmenter = Segmenter(options.device, mode=options.mode)
        looks = segmenter._looks("uwfa")
        alone = [network_alone(looks, images[:PREPARED])]
        loop = plain_loop(segmenter, images, Path(temporary) / "loop")
        alone.append(network_alone(looks, images[:PREPARED]))
        memory: list[float] = []
        start = time.perf_counter()
        run_batch(
            folder,
            Path(temporary) / "batch",
            BatchOptions(mode=options.mode),
            device=options.device,
            workers=options.workers,
            on_finished=lambda finished: watch(finished, memory),
        )
        batch = (time.perf_counter() - start) / len(images)
        alone.append(network_alone(looks, images[:PREPARED]))

    size = f"{options.side} x {options.side}"
    title = f"{len(images)} images of {size}, {options.mode}; {machine(segmenter)}"
    sides = " and ".join(str(side) for _, side in looks)
    table = Table("what", "seconds an image", "images/min", "of the network's rate", title=title)
    for name, seconds, around in (
        ("plain loop", loop, alone[:2]),
        ("batch", batch, alone[1:]),
    ):
        share = f"{mean(around) / seconds:.2f}"
        table.add_row(name, f"{seconds:.3f}", f"{60 / seconds:.1f}", share)
    for when, seconds in zip(("before", "between", "after"), alone, strict=True):
        name = f"network alone, canvases of {sides}, {when}"
        table.add_row(name, f"{seconds:.3f}", f"{60 / seconds:.1f}", "")
    Console().print(table)
    quarter = max(1, len(memory) // 4)
    first, last = max(memory[:quarter]), max(memory[-quarter:])
    print(f"memory held after an image: most in the first quarter {first:.0f} MiB,", end=" ")
    print(f"in the last {last:.0f} MiB ({100 * (last / first - 1):+.1f} %)")


def make_images(folder: Path, count: int, side: int) -> None:
    """Simulated eyes, turned and mirrored, until there are enough; those there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for at in range(0, count, TURNS):
        if (folder / f"eye_{at:04}.tif").exists():
            continue
        pixels = simulate("uwfa", side, seed=50_000 + at).pixels
        for turn in range(min(TURNS, count - at)):
            turned = np.rot90(pixels if turn < 4 else pixels.T, turn)
            write_gray(folder / f"eye_{at + turn:04}.tif", np.ascontiguousarray(turned))


def network_alone(looks: list[Look], images: list[Path]) -> float:
    """Seconds an image in the network itself, after a first run that is not counted."""
    # Anew each time: what is kept would count as memory that the batch holds.
    prepared = [prepare(looks, path) for path in images]
    forward(prepared[0])
    start = time.perf_counter()
    for image in prepared:
        forward(image)
    return (time.perf_counter() - start) / len(prepared)


def prepare(looks: list[Look], path: Path) -> list[tuple[Inference, Tensor]]:
    """What the network is fed of one image, as the segmenter feeds it."""
    pixels = read_angiogram(path).pixels
    retina = find_retina(pixels)
    fed = []
    for inference, side in looks:
        box = Letterbox(pixels.shape, side, retina.window)
        fed.append((inference, inference.channels(box, pixels, retina.gradable)[1]))
    return fed


def forward(image: list[tuple[Inference, Tensor]]) -> None:
    """Run the network on one image."""
    for inference, channels in image:
        inference.probability(channels, Steps(None, 1))


def plain_loop(segmenter: Segmenter, images: list[Path], output: Path) -> float:
    """Seconds an image, one after the other."""
    start = time.perf_counter()
    for path in images:
        write_result(output, path.stem, segmenter.segment(path), seconds=0.0)
    return (time.perf_counter() - start) / len(images)


def watch(finished: Finished, memory: list[float]) -> None:
    """Take down the memory that the process holds, MiB."""
    assert finished.row.status == "ok", finished.row.message
    resident = Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]
    memory.append(int(resident) / 1024)


if __name__ == "__main__":
    main()
