"""How well a click fills an annotated area: the package's way against others.

Every connected part of the annotated non-perfusion is clicked once, at its deepest point. What
grows from there is compared with the part, both within the radius, at one tolerance for all
clicks of a method: the package's own as it is calibrated, the others' as scores best on the
``--tune`` folders, which must not hold the images that are reported.

    python benchmarks/growing.py --images DIR... [--masks DIR] --tune DIR...

Masks are `<stem>_npa.*`, beside the images unless ``--masks`` says where. The probability is the
embedded whole-image network's; it was trained on the 12 labelled 55° images, so that real images
flatter every row that uses it. Simulated eyes of seeds it has not seen do not:

    napari-npa simulate --output DIR --count 26 --kind uwfa --size 2048 --seed 9000
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import ndimage as ndi
from skimage.filters import sato, sobel
from skimage.morphology import reconstruction
from skimage.segmentation import random_walker, watershed

from napari_npa import Segmenter
from napari_npa.io.angiogram import read_angiogram
from napari_npa.io.decoding import IMAGE_SUFFIXES
from napari_npa.io.masks import find_masks, read_mask
from napari_npa.io.names import NPA_ENDING
from napari_npa.models.weights import load_model
from napari_npa.refine.close_up import CloseUp
from napari_npa.refine.growing import RADIUS_MM, SEED_RADIUS, SMOOTHING, grow

SMALLEST_MM2 = 0.5
"""Smaller parts are not clicked."""

PARTS_AN_IMAGE = 5
"""The largest; otherwise one mottled eye would outvote all others."""

TOLERANCES = np.geomspace(0.01, 2, 24)
"""What is tried for a method without a calibrated tolerance."""

PROBABILITY_WEIGHT = 0.3
"""Gray that a loss of probability from 1 to 0 weighs as much as, for the flood."""

VESSEL_SIGMAS = (1.5, 2.5)
"""Half widths of the vessels that bar a flood, canvas pixels."""

WALKER_STIFFNESS = 300
"""How much a step of gray keeps the random walker back (130, the default, leaks more)."""

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Click:
    """One seed, and what should grow from it."""

    seen: CloseUp
    seed: tuple[int, int]
    retina: NDArray[np.bool_]
    probability: Values
    part: NDArray[np.bool_]


@dataclass(frozen=True)
class Look:
    """Surroundings of a seed on the canvas, for the methods that are not in the package."""

    gray: Values
    probability: Values
    inside: NDArray[np.bool_]
    seed: tuple[int, int]

    @property
    def near(self) -> NDArray[np.bool_]:
        """Pixels that stand for the seed."""
        down, right = np.ogrid[: self.gray.shape[0], : self.gray.shape[1]]
        return (np.hypot(down - self.seed[0], right - self.seed[1]) <= SEED_RADIUS) & self.inside

    @property
    def smooth(self) -> Values:
        return ndi.gaussian_filter(self.gray, SMOOTHING)

    @property
    def excess(self) -> Values:
        """Gray above the seed's."""
        return np.maximum(self.smooth - self.smooth[self.near].mean(), 0)

    @property
    def doubt(self) -> Values:
        """Probability below the seed's."""
        return np.maximum(self.probability[self.near].mean() - self.probability, 0)


