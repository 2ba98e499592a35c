"""Train, write weights with their model card, and score them on patients they have not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from napari_npa import __version__
from napari_npa.errors import RetinaError
from napari_npa.io.angiogram import read_angiogram
from napari_npa.io.masks import read_mask
from napari_npa.io.writing import make_folder, refuse_link, write_json
from napari_npa.measure.agreement import Agreement, compare, pooled
from napari_npa.models.devices import choose_device, device_name
from napari_npa.models.networks import UNetConfig
from napari_npa.models.weights import Model, header_text, load_model, save_model
from napari_npa.segmentation.retina import find_retina
from napari_npa.segmentation.segmenter import Segmenter
from napari_npa.training.config import TrainingConfig
from napari_npa.training.cross_validation import calibration, predicted_and_true
from napari_npa.training.dataset import LabelledFile
from napari_npa.training.run_files import training_seconds
from napari_npa.training.train import Report, fit

LIMITS = (
    "Research use only; every result must be checked by a person. Scores are of the few held-out "
    "images listed here and say little about other cameras, diseases or populations."
)


def train_and_score(
    train: Sequence[LabelledFile],
    held_out: Sequence[LabelledFile],
    config: TrainingConfig,
    output: Path,
    run: Path,
    *,
    threshold: float | None = None,
    threshold_uwfa: float | None = None,
    crossval: Path | None = None,
    attribution: str = "",
    device: str = "auto",
    resume: bool = False,
    report: Report = print,
) -> Path:
    """Train a network, and write its weights and their card.

    The scores on the card are those of :class:`napari_npa.Segmenter` with the written
    weights on the held-out files at their own size, which is what a user will get.
    Parameters that are not listed here are those of :func:`napari_npa.training.train.fit`.

    Parameters
    ----------
    output
        Weights file to write; the card is the ``.json`` file of the same name beside it.
    threshold
        Stored with the weights; None: calibrated by `crossval`, or 0.5 without it.
    threshold_uwfa
        The same for ultra-widefield images, of which there may be no labelled ones; None:
        `threshold`.
    crossval
        Folder of a cross-validation with the same configuration, quoted on the card: it
        tells how good weights are that learned from all patients.
    attribution
        Licence of the weights and source of the images, for the card.

    Returns
    -------
    path
        The card.

    Raises
    ------
    TrainingError
        The set cannot be trained on, or the run's folder holds another run.
    SaveError
        Weights or card could not be written.
    """
    # Before hours of training, not after:
    make_folder(output.parent)
    for file in (output, output.with_suffix(".json")):
        refuse_link(file)
    quoted = None if crossval is None else calibration(crossval)
    if threshold is None:
        threshold = 0.5 if quoted is None else quoted.threshold
    thresholds = {} if threshold_uwfa is None else {"uwfa": threshold_uwfa}
    header_text(
        config.network,
        canvases=config.canvases,
        threshold=threshold,
        thresholds=thresholds,
        halved=config.halved,
        target=config.target,
    )
    network = fit(train, held_out, config, run, device=device, resume=resume, report=report)
    sha256 = save_model(
        output,
        network,
        canvases=config.canvases,
        threshold=threshold,
        thresholds=thresholds,
        halved=config.halved,
        target=config.target,
    )
    seconds = training_seconds(run)
    scores = score(output, held_out, device=device)
    card: dict[str, Any] = {
        "name": output.stem,
        "sha256": sha256,
        "architecture": f"{type(network).__name__}, outputs: {_outputs(network.config)}",
        "parameters": sum(p.numel() for p in network.parameters()),
        "software": f"napari-npa {__version__}",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "training": {
            "images": _counts(train),
            "patients": sorted({f.patient for f in train if f.source == "labelled"}),
            "seconds": None if seconds is None else round(seconds),
            "device": device_name(choose_device(device)),
            "settings": asdict(config),
        },
        "threshold": threshold,
        "thresholds": thresholds,
        "canvases": config.canvases,
        "held_out": scores,
        "cross_validation": quoted and asdict(quoted),
        "limits": LIMITS,
        "licence": attribution or "not stated",
    }
    path = output.with_suffix(".json")
    write_json(path, card)
    for line in _summary(scores):
        report(line)
    return path


def score(weights: Path, files: Sequence[LabelledFile], *, device: str = "auto") -> dict[str, Any]:
    """Score weights on files, image by image and by source.

    Parameters
    ----------
    weights
        Weights file.
    files
        Images that the weights were not trained on.
    device
        'auto', 'cuda', 'mps' or 'cpu'.

    Returns
    -------
    scores
        ``images``: Dice and share of the retina flagged, for each image. ``summary``: mean
        Dice, pooled Dice and mean share flagged, for each source. Weights for the gradable
        retina are scored on that: its Dice, and its share of the image.
    """
    model = load_model(weights)
    finder = model if model.output == "retina" else Segmenter(device, model)
    images: list[dict[str, Any]] = []
    by_source: dict[str, list[Agreement]] = {}
    for file in files:
        counts = _agreement(finder, file)
        by_source.setdefault(file.source, []).append(counts)
        images.append(
            {
                "image": file.image.stem,
                "patient": file.patient,
                "source": file.source,
                "dice": None if file.mask is None else round(counts.dice, 4),
                "flagged": round(counts.flagged, 5),
            }
        )
    summary = {
        source: {
            "images": len(counts),
            "mean_dice": None if source == "perfused" else round(mean(c.dice for c in counts), 4),
            "pooled_dice": None if source == "perfused" else round(pooled(counts).dice, 4),
            "mean_flagged": round(mean(c.flagged for c in counts), 5),
        }
        for source, counts in by_source.items()
    }
    return {"summary": summary, "images": images}


def _agreement(finder: Segmenter | Model, file: LabelledFile) -> Agreement:
    """Compare the non-perfusion, or the gradable retina, found in a file with its mask."""
    if isinstance(finder, Segmenter):
        result, truth, region = predicted_and_true(finder, file)
        return compare(result.npa, truth, region)
    assert file.retina is not None  # fit requires it of all files
    pixels = read_angiogram(file.image).pixels
    truth = read_mask(file.retina, pixels.shape)
    try:
        found = find_retina(pixels, model=finder).gradable
    except RetinaError:
        found = np.zeros_like(truth)
    return compare(found, truth)


def _outputs(config: UNetConfig) -> str:
    return "non-perfusion, gradable retina" if config.outputs == 2 else "gradable retina"


def _counts(files: Sequence[LabelledFile]) -> dict[str, int]:
    sources = [file.source for file in files]
    return {source: sources.count(source) for source in sorted(set(sources))}


def _summary(scores: dict[str, Any]) -> list[str]:
    return [f"held out, {source}: {values}" for source, values in scores["summary"].items()]
