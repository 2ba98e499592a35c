"""Predicted masks against annotated ones: a folder at a time, as tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from napari_npa.errors import EvaluationError
from napari_npa.io.masks import find_masks, match_masks, read_mask
from napari_npa.io.names import NPA_ENDING, RETINA_ENDING
from napari_npa.io.texts.tables import csv_text, figure
from napari_npa.io.writing import write_text
from napari_npa.measure.agreement import (
    Agreement,
    BlandAltman,
    Summary,
    compare,
    hausdorff95,
    pooled,
)
from napari_npa.results.truth import REMEDY, of_graders, only_predicted
from napari_npa.types import Mask


@dataclass(frozen=True)
class Compared:
    """Agreement of the predicted and the annotated mask of one image.

    Attributes
    ----------
    image
        Stem of the image's name.
    agreement
        Pixel counts.
    hausdorff95
        Hausdorff distance, 95th percentile, pixels; None when only one of the masks is empty.
    group
        Fold, patient or other group of the image; may be empty.
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
"""Columns of the table, and how each figure is computed."""


def compared(
    image: str, predicted: Mask, annotated: Mask, region: Mask | None = None, group: str = ""
) -> Compared:
    """Compare the two masks of one image, all (rows, columns) bool, inside `region` if given."""
    if region is not None:
        predicted, annotated = predicted & region, annotated & region
    distance = hausdorff95(predicted, annotated)
    return Compared(image, compare(predicted, annotated, region), distance, group)


def evaluate(predictions: str | Path, masks: str | Path) -> list[Compared]:
    """Compare the predicted and annotated masks of two folders.

    Parameters
    ----------
    predictions, masks
        Folders of masks ``<stem>_npa.*`` or ``<stem>.*``, matched by stem. Where a folder holds
        ``<stem>_retina.*``, the masks are compared inside it; the annotated retina takes
        precedence over the predicted one.

    Returns
    -------
    compared
        An entry for each annotated mask, sorted by stem.

    Raises
    ------
    EvaluationError
        A folder holds no mask, an annotated image has no prediction, or an annotation is a
        prediction itself.
    AngiogramError
        A folder or a mask cannot be read, or masks of one image differ in size.
    """
    predictions, masks = Path(predictions), Path(masks)
    annotated, predicted = of_graders(_npa_masks(masks)), _npa_masks(predictions)
    matched = match_masks(annotated, predicted)
    if missing := sorted(annotated.keys() - matched.keys()):
        raise EvaluationError(
            predictions,
            f"has no prediction for {', '.join(missing[:5])}{' …' if len(missing) > 5 else ''}",
            "Segment all annotated images first, or leave them out of the masks.",
        )
    if ours := only_predicted([annotated[stem] for stem in matched]):
        raise EvaluationError(
            masks,
            f"holds '{ours[0].name}', a result of this program that nobody corrected or approved",
            REMEDY,
        )
    own, other = (find_masks(folder, RETINA_ENDING) for folder in (masks, predictions))
    rows = []
    for stem, match in sorted(matched.items()):
        truth = read_mask(annotated[stem])
        found = read_mask(predicted[match], truth.shape)
        retina = own.get(stem) or other.get(match)
        region = None if retina is None else read_mask(retina, truth.shape)
        rows.append(compared(stem, found, truth, region))
    return rows


def write_evaluation(path: Path, rows: Sequence[Compared]) -> Path:
    """Write a CSV file with a row for each image, and the summary as markdown beside it.

    Returns
    -------
    summary
        The markdown file.

    Raises
    ------
    SaveError
        A file could not be written.
    """
    table = csv_text(
        ["image", "group", *COLUMNS],
        (
            [row.image, row.group, *(figure(value(row), ".5g") for value in COLUMNS.values())]
            for row in rows
        ),
    )
    write_text(path, table)
    summary = path.with_suffix(".md")
    write_text(summary, markdown_summary(rows))
    return summary


def markdown_summary(rows: Sequence[Compared]) -> str:
    """Return mean, standard deviation, median and quartiles of every column as markdown."""
    lines = [
        f"{len(rows)} images",
        "",
        "| | mean | SD | median | quartiles |",
        "|---|---|---|---|---|",
    ]
    for name, value_of in COLUMNS.items():
        values = [value for row in rows if (value := value_of(row)) is not None]
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


def _npa_masks(folder: Path) -> dict[str, Path]:
    """Find masks of non-perfusion: ``<stem>_npa.*``, otherwise ``<stem>.*``."""
    found = find_masks(folder, NPA_ENDING) or find_masks(folder)
    if not found:
        raise EvaluationError(
            folder,
            "holds no mask",
            f"Masks are TIFF, PNG or JPEG files named <stem>{NPA_ENDING}.* or <stem>.*",
        )
    return found
