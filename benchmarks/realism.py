"""Measure how simulated angiograms differ from real ones.

Prints gray levels of real and simulated images side by side: percentiles, and for ultra-widefield
images also medians by distance from the centre. A classifier on texture features then distinguishes
real from simulated patches of 55° images that it was not trained on. Its AUC (0.5 never, 1 always)
and the features that differ most are printed. ``--figure`` draws profiles and spectra.

    python benchmarks/realism.py --real55 DIR... [--real-uwfa DIR] [--figure FILE.png]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from skimage.feature import local_binary_pattern
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from napari_npa.imaging.contrast import normalise_contrast
from napari_npa.io.angiogram import read_angiogram
from napari_npa.segmentation.retina import find_retina
from napari_npa.simulation import simulate
from napari_npa.training.dataset import angiograms

Gray = NDArray[np.float32]

PATCH = 64
PATCHES_AN_IMAGE = 12
BANDS = ((1, 2), (2, 4), (4, 8), (8, 16), (16, 24), (24, 32))
"""Spatial frequencies, cycles a patch."""

RINGS = ((0.0, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.4))
"""Distance from the image's centre, parts of its width: 400, 800, … of 4000 pixels."""

PERCENTILES = (1, 25, 50, 75, 99, 99.9)
BINARY_PATTERNS = 10


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real55", type=Path, nargs="+", required=True, help="folders")
    parser.add_argument("--real-uwfa", type=Path, help="folder")
    parser.add_argument("--count", type=int, default=40, help="simulated images of each kind")
    parser.add_argument("--figure", type=Path, help="picture to draw")
    options = parser.parse_args()
    real = [frame(path) for folder in options.real55 for path in angiograms(folder)]
    made = [simulated("55", 512, 90_000 + seed) for seed in range(options.count)]
    print_levels("55°", real, made)
    spectra = print_classifier(real, made)
    wide: list[list[tuple[Gray, NDArray[np.bool_]]]] = []
    if options.real_uwfa is not None:
        wide = [
            [frame(path, 1000) for path in angiograms(options.real_uwfa)],
            [simulated("uwfa", 1000, 90_000 + seed) for seed in range(options.count)],
        ]
        print_levels("ultra-widefield", *wide)
        print_rings(*wide)
    if options.figure is not None:
        draw(options.figure, spectra, wide)


