"""Write docs/models/*.md from the cards beside the embedded weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from napari_npa.models.weights import embedded_models

DOCS = Path(__file__).parent
WEIGHTS = DOCS.parent / "src" / "napari_npa" / "models" / "weights"


def main() -> None:
    """Write a page for each card."""
    for path in sorted(WEIGHTS.glob("*.json")):
        page = DOCS / "models" / f"{path.stem}.md"
        page.parent.mkdir(exist_ok=True)
        page.write_text(markdown(json.loads(path.read_text("utf-8"))), "utf-8")
        print(f"wrote {page}")


def markdown(card: dict[str, Any]) -> str:
    """Format a card as a page."""
    training, held_out = card["training"], card["held_out"]
    settings = training["settings"]
    lines = [
        f"# Model card: `{card['name']}`",
        "",
        f"Written by `docs/make_model_card.py` from `{card['name']}.json`. **{card['limits']}**",
        "",
        f"- Architecture: {card['architecture']}; decoder "
        f"{'-'.join(map(str, settings['network']['decoder']))}, first convolution with stride "
        f"{settings['network']['input_stride']}; "
        f"{card['parameters'] / 1e6:.1f} million parameters, "
        "stored in half precision.",
        f"- Canvas, pixels, by field of view: {pairs(card['canvases'])}.",
        f"- Threshold: {card['threshold']}{by_view(card.get('thresholds', {}))}.",
        f"- Trained on: {pairs(training['images'])} images{whose(training['patients'])}.",
        f"- Trained for: {settings['steps']} steps of {settings['batch_size']} views, "
        f"{duration(training['seconds'])} on {training['device']}, from {start(settings)}; "
        "the command is `make weights`.",
        f"- Licence and data: {card['licence']}",
        f"- SHA-256: `{card['sha256']}`",
        f"- Made: {card['created']} with {card['software']}.",
        "",
        *cross_validation(card["cross_validation"]),
        "## Scores on images that these weights never saw",
        "",
        f"Of the command line's masks at the images' own size. *Flagged*: {flagged(card)}.",
        "",
        "| images | how many | mean Dice | pooled Dice | mean flagged |",
        "|---|---|---|---|---|",
    ]
    for source, values in held_out["summary"].items():
        lines.append(
            f"| {source} | {values['images']} | {number(values['mean_dice'])} | "
            f"{number(values['pooled_dice'])} | {values['mean_flagged']:.2%} |"
        )
    lines += ["", "| image | kind | Dice | flagged |", "|---|---|---|---|"]
    lines += [
        f"| {i['image']} | {i['source']} | {number(i['dice'])} | {i['flagged']:.2%} |"
        for i in held_out["images"]
    ]
    return "\n".join(lines) + "\n"


def duration(seconds: float | None) -> str:
    """Format seconds, or minutes if there are several."""
    if seconds is None:
        return "a time not recorded"
    return f"{seconds:.0f} seconds" if seconds < 180 else f"{seconds / 60:.0f} minutes"


def whose(patients: list[str]) -> str:
    """Name the patients of the labelled images."""
    return f"; labelled ones of {', '.join(patients)}" if patients else ""


def flagged(card: dict[str, Any]) -> str:
    """Explain what *flagged* means for the target of the network."""
    if card["training"]["settings"].get("target") == "retina":
        return "share of the image called gradable"
    return "share of the gradable retina called non-perfused"


def start(settings: dict[str, Any]) -> str:
    """Describe the weights that training started from."""
    if settings["start_from"] is None:
        return "random weights"
    if settings["start_from"] in embedded_models():
        return f"the weights [`{settings['start_from']}`]({settings['start_from']}.md)"
    before = "on simulated images only" if "simulated" in settings["start_from"] else "before"
    explained = f"the same network trained {before}; see [training](../training.md)"
    return f"`{settings['start_from']}` ({explained})"


def cross_validation(figures: dict[str, Any] | None) -> list[str]:
    """Format the scores of the recipe by patient, if the weights have seen all patients."""
    if figures is None:
        return []
    return [
        "## Scores on patients that the network never saw",
        "",
        "These weights have learned from all labelled patients. How well the recipe does on "
        "new ones was measured with five networks trained the same way, each without a fifth "
        "of the patients, and scored on those (`make crossval`; tables in "
        "[evidence](../evidence.md)). The threshold was chosen on the same scores, which "
        "flatters them a little.",
        "",
        "| threshold | mean Dice | pooled Dice | perfused eyes flagged |",
        "|---|---|---|---|",
        f"| {figures['threshold']} | {figures['mean_dice']:.3f} | {figures['pooled_dice']:.3f} "
        f"| {figures['perfused_flagged_percent']:.2f} % |",
        "",
    ]


def pairs(values: dict[str, Any]) -> str:
    """Format keys and values in one line."""
    return ", ".join(f"{key} {value}" for key, value in values.items())


def by_view(thresholds: dict[str, float]) -> str:
    """Format the thresholds that differ by field of view, after the common one."""
    return f"; by field of view: {pairs(thresholds)}" if thresholds else ""


def number(value: float | None) -> str:
    """Format a number with three digits, or as a dash."""
    return "–" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
