"""Write docs/evidence.md: measure every figure about the embedded weights again.

    python docs/make_evidence.py --ffa55 DIR [--uwfa DIR] [--runs runs] [--only unseen scales]

Needs the runs that ``make weights`` has left in ``runs``. Real images are measured, never shown.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_npa import Segmenter
from napari_npa.analysis.evaluate import compared, markdown_summary
from napari_npa.io.angiogram import read_angiogram
from napari_npa.io.masks import read_mask
from napari_npa.measure.agreement import Agreement, compare, pooled
from napari_npa.models.networks import UNet
from napari_npa.models.weights import load_model
from napari_npa.results.overlay import overlay
from napari_npa.simulation import simulate
from napari_npa.training.cross_validation import (
    THRESHOLD_TABLE,
    Calibration,
    calibration,
    tried_thresholds,
)
from napari_npa.training.dataset import angiograms
from napari_npa.training.run_files import SETTINGS, load_averaged
from napari_npa.training.train import blend
from napari_npa.types import Mask, Mode

DOCS = Path(__file__).parent
WEIGHTS = DOCS.parent / "src" / "napari_npa" / "models" / "weights"

UNSEEN_SEEDS = range(2000, 2050)
"""Simulated eyes that no network was trained on."""

FINE_SEEDS = range(2050, 2070)
FINE_SIDE = 2048
"""Simulated eyes on which both modes are compared, and their size."""

RESOLUTIONS = (1000, 2000)
EXPORTS = ("mean", "lanczos", "bicubic", "bilinear", "box")
"""Sizes at which an angiogram of 4000 pixels is exported, and ways to shrink it."""

FULL_SIDE = 4000
RESOLUTION_SEED = 2003
"""Simulated eye that is exported: one with non-perfusion."""


@dataclass(frozen=True)
class Groups:
    """Real images by kind."""

    labelled: list[Path]
    perfused: list[Path]

    @classmethod
    def of(cls, folder: Path) -> Groups:
        """List the images of the folders ``labelled``, ``normal`` and ``diseased_perfused``."""
        perfused = [*angiograms(folder / "normal"), *angiograms(folder / "diseased_perfused")]
        return cls(angiograms(folder / "labelled"), perfused)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ffa55", type=Path, required=True)
    parser.add_argument("--uwfa", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--only", nargs="+", metavar="SECTION", help="the others stay as they are")
    options = parser.parse_args()
    real = Groups.of(options.ffa55)
    embedded = Segmenter("auto")
    sections: dict[str, Callable[[], str]] = {
        "simulated-only": lambda: simulated_only(options.runs / "simulated.safetensors", real),
        "crossval": lambda: cross_validation(options.runs / "crossval"),
        "networks": lambda: compared_networks(options.runs / "compare"),
        "networks-small": lambda: compared_small(options.runs / "compare_small"),
        "half": lambda: half_precision(options.runs / "compare_small" / "vgg16", real.labelled),
        "start": lambda: simulated_start(options.runs / "start"),
        "unseen": lambda: unseen_simulated(embedded),
        "scales": two_scales,
        "resolutions": lambda: resolutions(embedded, options.uwfa),
        "realism": lambda: realism(options.ffa55, options.uwfa),
        "published": lambda: published(options.runs / "crossval"),
    }
    page = DOCS / "evidence.md"
    if options.only:
        before = sections_of(page.read_text("utf-8"))
        measured = [sections[name]() for name in options.only]
        parts = [*(before | sections_of("\n".join(measured))).values()]
    else:
        parts = [HEAD, *(measure() for measure in sections.values())]
    page.write_text("\n".join(parts), "utf-8")
    print(f"wrote {page}")


def sections_of(page: str) -> dict[str, str]:
    """Split a page by its headings; the part before the first heading has the key ''."""
    first, *others = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    named = {part.partition("\n")[0]: part.rstrip("\n") + "\n" for part in others}
    return ({"": first.rstrip("\n") + "\n"} if first.strip() else {}) | named


HEAD = """# Evidence