def frame(path: Path, side: int | None = None) -> tuple[Gray, NDArray[np.bool_]]:
    """Read gray levels (0 to 255) and gradable retina of a file, about `side` columns wide."""
    pixels = read_angiogram(path).pixels
    retina = find_retina(pixels, name=path.name).gradable
    step = 1 if side is None else max(1, pixels.shape[1] // side)
    return 255 * pixels[::step, ::step], retina[::step, ::step]


def simulated(kind: str, size: int, seed: int) -> tuple[Gray, NDArray[np.bool_]]:
    """Simulate an eye: its gray levels and gradable retina."""
    eye = simulate(kind, size, seed)  # type: ignore[arg-type]
    return eye.pixels.astype(np.float32), eye.retina


def print_levels(title: str, real: list, made: list) -> None:  # type: ignore[type-arg]
    """Print percentiles of the gradable retina: the median over the images."""
    table = Table("", *(f"{p} %" for p in PERCENTILES), title=f"{title}: gray levels, percentiles")
    for name, images in (("real", real), ("simulated", made)):
        levels = np.median([np.percentile(p[r], PERCENTILES) for p, r in images], axis=0)
        table.add_row(name, *(f"{level:.0f}" for level in levels))
    Console().print(table)


def ring_medians(images: list) -> NDArray[np.float64]:  # type: ignore[type-arg]
    """Compute the median gray level of the gradable retina by ring: the median over the images."""
    rows = []
    for pixels, retina in images:
        y, x = np.ogrid[: len(pixels), : len(pixels)]
        away = np.hypot(y - len(pixels) / 2, x - len(pixels) / 2) / len(pixels)
        rings = [retina & (away >= low) & (away < high) for low, high in RINGS]
        rows.append([np.median(pixels[ring]) if ring.any() else np.nan for ring in rings])
    return np.asarray(np.nanmedian(rows, axis=0))


def print_rings(real: list, made: list) -> None:  # type: ignore[type-arg]
    """Print the fall-off towards the periphery."""
    heads = (f"{low:.1f} to {high:.1f}" for low, high in RINGS)
    table = Table("", *heads, title="ultra-widefield: median gray level by distance (widths)")
    for name, images in (("real", real), ("simulated", made)):
        table.add_row(name, *(f"{level:.0f}" for level in ring_medians(images)))
    Console().print(table)


def features(patch: Gray) -> dict[str, float]:
    """Compute texture features of one contrast-normalised patch."""
    power = np.abs(np.fft.fft2(patch - patch.mean())) ** 2
    cycles = PATCH * np.hypot(np.fft.fftfreq(PATCH)[:, None], np.fft.fftfreq(PATCH)[None])
    named = {
        f"power {low}-{high} cycles": float(np.log(power[(cycles >= low) & (cycles < high)].mean()))
        for low, high in BANDS
    }
    across, along = (np.diff(patch, axis=axis).std() for axis in (0, 1))
    named |= {"mean": float(patch.mean()), "deviation": float(patch.std())}
    named |= {"skewness": float((((patch - patch.mean()) / (patch.std() + 1e-6)) ** 3).mean())}
    named |= {"scan lines": float(np.log((across + 1e-6) / (along + 1e-6)))}
    codes = local_binary_pattern((255 * patch).astype(np.uint8), 8, 1, "uniform")
    shares = np.bincount(codes.astype(int).ravel(), minlength=BINARY_PATTERNS) / codes.size
    return named | {f"binary pattern {i}": float(share) for i, share in enumerate(shares)}


def print_classifier(real: list, made: list) -> dict[str, list[float]]:  # type: ignore[type-arg]
    """Print the AUC of real against simulated patches, and the features that differ most."""
    rng = np.random.default_rng(0)
    rows, labels, groups = [], [], []
    for group, (pixels, retina) in enumerate(real + made):
        shown = normalise_contrast(pixels / np.float32(255), retina)
        for _ in range(PATCHES_AN_IMAGE):
            for _ in range(100):
                row, column = rng.integers(0, np.array(shown.shape) - PATCH)
                window = (slice(row, row + PATCH), slice(column, column + PATCH))
                if retina[window].all():
                    rows.append(features(shown[window]))
                    labels.append(int(group >= len(real)))
                    groups.append(group)
                    break
    names = list(rows[0])
    table = np.array([[row[name] for name in names] for row in rows])
    truth = np.array(labels)
    forest = RandomForestClassifier(300, min_samples_leaf=3, random_state=0)
    chance = cross_val_predict(
        forest, table, truth, groups=groups, cv=GroupKFold(5), method="predict_proba"
    )[:, 1]
    console = Console()
    console.print(f"55°: real against simulated patches, AUC {roc_auc_score(truth, chance):.3f}")
    alone = Table("feature", "AUC alone", "real", "simulated", title="what gives it away")
    aucs = [max(a, 1 - a) for a in (roc_auc_score(truth, column) for column in table.T)]
    for at in np.argsort(aucs)[::-1][:8]:
        medians = (np.median(table[truth == kind, at]) for kind in (0, 1))
        alone.add_row(names[at], f"{aucs[at]:.3f}", *(f"{median:.3f}" for median in medians))
    console.print(alone)
    return {
        kind: [float(np.median(table[truth == label, at])) for at in range(len(BANDS))]
        for label, kind in enumerate(("real", "simulated"))
    }


def draw(path: Path, spectra: dict[str, list[float]], wide: list) -> None:  # type: ignore[type-arg]
    """Draw spectra of 55° patches and radial profiles of ultra-widefield images."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import NullLocator

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    for kind, powers in spectra.items():
        left.plot([(low + high) / 2 for low, high in BANDS], powers, "o-", label=kind)
    left.set(xlabel="cycles in 64 pixels", ylabel="log power", title="55°: texture", xscale="log")
    left.set_xticks([(low + high) / 2 for low, high in BANDS])
    left.xaxis.set_major_formatter("{x:g}")
    left.xaxis.set_minor_locator(NullLocator())
    for kind, images in zip(("real (2 images)", "simulated"), wide, strict=False):
        right.plot(
            [(low + high) / 2 for low, high in RINGS], ring_medians(images), "o-", label=kind
        )
    right.set(
        xlabel="distance from the centre, widths", ylabel="gray level", title="Wide: fall-off"
    )
    for axes in (left, right):
        axes.legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
