"""Predicted masks against annotated ones, a folder at a time, as tables."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from statistics import fmean

from napari_npa.errors import EvaluationError
from napari_npa.io.masks import masks_by_stem, read_mask
from napari_npa.io.names import NPA_ENDING, RETINA_ENDING
from napari_npa.io.writing import write_text
from napari_npa.measure.agreement import (
    Agreement,
    BlandAltman,
    Summary,
    compare,
    hausdorff95,
    pooled,
)
from napari_npa.types import Mask

MASK_SUFFIXES = (".tif", ".tiff", ".png")


@dataclass(frozen=True)
class Compared:
    """One image: what was compared and how well it agrees.

    Attributes
    ----------
    image
        Stem of the image's name.
    agreement
        Counts of pixels.
    hausdorff95
        Pixels; None when only one of the masks is empty.
    group
        Fold, patient or whatever the image is grouped by; may be empty.
    """

    image: str
    agreement: Agreement
    hausdorff95: float | None
    group: str = ""

    @property
    def isi_error(self) -> float:
        """Predicted minus annotated ischemic index, percentage points."""
        return 100 * (self.agreement.flagged - self.agreement.annotated)


COLUMNS: dict[str, Callable[[Compared], float | None]] = {
    "dice": lambda c: c.agreement.dice,
    "mean_iou": lambda c: c.agreement.mean_iou,
    "mean_pixel_accuracy": lambda c: c.agreement.mean_recall,
    "mean_precision": lambda c: c.agreement.mean_precision,
    "mean_recall": lambda c: c.agreement.mean_recall,
    "accuracy": lambda c: c.agreement.accuracy,
    "hausdorff95_pixels": lambda c: c.hausdorff95,
    "isi_predicted_percent": lambda c: 100 * c.agreement.flagged,
    "isi_annotated_percent": lambda c: 100 * c.agreement.annotated,
    "isi_error_points": lambda c: c.isi_error,
}
"""Columns of the table, and where their figures come from."""


def compared(
    image: str, predicted: Mask, annotated: Mask, region: Mask | None = None, group: str = ""
) -> Compared:
    """Compare the two masks of one image, inside `region` if given.

    Raises
    ------
    EvaluationError
        The masks differ in size.
    """
    for other in (annotated, region):
        if other is not None and other.shape != predicted.shape:
            raise EvaluationError(
                image,
                f"has masks of {predicted.shape} and {other.shape} pixels",
                "Compare masks of one image at one size.",
            )
    if region is not None:
        predicted, annotated = predicted & region, annotated & region
    distance = hausdorff95(predicted, annotated)
    return Compared(image, compare(predicted, annotated, region), distance, group)


def evaluate_folders(predictions: Path, masks: Path) -> list[Compared]:
    """Compare the masks of two folders that belong to the same images.

    Parameters
    ----------
    predictions, masks
        Folders of masks ``<stem>_npa.*`` or ``<stem>.*``, matched by stem. Where a folder holds
        ``<stem>_retina.*`` (of the annotator first), the comparison is inside it.

    Returns
    -------
    compared
        An entry for each annotated mask, sorted by stem.

    Raises
    ------
    EvaluationError
        A folder is absent or empty, an annotated image has no prediction, or sizes differ.
    """
    predicted, annotated = _masks(predictions), _masks(masks)
    missing = sorted(annotated.keys() - predicted.keys())
    if missing:
        raise EvaluationError(
            predictions,
            f"has no prediction for {', '.join(missing[:5])}{' …' if len(missing) > 5 else ''}",
            "Segment all annotated images first, or leave them out of the masks.",
        )
    regions = {**_endings(predictions, RETINA_ENDING), **_endings(masks, RETINA_ENDING)}
    return [
        compared(
            stem,
            read_mask(predicted[stem]),
            read_mask(annotated[stem]),
            read_mask(regions[stem]) if stem in regions else None,
        )
        for stem in sorted(annotated)
    ]


def write_evaluation(path: Path, rows: Sequence[Compared]) -> Path:
    """Write a row an image to a CSV file, and the summary beside it as markdown.

    Returns
    -------
    summary
        The markdown file.

    Raises
    ------
    SaveError
        A file could not be written.
    """
    table = StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["image", "group", *COLUMNS])
    for row in rows:
        values = (figure(row) for figure in COLUMNS.values())
        writer.writerow([row.image, row.group, *("" if v is None else f"{v:.5g}" for v in values)])
    write_text(path, table.getvalue())
    summary = path.with_suffix(".md")
    write_text(summary, markdown_summary(rows))
    return summary


def markdown_summary(rows: Sequence[Compared]) -> str:
    """Mean, standard deviation, median and quartiles of every column, as a markdown table."""
    lines = [
        f"{len(rows)} images",
        "",
        "| | mean | SD | median | quartiles |",
        "|---|---|---|---|---|",
    ]
    for name, figure in COLUMNS.items():
        values = [value for row in rows if (value := figure(row)) is not None]
        if values:
            s = Summary.of(values)
            low, high = s.quartiles
            lines.append(
                f"| {name} | {s.mean:.3f} | {s.deviation:.3f} | {s.median:.3f} "
                f"| {low:.3f} to {high:.3f} |"
            )
    total = pooled([row.agreement for row in rows])
    bland_altman = BlandAltman.of(
        [100 * row.agreement.flagged for row in rows],
        [100 * row.agreement.annotated for row in rows],
    )
    low, high = bland_altman.limits
    lines += [
        "",
        f"Pooled over all pixels: Dice {total.dice:.3f}, mean IoU {total.mean_iou:.3f}.",
        f"Ischemic index: mean absolute error {fmean(abs(r.isi_error) for r in rows):.2f} points; "
        f"Bland–Altman bias {bland_altman.bias:+.2f} points, "
        f"limits of agreement {low:+.2f} to {high:+.2f}.",
        "",
    ]
    return "\n".join(lines)


def _masks(folder: Path) -> dict[str, Path]:
    """Masks of non-perfusion by image stem; plain names count where none ends in ``_npa``."""
    found = _endings(folder, NPA_ENDING) or {
        stem: path
        for stem, path in _endings(folder, "").items()
        if not stem.endswith((RETINA_ENDING, "_overlay", "_probability"))
    }
    if not found:
        raise EvaluationError(
            folder, "holds no mask", "Masks are TIFF or PNG files named <stem>_npa.* or <stem>.*"
        )
    return found


def _endings(folder: Path, ending: str) -> dict[str, Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise EvaluationError(
            folder, f"cannot be read ({error.strerror})", "Give a folder of masks."
        ) from error
    return masks_by_stem(entries, ending, MASK_SUFFIXES)