Written by `docs/make_evidence.py` (`make evidence`). What was trained on what: the
[model card](models/whole.md). Dice compares the masks of the command line at the images' own size
with the graders'; *flagged* is the share of a perfused eye's gradable retina called non-perfused.
The graders' outlines are rough by a few pixels and not exhaustive, and twelve images of ten
patients are few: differences of 0.03 mean little.
"""


def table(path: Path) -> list[dict[str, str]]:
    """Read the rows of a CSV file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def simulated_only(weights: Path, real: Groups) -> str:
    """Score weights that have seen no real image on all real images."""
    segmenter = Segmenter("auto", weights)
    counts = [agreement(segmenter, path) for path in real.labelled]
    flagged = [agreement(segmenter, path, empty=True).flagged for path in real.perfused]
    return f"""## Trained on simulated images only

On all {len(counts)} labelled real images, none of which it saw, at threshold 0.5: mean Dice
{fmean(c.dice for c in counts):.3f}, pooled {pooled(counts).dice:.3f}; of {len(flagged)} perfused
eyes {fmean(flagged):.2%} flagged (worst {max(flagged):.1%}).
"""


def agreement(segmenter: Segmenter, path: Path, *, empty: bool = False) -> Agreement:
    """Compare one real image with its annotation."""
    result = segmenter.segment(path, threshold=0.5)
    truth = np.zeros_like(result.npa) if empty else annotated(path)
    return compare(result.npa, truth, result.retina | truth)


def annotated(path: Path) -> Mask:
    """Read the graders' mask beside a labelled real image."""
    return read_mask(path.with_name(f"{path.stem}_npa.png"))


def cross_validation(folder: Path) -> str:
    """Score fine-tuned networks on patients that they have not seen."""
    chosen = calibration(folder)
    rows = table(folder / "labelled.csv")
    flagged = [float(row["isi_predicted_percent"]) for row in table(folder / "perfused.csv")]
    by_image = "\n".join(
        f"| {row['image']} | {row['group']} | {float(row['dice']):.3f} "
        f"| {float(row['isi_annotated_percent']):.1f} "
        f"| {float(row['isi_predicted_percent']):.1f} |"
        for row in rows
    )
    summary = (folder / "labelled.md").read_text("utf-8")
    return f"""## Fine-tuned on real images: cross-validation by patient

Five networks, each fine-tuned without a fifth of the patients and scored on those. At threshold
{chosen.threshold}, chosen on these scores, which flatters them a little:

{summary}
Perfused eyes: {fmean(flagged):.2f} % flagged on average, worst {max(flagged):.1f} %.

What each threshold would have given:

| threshold | mean Dice | pooled Dice | perfused eyes flagged |
|---|---|---|---|
{threshold_rows(folder)}

| image | held out in | Dice | annotated % | found % |
|---|---|---|---|---|
{by_image}
"""


ENCODERS = {"vgg16": "VGG-UNet", "resnet34": "ResNet-UNet", "plain": "U-Net"}
"""Networks compared by ``make compare``, as the method's paper calls them."""


def compared_networks(runs: Path) -> str:
    """Compare the encoders that ``make compare`` has trained from random weights."""
    tried = {encoder: calibration(folder) for encoder, folder in run_encoders(runs).items()}
    if not tried:
        return ""
    quoted = json.loads((WEIGHTS / "whole.json").read_text("utf-8"))["cross_validation"]
    pretrained = Calibration(**quoted)
    scores = [
        f"| {ENCODERS[encoder]} | {published_scores(runs / encoder)} |"
        for encoder in tried
        if (runs / encoder / "labelled.csv").exists()
    ]
    return "\n".join(
        [
            COMPARED,
            f"| network, start | {CELL_HEADS}",
            *(
                f"| {ENCODERS[encoder]}, random weights {cells(one)}"
                for encoder, one in tried.items()
            ),
            f"| VGG-UNet, simulated images first {cells(pretrained)}",
            "",
            *remarks(tried, pretrained),
            "",
            f"| from random weights | {SCORE_HEADS} |",
            "|---|---|---|---|---|",
            *scores,
            "",
        ]
    )


def compared_small(runs: Path) -> str:
    """Compare the encoders that ``make compare-small`` has trained, at one threshold."""
    rows = [
        f"| {ENCODERS[encoder]} {cells(at_half(folder))}"
        for encoder, folder in run_encoders(runs).items()
    ]
    if not rows:
        return ""
    return "\n".join([COMPARED_SMALL, f"| network | {CELL_HEADS}", *rows, ""])


def run_encoders(folder: Path) -> dict[str, Path]:
    """Find the encoders whose cross-validation is in a folder, and its subfolder."""
    return {
        encoder: folder / encoder
        for encoder in ENCODERS
        if (folder / encoder / THRESHOLD_TABLE).exists()
    }


