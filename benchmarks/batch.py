"""Seconds an image of a batch, against the network alone and against a plain loop.

Prints one table from one run on one machine. All do the same images: simulated ultra-widefield
eyes, each turned and mirrored eight ways. A machine does not keep its pace for an hour, so it is
done in rounds, each with its share of the images, and what counts is the median of the rounds'
ratios; shares that the workers cannot divide evenly have one of them idle at the end. The loop
reads, segments and writes one after the other; between its images the network alone is timed on
each of them, prepared in memory. The batch is `napari_npa.batch.run_batch` as the shell runs it,
and its memory is watched through all rounds. By default it looks at each image at two scales, as
for a user; ``--mode whole`` looks once.

    python benchmarks/batch.py [--images N] [--rounds N] [--side PIXELS] [--workers N]
        [--mode whole|two-scale]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import get_args

import numpy as np
from inference import machine
from rich.console import Console
from rich.table import Table
from torch import Tensor

from napari_npa import Segmenter
from napari_npa.batch import BatchOptions, Finished, run_batch
from napari_npa.imaging.field_of_view import ULTRA_WIDEFIELD
from napari_npa.imaging.letterbox import Letterbox
from napari_npa.io.angiogram import read_angiogram
from napari_npa.io.writing import write_gray
from napari_npa.models.inference import Inference, Steps
from napari_npa.results.folder import ResultFolder
from napari_npa.results.result import Result
from napari_npa.segmentation.retina import find_retina
from napari_npa.simulation import simulate
from napari_npa.types import Mode

Look = tuple[Inference, int]
"""A network, and the side of the canvas on which it looks."""

TURNS = 8


def main() -> None:
    """Run all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--mode", choices=get_args(Mode), default="two-scale")
    parser.add_argument("--folder", type=Path, help="where to keep the simulated images")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "images"
        make_images(folder, options.images, options.side)
        images = sorted(folder.iterdir())[: options.images]
        segmenter = Segmenter(options.device, mode=options.mode)
        memory: list[float] = []
        rounds = [
            Round.timed(segmenter, share, Path(temporary) / f"round_{at}", options.workers, memory)
            for at, share in enumerate(shares(images, options.rounds))
        ]

    size = f"{options.side} x {options.side}"
    title = f"{len(images)} images of {size}, {options.mode}; {machine(segmenter)}"
    sides = " and ".join(str(side) for _, side in segmenter._looks(ULTRA_WIDEFIELD))
    table = Table("what", "seconds an image", "of the network's rate", "in each round", title=title)
    for name, seconds in (
        ("plain loop", [one.loop for one in rounds]),
        ("batch", [one.batch for one in rounds]),
    ):
        rates = [one.network / taken for one, taken in zip(rounds, seconds, strict=True)]
        each = " ".join(f"{rate:.2f}" for rate in rates)
        table.add_row(name, f"{mean(seconds):.3f}", f"{median(rates):.2f}", each)
    alone = [one.network for one in rounds]
    spread = f"{min(alone):.3f} to {max(alone):.3f} s"
    table.add_row(f"network alone, canvases of {sides}", f"{mean(alone):.3f}", "", spread)
    Console().print(table)
    quarter = max(1, len(memory) // 4)
    first, last = max(memory[:quarter]), max(memory[-quarter:])
    print(f"memory held after an image: most in the first quarter {first:.0f} MiB,", end=" ")
    print(f"in the last {last:.0f} MiB ({100 * (last / first - 1):+.1f} %)")


@dataclass(frozen=True)
class Round:
    """Seconds an image, of one share of the images.

    Attributes
    ----------
    network
        In the network alone.
    loop, batch
        With reading and writing, one after the other and as a batch.
    """

    network: float
    loop: float
    batch: float

    @classmethod
    def timed(
        cls,
        segmenter: Segmenter,
        images: list[Path],
        work: Path,
        workers: int | None,
        memory: list[float],
    ) -> Round:
        """Do a share of the images in each way; append the memory held after each of the batch."""
        network, loop = plain_loop(segmenter, images, work / "loop")
        source = work / "images"
        source.mkdir()
        for image in images:
            (source / image.name).symlink_to(image.resolve())
        start = time.perf_counter()
        run_batch(
            source,
            work / "batch",
            BatchOptions(mode=segmenter.mode),
            device=str(segmenter.device),
            workers=workers,
            on_finished=lambda finished: watch(finished, memory),
        )
        return cls(network, loop, (time.perf_counter() - start) / len(images))


def shares(images: list[Path], count: int) -> list[list[Path]]:
    """Images in so many parts, each spread over the eyes."""
    return [part for at in range(count) if (part := images[at::count])]


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


def plain_loop(segmenter: Segmenter, images: list[Path], output: Path) -> tuple[float, float]:
    """Seconds an image in the network alone, and one after the other with all that belongs to it.

    The first image is done once before, and not counted.
    """
    looks = segmenter._looks(ULTRA_WIDEFIELD)
    network = loop = 0.0
    forward(prepare(looks, images[0]))
    for path in images:
        prepared = prepare(looks, path)
        start = time.perf_counter()
        forward(prepared)
        network += time.perf_counter() - start
        start = time.perf_counter()
        ResultFolder(output).save(Result.of(segmenter.segment(path)))
        loop += time.perf_counter() - start
    return network / len(images), loop / len(images)


def watch(finished: Finished, memory: list[float]) -> None:
    """Take down the memory that the process holds, MiB."""
    assert finished.row.status == "ok", finished.row.message
    resident = Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]
    memory.append(int(resident) / 1024)


if __name__ == "__main__":
    main()
