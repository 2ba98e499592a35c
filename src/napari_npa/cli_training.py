"""The training commands: ``napari-npa train`` and ``napari-npa crossval``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from napari_npa.errors import NpaError

if TYPE_CHECKING:
    from napari_npa.training.recipe import TrainingConfig

console = Console(soft_wrap=True)

Images = Annotated[Path | None, typer.Option(help="Folder of labelled angiograms.")]
Masks = Annotated[Path | None, typer.Option(help="Their masks, <stem>_npa.*.")]
Perfused = Annotated[
    list[Path] | None, typer.Option(help="Folder of angiograms without non-perfusion.")
]
Simulated = Annotated[
    list[Path] | None, typer.Option(help="Folder written by 'napari-npa simulate'.")
]
PatientPattern = Annotated[
    str, typer.Option(help="Regular expression that finds the patient in a file name.")
]
Preset = Annotated[
    Literal["default", "published"],
    typer.Option(help="Recipe to begin with: ours, or that of Li et al."),
]
Encoder = Annotated[
    Literal["vgg16", "plain", "resnet34"] | None,
    typer.Option(help="VGG-UNet, plain U-Net or ResNet-UNet; the preset's own if not given."),
]
Steps = Annotated[int | None, typer.Option(min=1, help="Optimiser steps.")]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Views a step.")]
LearningRate = Annotated[float | None, typer.Option(min=0.0, help="Peak rate of Adam.")]
View = Annotated[int | None, typer.Option(min=64, help="Side of a training view, pixels.")]
Tile = Annotated[
    int | None,
    typer.Option(min=64, help="Cut the canvases into tiles of this side, for a tile network."),
]
Canvas55 = Annotated[
    int | None, typer.Option("--canvas-55", min=64, help="Canvas of 55° images, pixels.")
]
CanvasUwfa = Annotated[
    int | None, typer.Option("--canvas-uwfa", min=64, help="Canvas of ultra-widefield images.")
]
CrossEntropyShare = Annotated[
    float | None, typer.Option(min=0, max=1, help="λ of λ·CE + (1-λ)·Dice.")
]
ClassWeight = Annotated[float | None, typer.Option(min=0, help="Weight of non-perfused pixels.")]
SegmentShare = Annotated[
    float | None, typer.Option(min=0, max=1, help="Share of the segment-level loss.")
]
ImageNet = Annotated[bool | None, typer.Option(help="Start from ImageNet weights.")]
StartFrom = Annotated[
    str | None, typer.Option(help="Go on from these weights: an embedded model, or a file.")
]
FineTunedShare = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Weight of the result in its average with --start-from."),
]
Frozen = Annotated[
    float | None, typer.Option(min=0, max=1, help="Share of the steps with a frozen encoder.")
]
Device = Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")]
Seed = Annotated[int, typer.Option(min=0, help="Same seed, same training.")]

PATIENT_PATTERN = r"patient\d+"


def train(
    output: Annotated[Path, typer.Option(help="Weights to write: a .safetensors file.")],
    images: Images = None,
    masks: Masks = None,
    perfused: Perfused = None,
    simulated: Simulated = None,
    patient_pattern: PatientPattern = PATIENT_PATTERN,
    held_out: Annotated[
        list[str] | None,
        typer.Option(help="Patient (or image) to score on, not to train on; wildcards allowed."),
    ] = None,
    preset: Preset = "default",
    encoder: Encoder = None,
    steps: Steps = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    view: View = None,
    tile: Tile = None,
    canvas_55: Canvas55 = None,
    canvas_uwfa: CanvasUwfa = None,
    cross_entropy_share: CrossEntropyShare = None,
    class_weight: ClassWeight = None,
    segment_share: SegmentShare = None,
    imagenet: ImageNet = None,
    start_from: StartFrom = None,
    fine_tuned_share: FineTunedShare = None,
    frozen: Frozen = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=0.99,
            help="Threshold stored with the weights; calibrated with --crossval, else 0.5.",
        ),
    ] = None,
    crossval: Annotated[
        Path | None,
        typer.Option(
            help="Folder of 'napari-npa crossval' of this recipe: for threshold and card."
        ),
    ] = None,
    attribution: Annotated[
        str, typer.Option(help="Licence of the weights and source of the images, for the card.")
    ] = "",
    device: Device = "auto",
    seed: Seed = 0,
    resume: Annotated[bool, typer.Option(help="Go on from the run's last checkpoint.")] = False,
    run: Annotated[
        Path | None, typer.Option(help="Folder for checkpoints; beside the output if not given.")
    ] = None,
) -> None:
    """Train a network on labelled, perfused and simulated angiograms, split by patient."""
    _require_training()
    from napari_npa.training.command import train_and_score
    from napari_npa.training.examples import gather_files, split_by_patient

    if output.suffix != ".safetensors":
        raise typer.BadParameter("must end in .safetensors", param_hint="--output")
    _check_pairs(images, masks)
    files = gather_files(images, masks, perfused or (), simulated or (), patient_pattern)
    training, scoring = split_by_patient(files, held_out or ())
    card = train_and_score(
        training,
        scoring,
        _config(
            preset,
            encoder,
            canvas_55,
            canvas_uwfa,
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            view=view,
            tile=tile,
            cross_entropy_share=cross_entropy_share,
            class_weight=class_weight,
            segment_share=segment_share,
            imagenet=imagenet,
            start_from=start_from,
            fine_tuned_share=fine_tuned_share,
            frozen=frozen,
            seed=seed,
        ),
        output,
        run or output.with_suffix(".run"),
        threshold=threshold,
        crossval=crossval,
        attribution=attribution,
        device=device,
        resume=resume,
        report=_report,
    )
    console.print(f"Weights: {output}\nCard: {card}", highlight=False)


def crossval(
    output: Annotated[Path, typer.Option(help="Folder for the tables and each fold's weights.")],
    images: Images = None,
    masks: Masks = None,
    perfused: Perfused = None,
    simulated: Simulated = None,
    patient_pattern: PatientPattern = PATIENT_PATTERN,
    folds: Annotated[int, typer.Option(min=2, help="Number of folds.")] = 5,
    preset: Preset = "default",
    encoder: Encoder = None,
    steps: Steps = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    view: View = None,
    tile: Tile = None,
    canvas_55: Canvas55 = None,
    canvas_uwfa: CanvasUwfa = None,
    cross_entropy_share: CrossEntropyShare = None,
    class_weight: ClassWeight = None,
    segment_share: SegmentShare = None,
    imagenet: ImageNet = None,
    start_from: StartFrom = None,
    fine_tuned_share: FineTunedShare = None,
    frozen: Frozen = None,
    device: Device = "auto",
    seed: Seed = 0,
) -> None:
    """Train and score in folds: each patient is judged by a network that never saw them.

    Interrupted, the same command goes on where it stopped.
    """
    _require_training()
    from napari_npa.evaluate import markdown_summary
    from napari_npa.results import make_folder
    from napari_npa.training.crossval import cross_validate
    from napari_npa.training.examples import gather_files

    _check_pairs(images, masks)
    make_folder(output)
    rows = cross_validate(
        gather_files(images, masks, perfused or (), simulated or (), patient_pattern),
        _config(
            preset,
            encoder,
            canvas_55,
            canvas_uwfa,
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            view=view,
            tile=tile,
            cross_entropy_share=cross_entropy_share,
            class_weight=class_weight,
            segment_share=segment_share,
            imagenet=imagenet,
            start_from=start_from,
            fine_tuned_share=fine_tuned_share,
            frozen=frozen,
            seed=seed,
        ),
        output,
        folds=folds,
        device=device,
        report=_report,
    )
    console.print(markdown_summary(rows), highlight=False, markup=False)
    console.print(f"Tables and weights: {output}", highlight=False)


def _require_training() -> None:
    try:
        import lightning  # noqa: F401
    except ImportError as error:
        raise NpaError(
            "training",
            f"needs a package that is not installed ({error.name})",
            "Run: pip install 'napari-npa[train]'",
        ) from error


def _check_pairs(images: Path | None, masks: Path | None) -> None:
    if (images is None) != (masks is None):
        raise typer.BadParameter("go together", param_hint="--images and --masks")


def _config(
    preset: Literal["default", "published"],
    encoder: Literal["vgg16", "plain", "resnet34"] | None,
    canvas_55: int | None,
    canvas_uwfa: int | None,
    **chosen: object,
) -> TrainingConfig:
    """Preset with the options that were given; `None` leaves the preset's own value."""
    from napari_npa.training.recipe import preset_config

    canvases = {
        view: side for view, side in (("55", canvas_55), ("uwfa", canvas_uwfa)) if side is not None
    }
    given = {name: value for name, value in chosen.items() if value is not None}
    return preset_config(preset, encoder=encoder, canvases=canvases, changes=given)


def _report(line: str) -> None:
    console.print(line, highlight=False, markup=False)