def remarks(tried: dict[str, Calibration], pretrained: Calibration) -> list[str]:
    """Say which encoders were not trained, and what the simulated start is worth."""
    missing = [name for encoder, name in ENCODERS.items() if encoder not in tried]
    lines = [f"{name}: not measured at this size." for name in missing]
    if random := tried.get("vgg16"):
        lines.append(
            "For VGG-UNet the start on simulated images is worth "
            f"{pretrained.mean_dice - random.mean_dice:+.3f} of mean Dice and "
            f"{pretrained.pooled_dice - random.pooled_dice:+.3f} of pooled."
        )
    return lines


COMPARED = """## Networks compared, and what pre-training is worth

The same cross-validation, views and images for each encoder (`make compare`): 1000 steps from
random weights, four views of ten of simulated images. And the recipe of the embedded weights: the
same steps, after 3500 on simulated images alone. Each at the best threshold at which few perfused
eyes are flagged:
"""

COMPARED_SMALL = """## Networks compared on a processor

All three with a simulated start, in the same five folds (`make compare-small`): 160 steps of four
views of 256 pixels after 800 on simulated images alone. So short a training shows which encoder
learns fast rather than how far each would come, and all flag far too much of perfused eyes, some at
every threshold. Each at threshold 0.5:
"""


STARTS = {"random": "random weights", "pretrained": "simulated images first"}
"""Cross-validations of ``make start``, and what their networks start from."""


def simulated_start(runs: Path) -> str:
    """Compare fine-tuning with and without a start on simulated images, if it was run."""
    if not all((runs / name / THRESHOLD_TABLE).exists() for name in STARTS):
        return ""
    tried = {name: calibration(runs / name) for name in STARTS}
    rows = [
        f"| {STARTS[name]} {cells(one)}"
        for name, chosen in tried.items()
        for one in (at_half(runs / name), chosen)
    ]
    gained = tried["pretrained"].mean_dice - tried["random"].mean_dice
    random, pretrained = (
        [float(row["dice"]) for row in table(runs / name / "labelled.csv")] for name in STARTS
    )
    better = sum(after > before for before, after in zip(random, pretrained, strict=True))
    return "\n".join(
        [
            STARTED,
            f"| start | {CELL_HEADS}",
            *rows,
            "",
            f"At the best thresholds the start on simulated images is worth {gained:+.3f} of mean",
            f"Dice, and {better} of the {len(random)} images are found better with it.",
            "",
        ]
    )


STARTED = """## What the simulated start is worth

Twice the same fine-tuning, without any simulated image in it, in the same five folds: from random
weights, and from weights trained on simulated 55° images alone (`make start`). Small enough for a
processor: a U-Net of few channels, 250 steps of 8 views of 256 pixels after 1000 on simulated ones.
So short a training is not the end of what random weights can learn. Each at threshold 0.5, and at
the best one at which few perfused eyes are flagged:
"""


def half_precision(folder: Path, labelled: list[Path]) -> str:
    """Compare weights before and after storage on held-out patients, if these were trained."""
    if not (folder / "labelled.csv").exists():
        return ""
    held_out_in = {row["image"]: row["group"] for row in table(folder / "labelled.csv")}
    full, half, changed = [], [], []
    for fold in sorted(set(held_out_in.values())):
        where = folder / fold.replace(" ", "")
        stored = load_model(where / "weights.safetensors")
        as_trained = replace(stored, network=trained_network(where))
        segmenters = Segmenter("auto", as_trained), Segmenter("auto", stored)
        for path in (path for path in labelled if held_out_in[path.stem] == fold):
            before, after = (segmenter.segment(path).npa for segmenter in segmenters)
            truth = annotated(path)
            full.append(compare(before, truth).dice)
            half.append(compare(after, truth).dice)
            changed.append(np.count_nonzero(before ^ after) / before.size)
    largest = max(abs(before - after) for before, after in zip(full, half, strict=True))
    return f"""## Weights in half precision

Weights are stored in half precision, which halves the package. The five VGG-UNets of the comparison
on a processor, as training left them and as stored, on the {len(full)} images of patients that they
had not seen, at threshold 0.5: mean Dice {fmean(full):.4f} and {fmean(half):.4f}, at most
{largest:.4f} apart on an image; {fmean(changed):.4%} of the pixels change sides.
"""


