"""Cross-validation by patient: each is scored by a network that has not seen them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean

import numpy as np

from napari_npa.analysis.evaluate import Compared, compared, write_evaluation
from napari_npa.errors import TrainingError
from napari_npa.io.masks import read_mask
from napari_npa.io.texts.ordinary import ordinary_bytes
from napari_npa.io.texts.spreadsheets import Line, number, read_sheet
from napari_npa.io.texts.tables import csv_text, figure
from napari_npa.io.writing import write_text
from napari_npa.measure.agreement import Agreement, compare, pooled
from napari_npa.models.weights import save_model
from napari_npa.segmentation.segmenter import Segmentation, Segmenter
from napari_npa.training.config import TrainingConfig
from napari_npa.training.dataset import LabelledFile
from napari_npa.training.loading import load_examples
from napari_npa.training.train import Report, fit
from napari_npa.types import Mask

THRESHOLD_TABLE = "thresholds.csv"
"""Name of the table with the scores at each threshold."""

COLUMNS = ("threshold", "mean_dice", "pooled_dice", "perfused_flagged_percent")
"""Of that table."""

MOST_BYTES = 2**20
"""Size of that table."""

MOST_FLAGGED_PERCENT = 0.4
"""Share of a perfused eye that may be flagged, on average. Above 0.5 an index misleads, and other
eyes may be flagged more than those on which the threshold is chosen."""

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 19))
"""Probabilities tried as thresholds on the held-out images: 0.05 to 0.90."""


def patient_folds(
    files: Sequence[LabelledFile], count: int, seed: int
) -> list[tuple[list[LabelledFile], list[LabelledFile]]]:
    """Split files into folds by patient; simulated files are always trained on.

    Labelled and perfused patients are distributed separately, so that every fold has its
    share of both.

    Parameters
    ----------
    files
        The training set.
    count
        Number of folds.
    seed
        The same seed gives the same folds.

    Returns
    -------
    folds
        For each fold the files to train on and those to score.

    Raises
    ------
    TrainingError
        Fewer labelled patients than folds.
    """
    fold_of: dict[str, int] = {}
    rng = np.random.default_rng(seed)
    for source in ("labelled", "perfused"):
        patients = sorted({file.patient for file in files if file.source == source})
        if source == "labelled" and len(patients) < count:
            raise TrainingError(
                f"{count} folds",
                f"need as many labelled patients; there are {len(patients)}",
                "Ask for fewer folds.",
            )
        for place, patient in enumerate(rng.permutation(patients)):
            fold_of[str(patient)] = place % count
    folds = []
    for fold in range(count):
        scored = [f for f in files if f.source != "simulated" and fold_of[f.patient] == fold]
        folds.append(([f for f in files if f not in scored], scored))
    return folds


def cross_validate(
    files: Sequence[LabelledFile],
    config: TrainingConfig,
    output: Path,
    *,
    folds: int = 5,
    device: str = "auto",
    report: Report = print,
) -> list[Compared]:
    """Train one network per fold, score it on the fold's patients, and write the tables.

    In a script, call this under ``if __name__ == "__main__"``: see
    :func:`napari_npa.training.train.fit`.

    Parameters
    ----------
    files
        As :func:`napari_npa.training.dataset.gather_files` returns them.
    output
        Folder for ``fold<N>/`` (run and weights), ``labelled.csv`` and ``.md``,
        ``perfused.csv`` and ``.md``, and ``thresholds.csv``. Folds that already have
        weights are not trained again.
    folds
        Number of folds.
    device
        'auto', 'cuda', 'mps' or 'cpu'.
    report
        Called with a line of text about each fold and epoch.

    Returns
    -------
    rows
        One for each labelled image, at the threshold of :func:`calibration`.

    Raises
    ------
    TrainingError
        Too few patients, or an image that cannot be trained on.
    SaveError
        A file could not be written.
    """
    # Loaded once for all folds, and not at all if they already have weights.
    load = cache(lambda: load_examples(files, config))
    scored = []
    for fold, (train, held_out) in enumerate(patient_folds(files, folds, config.seed), start=1):
        report(f"fold {fold} of {folds}: held out {', '.join(_patients(held_out))}")
        weights = output / f"fold{fold}" / "weights.safetensors"
        if not weights.exists():
            run = output / f"fold{fold}" / "run"
            network = fit(
                train,
                held_out,
                config,
                run,
                device=device,
                resume=True,
                report=report,
                examples=load(),
            )
            save_model(
                weights,
                network,
                canvases=config.canvases,
                threshold=0.5,
                target=config.target,
            )
        scored.append((f"fold {fold}", Segmenter(device, weights), held_out))
    write_text(output / THRESHOLD_TABLE, _threshold_table(_counts_by_threshold(scored)))
    threshold = calibration(output).threshold
    rows: dict[str, list[Compared]] = {"labelled": [], "perfused": []}
    # Segmented again rather than kept, because the probabilities of large images fill the memory.
    for name, segmenter, held_out in scored:
        for file in held_out:
            result, truth, region = predicted_and_true(segmenter, file)
            npa = result.at_threshold(threshold).npa
            rows[file.source].append(compared(file.image.stem, npa, truth, region, name))
    for source, compared_rows in rows.items():
        if compared_rows:
            write_evaluation(output / f"{source}.csv", compared_rows)
    return rows["labelled"]


Fold = tuple[str, Segmenter, list[LabelledFile]]
"""Name, network, and the files that it has not seen."""


def _counts_by_threshold(folds: Sequence[Fold]) -> dict[str, dict[float, list[Agreement]]]:
    """Compare every held-out image at every threshold, by source."""
    counts: dict[str, dict[float, list[Agreement]]] = {
        source: {threshold: [] for threshold in THRESHOLDS} for source in ("labelled", "perfused")
    }
    for _, segmenter, held_out in folds:
        for file in held_out:
            result, truth, region = predicted_and_true(segmenter, file)
            for threshold, listed in counts[file.source].items():
                listed.append(compare(result.at_threshold(threshold).npa, truth, region))
    return counts


def predicted_and_true(segmenter: Segmenter, file: LabelledFile) -> tuple[Segmentation, Mask, Mask]:
    """Segment a file, read its annotation, and tell where both are compared.

    Returns
    -------
    result
        Of the segmenter.
    truth : (rows, columns) bool
        Annotated non-perfusion.
    region : (rows, columns) bool
        The gradable retina, and whatever else is annotated.
    """
    result = segmenter.segment(file.image)
    shape = result.retina.shape
    truth = np.zeros(shape, np.bool_) if file.mask is None else read_mask(file.mask, shape)
    return result, truth, result.retina | truth


@dataclass(frozen=True)
class Calibration:
    """A threshold and its scores on patients that the networks have not seen.

    The threshold is chosen on the same images, so the scores flatter it a little.
    """

    threshold: float
    mean_dice: float
    pooled_dice: float
    perfused_flagged_percent: float | None


def calibration(folder: Path) -> Calibration:
    """Choose the threshold of a finished cross-validation with the highest mean plus pooled Dice.

    Thresholds at which more than :data:`MOST_FLAGGED_PERCENT` of perfused eyes is flagged are
    passed over, unless there is no other. Raises the errors of :func:`tried_thresholds`.
    """
    tried = tried_thresholds(folder)
    clean = [c for c in tried if (c.perfused_flagged_percent or 0) <= MOST_FLAGGED_PERCENT]
    return max(clean or tried, key=lambda c: c.mean_dice + c.pooled_dice)


def tried_thresholds(folder: Path) -> list[Calibration]:
    """Read the scores at each threshold of a finished cross-validation.

    Raises
    ------
    TrainingError
        The folder holds no finished cross-validation.
    """
    path = folder / THRESHOLD_TABLE
    try:
        sheet = read_sheet(ordinary_bytes(path, MOST_BYTES), COLUMNS)
        mark = sheet.decimal_mark(COLUMNS)
        tried = [_calibration(line, mark) for line in sheet.lines]
    except OSError as error:
        raise TrainingError(
            folder,
            f"holds no finished cross-validation ({error.strerror})",
            "Run 'napari-npa crossval' first.",
        ) from error
    except ValueError as error:
        raise TrainingError(
            path, f"is damaged: it {error}", "Run 'napari-npa crossval' again; it is soon done."
        ) from error
    if not tried:
        raise TrainingError(path, "has no rows", "Run 'napari-npa crossval' again.")
    return tried


def _calibration(line: Line, mark: str) -> Calibration:
    values = {
        name: number(text, mark) if (text := line.cells[name].strip()) else None for name in COLUMNS
    }
    threshold, mean_dice, pooled_dice, flagged = (values[name] for name in COLUMNS)
    shares = (threshold, mean_dice, pooled_dice)
    if any(value is None or not 0 <= value <= 1 for value in shares) or not threshold:
        raise ValueError(f"has a value in line {line.number} that cannot be")
    return Calibration(threshold, mean_dice or 0.0, pooled_dice or 0.0, flagged)


def _patients(files: Sequence[LabelledFile]) -> list[str]:
    return sorted({file.patient for file in files if file.source == "labelled"})


def _threshold_table(by_threshold: dict[str, dict[float, list[Agreement]]]) -> str:
    """Format the scores of the held-out images at each threshold as CSV."""
    rows = []
    for threshold in THRESHOLDS:
        labelled = by_threshold["labelled"][threshold]
        perfused = by_threshold["perfused"][threshold]
        flagged = 100 * fmean(c.flagged for c in perfused) if perfused else None
        mean_dice = fmean(c.dice for c in labelled)
        dice = figure(mean_dice, ".4f"), figure(pooled(labelled).dice, ".4f")
        rows.append([threshold, *dice, figure(flagged, ".3f")])
    return csv_text(COLUMNS, rows)
