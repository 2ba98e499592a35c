"""Measure how fast this machine makes training images and learns from them.

Prints simulated images a second on one core, views a second from the training set, and views a
second through an optimiser step: the default recipe against the published network and number
format (float32, wide decoder, full-size first convolution) in the same run.

    python benchmarks/training.py [--steps N]
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from napari_npa.models.devices import choose_device, has_fast_bf16
from napari_npa.models.networks import UNetConfig
from napari_npa.simulation import simulate
from napari_npa.training.config import TrainingConfig
from napari_npa.training.examples import Example
from napari_npa.training.module import TrainingModule
from napari_npa.training.views import ExampleCache, RandomViews, Sampling, View


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5, help="timed steps of each")
    steps = parser.parse_args().steps
    device = choose_device("auto")
    console = Console()
    console.print(f"{platform.processor() or platform.machine()}, {device}", highlight=False)
    console.print(f"{torch.get_num_threads()} threads, bf16 {has_fast_bf16(device)}")

    table = Table("what", "median seconds", "range", "a second")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for kind, size in (("uwfa", 1024), ("55", 512)):
        seconds = times(lambda seed, k=kind, s=size: simulate(k, s, seed), steps)
        add(table, f"simulate {kind} at {size}, one core", seconds, 1)
    views = view_source()
    add(
        table,
        "view of the training set, one core",
        times(lambda i: views.render_batch([views[i]]), 4 * steps),
        1,
    )
    torch.set_num_threads(threads)
    batch = views.render_batch([views[index] for index in range(8)])
    ours = times(stepping(TrainingConfig(), batch, device, has_fast_bf16(device)), steps)
    add(table, "step of 8 views, default", ours, 8)
    wide = TrainingConfig(network=UNetConfig.published())
    published = times(stepping(wide, batch, device, bf16=False), max(1, steps // 2))
    add(table, "step of 8 views, published network, float32", published, 8)
    console.print(table)
    ratio = statistics.median(published) / statistics.median(ours)
    console.print(f"published / default: {ratio:.1f}", highlight=False)


def view_source() -> RandomViews:
    """Build random views of one simulated eye of each kind."""
    examples = []
    for kind, size in (("uwfa", 1024), ("55", 512)):
        eye = simulate(kind, size, 3)  # type: ignore[arg-type]
        examples.append(Example(Path(), "sim", "simulated", eye.pixels, eye.npa, eye.retina))
    config = TrainingConfig()
    sampling = Sampling(config.view, config.shares)
    cache = ExampleCache(examples, torch.device("cpu"))
    return RandomViews(cache, sampling, config.augmentation, seed=0, first=0, count=1000)


def stepping(
    config: TrainingConfig, batch: View, device: torch.device, bf16: bool
) -> Callable[[int], object]:
    """Return a function that makes one optimiser step."""
    module = TrainingModule(config).to(device)
    module.log = lambda *args, **kwargs: None  # type: ignore[assignment, method-assign]
    optimizer = torch.optim.Adam(module.network.parameters(), lr=1e-4)
    images, targets, known = (part.to(device) for part in batch)

    def step(index: int) -> object:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            loss = module.training_step((images, targets, known), index)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())  # waits for a GPU

    return step


def times(work: Callable[[int], object], count: int) -> list[float]:
    """Time `count` calls, after one that does not count, in seconds."""
    seconds = []
    for index in range(count + 1):
        start = time.perf_counter()
        work(index)
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def add(table: Table, name: str, seconds: list[float], things: int) -> None:
    """Add a row: median, range, and things a second."""
    median = float(np.median(seconds))
    spread = f"{min(seconds):.3f} to {max(seconds):.3f}"
    table.add_row(name, f"{median:.3f}", spread, f"{things / median:.2f}")


if __name__ == "__main__":
    main()