def trained_network(fold: Path) -> UNet:
    """Load the network of a fold of a cross-validation in full precision, from its checkpoint."""
    run = fold / "run"
    settings = json.loads((run / SETTINGS).read_text("utf-8"))
    # The path in the settings is relative to the folder in which training ran.
    begun = load_model(fold.parent.with_suffix(".safetensors")).network
    network = deepcopy(begun)
    load_averaged(network, run)
    blend(network, begun, settings["fine_tuned_share"])
    return network


def threshold_rows(folder: Path) -> str:
    """Format every second threshold of the cross-validation."""
    return "\n".join(cells(tried) for tried in tried_thresholds(folder)[::2])


def at_half(folder: Path) -> Calibration:
    """Return the scores of a cross-validation at threshold 0.5."""
    return next(tried for tried in tried_thresholds(folder) if tried.threshold == 0.5)


CELL_HEADS = """threshold | mean Dice | pooled Dice | perfused eyes flagged |
|---|---|---|---|---|"""
"""Heads of :func:`cells` after the first column, and the line below them."""


def cells(tried: Calibration) -> str:
    """Format a threshold and its scores as cells of a table."""
    return (
        f"| {tried.threshold} | {tried.mean_dice:.3f} | {tried.pooled_dice:.3f} "
        f"| {tried.perfused_flagged_percent:.2f} % |"
    )


def unseen_simulated(segmenter: Segmenter) -> str:
    """Score the embedded weights on simulated ultra-widefield eyes of unseen seeds."""
    rows, retinas, worst = [], [], (2.0, -1)
    for seed in UNSEEN_SEEDS:
        eye = simulate("uwfa", 1024, seed)
        result = segmenter.segment(eye.pixels)
        rows.append(compared(f"seed {seed}", result.npa, eye.npa, result.retina | eye.retina))
        retinas.append(compare(result.retina, eye.retina).dice)
        worst = min(worst, (rows[-1].agreement.mean_iou, seed))
    picture(segmenter, worst[1], DOCS / "images" / "worst_simulated.png")
    return f"""## Simulated ultra-widefield eyes of unseen seeds

The embedded weights at their own threshold. Gradable retina: Dice {fmean(retinas):.3f}
(worst {min(retinas):.3f}).

{markdown_summary(rows)}
The worst of them (seed {worst[1]}; left as segmented, right with its exact masks):

![Worst of the simulated eyes](images/worst_simulated.png)
"""


def picture(segmenter: Segmenter, seed: int, path: Path) -> None:
    """Draw an eye as segmented and with its exact masks, side by side."""
    eye = simulate("uwfa", 1024, seed)
    result = segmenter.segment(eye.pixels)
    pixels = result.angiogram.pixels
    both = [overlay(pixels, result.npa, result.retina), overlay(pixels, eye.npa, eye.retina)]
    Image.fromarray(np.concatenate(both, axis=1)).resize((1400, 700)).save(path)


def two_scales() -> str:
    """Compare one look at the whole image with two, on the same simulated eyes."""
    lines = []
    eyes = [simulate("uwfa", FINE_SIDE, seed) for seed in FINE_SEEDS]
    modes: tuple[Mode, ...] = ("whole", "two-scale")
    for mode in modes:
        segmenter = Segmenter("auto", mode=mode)
        segmenter.segment(eyes[0].pixels)  # warm
        started = time.perf_counter()
        results = [segmenter.segment(eye.pixels) for eye in eyes]
        seconds = (time.perf_counter() - started) / len(eyes)
        rows = [
            compared(mode, result.npa, eye.npa, result.retina | eye.retina)
            for result, eye in zip(results, eyes, strict=True)
        ]
        counts = [row.agreement for row in rows]
        errors = [
            abs(result.isi - eye.npa.sum() / eye.retina.sum())
            for result, eye in zip(results, eyes, strict=True)
        ]
        lines.append(
            f"| {mode} | {fmean(c.mean_iou for c in counts):.3f} | {pooled(counts).dice:.3f} "
            f"| {100 * fmean(errors):.2f} | {seconds:.2f} |"
        )
    return f"""## One scale or two

{len(eyes)} simulated ultra-widefield eyes of unseen seeds at {FINE_SIDE} pixels, on the machine
that wrote this page. The tile network looks at the whole image, and in the second mode also at
twice that resolution. 55° images are the same in both modes. Two scales are the default; where time
counts for more, choose one.

| mode | mean IoU | pooled Dice | mean error of the index, points | seconds an image |
|---|---|---|---|---|
""" + "\n".join([*lines, ""])