Method = Callable[[Look], Values]
"""Tolerance from which each pixel is found."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, nargs="+", required=True)
    parser.add_argument("--masks", type=Path, help="folder of the masks, if another")
    parser.add_argument("--tune", type=Path, nargs="+", required=True)
    parser.add_argument("--radius", type=float, default=RADIUS_MM, help="millimetres")
    asked = parser.parse_args()
    segmenter = Segmenter("cpu")
    tune = [c for folder in asked.tune for c in clicks(folder, folder, segmenter)]
    tolerances = {name: best(method, tune, asked.radius) for name, method in METHODS.items()}
    console = Console(width=110)
    for folder in asked.images:
        told = clicks(folder, asked.masks or folder, segmenter)
        views = Counter(click.seen.view.name for click in told)
        title = f"{folder.name}: {len(told)} clicks {dict(views)}, radius {asked.radius:g} mm"
        table = Table("method", "tolerance", "median Dice", "mean Dice", "ms a click", title=title)
        for name, method in METHODS.items():
            add(table, name, tolerances[name], [one(method, c, asked.radius) for c in told])
        for name, guided in (("cheapest way, gray", False), (OURS, True)):
            add(table, name, None, [ours(c, asked.radius, guided=guided) for c in told])
        table.caption = (
            "Probability: embedded whole network. It was trained on the real labelled images, "
            "so that these flatter every row that uses it."
        )
        console.print(table)


def clicks(images: Path, masks: Path, segmenter: Segmenter) -> list[Click]:
    """Deepest points of the annotated parts of a folder."""
    canvases = load_model("tile").canvases
    wanted = find_masks(masks, NPA_ENDING)
    found = []
    for path in sorted(images.iterdir()):
        if path.suffix.lower() not in IMAGE_SUFFIXES or path.stem not in wanted:
            continue
        result = segmenter.segment(read_angiogram(path))
        seen = CloseUp.of(result.angiogram, canvases)
        parts, _ = ndi.label(read_mask(wanted[path.stem]) & result.retina)
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        taken = seen.box.taken[0]
        pixel_mm = seen.view.canvas_mm / max(
            taken.stop - taken.start, seen.box.taken[1].stop - seen.box.taken[1].start
        )
        for label in np.argsort(-sizes)[:PARTS_AN_IMAGE]:
            if sizes[label] * pixel_mm**2 < SMALLEST_MM2:
                break
            part = parts == label
            depth = ndi.distance_transform_edt(np.pad(part, 1))[1:-1, 1:-1]
            row, column = np.unravel_index(depth.argmax(), depth.shape)
            seed = (int(row), int(column))
            found.append(Click(seen, seed, result.retina, result.probability, part))
    return found


def look(click: Click, radius: float) -> tuple[Look, Callable[[Values], Values], NDArray[np.bool_]]:
    """Surroundings of a click on the canvas, the way back to the image, and the wanted part."""
    region = grow(click.seen, click.seed, retina=click.retina, radius_mm=radius).region
    window = region.window
    part = click.seen.canvas_window(window, margin=1)
    place = click.seen.place(*click.seed)
    seed = tuple(round(p) - span.start for p, span in zip(place, part, strict=True))
    inside = click.seen.canvas_mask(region.inside, window, part)
    inside[seed] = True
    probability = click.seen.box.apply(click.probability)[part]

    def back(tolerance: Values) -> Values:
        # Through a bounded function of the tolerance: what is never found is infinite.
        reached = np.where(inside, 1 / (1 + tolerance), 0).astype(np.float32)
        shown = click.seen.image_values(reached, part, window)
        return np.where(region.inside & (shown > 0), 1 / np.maximum(shown, 1e-6) - 1, np.inf)

    surroundings = Look(click.seen.stretched[part], probability, inside, seed)  # type: ignore[arg-type]
    return surroundings, back, click.part[window] & region.inside


def flood(cost: Values, at: Look) -> Values:
    """Least tolerance at which a flood from the seed reaches each pixel: the worst on the way.

    Equal to `skimage.segmentation.flood` at every tolerance, in one pass.
    """
    never = float(cost.max()) + 1e3
    barred = np.where(at.inside, cost, never)
    start = np.full_like(barred, never)
    start[at.seed] = barred[at.seed]
    reached = reconstruction(start, barred, method="erosion")
    return np.where(reached >= never, np.inf, reached)


def gray_flood(at: Look) -> Values:
    return flood(at.excess, at)


def vessel_flood(at: Look) -> Values:
    return flood(at.excess + vessels(at), at)


def guided_flood(at: Look) -> Values:
    return flood(at.excess + PROBABILITY_WEIGHT * at.doubt, at)


def guided_vessel_flood(at: Look) -> Values:
    return flood(at.excess + vessels(at) + PROBABILITY_WEIGHT * at.doubt, at)


def vessels(at: Look) -> Values:
    return sato(at.gray, VESSEL_SIGMAS, black_ridges=False)


def walker(at: Look) -> Values:
    return walked(at, at.smooth[..., None])


def guided_walker(at: Look) -> Values:
    return walked(at, np.stack([at.smooth, PROBABILITY_WEIGHT * at.probability], axis=-1))


def walked(at: Look, channels: Values) -> Values:
    """One less the probability that a walker comes to the seed before it comes to the rim."""
    labels = np.zeros(at.gray.shape, np.int8)
    labels[at.inside & ~ndi.binary_erosion(at.inside)] = 2
    labels[at.excess > np.percentile(at.excess[at.inside], 90)] = 2
    labels[at.near] = 1
    labels[~at.inside] = -1
    if not (labels == 2).any():
        return np.where(at.inside, 0, np.inf)
    chances = random_walker(
        channels, labels, beta=WALKER_STIFFNESS, mode="cg_j", tol=1e-3,
        return_full_prob=True, channel_axis=-1,
    )  # fmt: skip
    return np.where(at.inside, 1 - chances[0], np.inf)


def shed(at: Look) -> Values:
    """Watershed of the gradient between the seed and what is brighter by the tolerance."""
    relief = sobel(at.smooth)
    needed = np.full(at.gray.shape, np.inf)
    for tolerance in TOLERANCES[TOLERANCES < 0.6][::2]:
        markers = np.where(at.excess > tolerance, 2, 0)
        markers[at.inside & ~ndi.binary_erosion(at.inside)] = 2
        markers[at.near] = 1
        found = watershed(relief, markers, mask=at.inside) == 1
        needed[found] = np.minimum(needed[found], tolerance)
    return needed


METHODS: dict[str, Method] = {
    "flood, gray": gray_flood,
    "flood, gray, vessels": vessel_flood,
    "flood, gray, probability": guided_flood,
    "flood, gray, vessels, probability": guided_vessel_flood,
    "random walker, gray": walker,
    "random walker, gray, probability": guided_walker,
    "watershed, gray": shed,
}
OURS = "cheapest way, gray, probability"


@dataclass(frozen=True)
class Grown:
    """Tolerance of each pixel, the wanted part, and how long it took."""

    needed: Values
    part: NDArray[np.bool_]
    seconds: float

    def dice(self, tolerance: float) -> float:
        found = self.needed <= tolerance
        return float(2 * (found & self.part).sum() / (found.sum() + self.part.sum()))


def one(method: Method, click: Click, radius: float) -> Grown:
    at, back, part = look(click, radius)
    start = time.perf_counter()
    needed = method(at)
    return Grown(back(needed), part, time.perf_counter() - start)


def ours(click: Click, radius: float, *, guided: bool) -> Grown:
    start = time.perf_counter()
    probability = click.probability if guided else None
    proposal = grow(
        click.seen, click.seed, retina=click.retina, probability=probability, radius_mm=radius
    )
    needed = np.where(proposal.found(), 0, np.inf)
    seconds = time.perf_counter() - start
    return Grown(needed, click.part[proposal.region.window] & proposal.region.inside, seconds)


def best(method: Method, tune: Sequence[Click], radius: float) -> float:
    """Tolerance of the highest mean Dice."""
    grown = [one(method, click, radius) for click in tune]
    means = [np.mean([g.dice(tolerance) for g in grown]) for tolerance in TOLERANCES]
    return float(TOLERANCES[int(np.argmax(means))])


def add(table: Table, name: str, tolerance: float | None, grown: Sequence[Grown]) -> None:
    dices = [g.dice(0 if tolerance is None else tolerance) for g in grown]
    milliseconds = 1000 * float(np.median([g.seconds for g in grown]))
    table.add_row(
        name,
        "as calibrated" if tolerance is None else f"{tolerance:.3f}",
        f"{np.median(dices):.3f}",
        f"{np.mean(dices):.3f}",
        f"{milliseconds:.0f}",
    )


if __name__ == "__main__":
    main()