def realism(ffa55: Path, uwfa: Path | None) -> str:
    """Quote the benchmark that distinguishes simulated from real images, and its figure."""
    folders = [str(folder) for folder in sorted(ffa55.iterdir()) if folder.is_dir()]
    figure = DOCS / "images" / "realism.png"
    command = [sys.executable, str(DOCS.parent / "benchmarks" / "realism.py"), "--real55", *folders]
    command += ["--real-uwfa", str(uwfa)] if uwfa is not None else []
    command += ["--figure", str(figure)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return f"""## How real the simulated images look

`benchmarks/realism.py`; the AUC is that of a random forest on texture features of patches, 0.5
when it cannot tell real from simulated:

```
{printed.rstrip()}
```

![Texture spectra and fall-off](images/realism.png)
"""


def resolutions(segmenter: Segmenter, folder: Path | None) -> str:
    """Measure the ischemic index of one picture exported at several sizes, in several ways."""
    eye = simulate("uwfa", FULL_SIDE, RESOLUTION_SEED)
    pictures = {"simulated": eye.pixels}
    if folder is not None:
        for i, path in enumerate(angiograms(folder)):
            pixels = read_angiogram(path).pixels
            pictures[f"real {i + 1}"] = np.rint(255 * pixels).astype(np.uint8)
    lines = []
    for name, levels in pictures.items():
        whole = 100 * segmenter.segment(levels).isi
        for way in EXPORTS:
            smaller = [
                100 * segmenter.segment(exported(levels, side, way)).isi for side in RESOLUTIONS
            ]
            indices = [*smaller, whole]
            listed = " | ".join(f"{isi:.2f}" for isi in indices)
            lines.append(f"| {name} | {way} | {listed} | {max(indices) - min(indices):.2f} |")
    heads = " | ".join(f"{side} px" for side in (*RESOLUTIONS, FULL_SIDE))
    return f"""## Ischemic index and export resolution

Index in percent of one angiogram exported at several sizes, in 8 bits (the real ones have no
masks). *Mean*: each pixel the mean of those it stands for, rounded to even; the others are the
filters of Pillow, which round after the columns and after the rows.

| angiogram | shrunk by | {heads} | largest difference, points |
|---|---|{"---|" * (len(RESOLUTIONS) + 2)}
""" + "\n".join([*lines, ""])


def exported(levels: NDArray[np.uint8], side: int, way: str) -> NDArray[np.uint8]:
    """Shrink a square angiogram to a smaller one of 8 bits."""
    if way == "mean":
        step = len(levels) // side
        means = levels.reshape(side, step, side, step).mean((1, 3))
        return np.asarray(np.rint(means), np.uint8)
    return np.asarray(Image.fromarray(levels).resize((side, side), Image.Resampling[way.upper()]))


def published(folder: Path) -> str:
    """Put the figures of the method's paper beside ours."""
    card = json.loads((WEIGHTS / "whole.json").read_text("utf-8"))
    return f"""## Beside the published figures

**Not the same images**: Li et al. (DOI 10.3760/cma.j.cn115989-20240415-00110) scored 73 private
ultra-widefield angiograms; ours are 12 public 55° frames whose outlines leave vessels out. Five
folds, mean over images for ours ({card["architecture"].split(",")[0]}).

| | {SCORE_HEADS} |
|---|---|---|---|---|
| U-Net, published | 68.97 | 75.67 | 84.82 | 75.68 |
| VGG-UNet, published | 80.53 | 86.29 | 90.11 | 86.29 |
| ResNet-UNet, published | 80.27 | 86.00 | 89.90 | 86.00 |
| VGG-UNet, ours | {published_scores(folder)} |
"""


SCORE_HEADS = "mIoU | mPA | mPrecision | mRecall"


def published_scores(folder: Path) -> str:
    """Average the scores that the paper gives over a cross-validation's images, in percent."""
    rows = table(folder / "labelled.csv")
    names = ("mean_iou", "mean_pixel_accuracy", "mean_precision", "mean_recall")
    return " | ".join(f"{100 * fmean(float(row[name]) for row in rows):.2f}" for name in names)


if __name__ == "__main__":
    main()
