"""The training commands: ``napari-npa train`` and ``napari-npa crossval``."""

# Annotations stay objects here (no `from __future__ import annotations`): options are passed
# on from one function to another, and typer reads them off the result.
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from napari_npa.cli.options import Device
from napari_npa.errors import NpaError

if TYPE_CHECKING:
    from napari_npa.training.config import TrainingConfig
    from napari_npa.training.dataset import LabelledFile

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
    Literal["default", "tile", "published", "retina"],
    typer.Option(
        help="Recipe to begin with: ours, that of the network for parts of images, that of Li et "
        "al., or that of the network which finds the gradable retina of ultra-widefield images."
    ),
]
Encoder = Annotated[
    Literal["vgg16", "plain", "narrow", "resnet34"] | None,
    typer.Option(
        help="VGG-UNet, plain U-Net, one of few channels, or ResNet-UNet; the preset's own if "
        "not given."
    ),
]
Steps = Annotated[int | None, typer.Option(min=1, help="Optimiser steps.")]
StepsPerEpoch = Annotated[
    int | None, typer.Option(min=1, help="Steps between two checkpoints and validations.")
]
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
Painted = Annotated[
    int | None,
    typer.Option(min=0, help="Diseased variants painted of each perfused 55° angiogram."),
]
Seed = Annotated[int, typer.Option(min=0, help="Same seed, same training.")]


def _require_training() -> None:
    try:
        import lightning  # noqa: F401
    except ImportError as error:
        raise NpaError(
            "training",
            f"needs a package that is not installed ({error.name})",
            "Run: pip install 'napari-npa[train]'",
        ) from error


def _files(
    images: Images = None,
    masks: Masks = None,
    perfused: Perfused = None,
    simulated: Simulated = None,
    patient_pattern: PatientPattern = r"patient\d+",
) -> "list[LabelledFile]":
    """All files of the training set."""
    from napari_npa.training.dataset import gather_files

    if (images is None) != (masks is None):
        raise typer.BadParameter("go together", param_hint="--images and --masks")
    return gather_files(images, masks, perfused or (), simulated or (), patient_pattern)


def _config(
    preset: Preset = "default",
    encoder: Encoder = None,
    steps: Steps = None,
    steps_per_epoch: StepsPerEpoch = None,
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
    painted: Painted = None,
    seed: Seed = 0,
) -> "TrainingConfig":
    """Preset with the options that were given; `None` leaves the preset's own value."""
    from napari_npa.training.config import preset_config

    canvases = {"55": canvas_55, "uwfa": canvas_uwfa}
    changes = {
        "steps": steps,
        "steps_per_epoch": steps_per_epoch,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "view": view,
        "tile": tile,
        "cross_entropy_share": cross_entropy_share,
        "class_weight": class_weight,
        "segment_share": segment_share,
        "imagenet": imagenet,
        "start_from": start_from,
        "fine_tuned_share": fine_tuned_share,
        "frozen": frozen,
        "painted": painted,
        "seed": seed,
    }
    return preset_config(
        preset,
        encoder=encoder,
        canvases={view: side for view, side in canvases.items() if side is not None},
        changes={name: value for name, value in changes.items() if value is not None},
    )


def _with_files_and_config(command: Callable[..., None]) -> Callable[..., None]:
    """Replace a command's `files` and `config` by the options that they are made from."""
    sources: dict[str, Callable[..., object]] = {"files": _files, "config": _config}
    options = {name: inspect.signature(make).parameters for name, make in sources.items()}

    def run(**given: Any) -> None:  # noqa: ANN401 - whatever typer has parsed
        _require_training()
        made = {
            name: make(**{option: given.pop(option) for option in options[name]})
            for name, make in sources.items()
        }
        command(**given, **made)

    own = inspect.signature(command).parameters
    parameters = [
        *(own[name] for name in own if name not in sources),
        *(parameter for group in options.values() for parameter in group.values()),
    ]
    # What typer reads: the names, defaults and annotations of the options.
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    )
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _weights_file(path: Path) -> Path:
    if path.suffix != ".safetensors":
        raise typer.BadParameter("must end in .safetensors", param_hint="--output")
    return path


@_with_files_and_config
def train(
    files: "list[LabelledFile]",
    config: "TrainingConfig",
    output: Annotated[
        Path,
        typer.Option(help="Weights to write: a .safetensors file.", callback=_weights_file),
    ],
    held_out: Annotated[
        list[str] | None,
        typer.Option(help="Patient (or image) to score on, not to train on; wildcards allowed."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=0.99,
            help="Threshold stored with the weights; calibrated with --crossval, else 0.5.",
        ),
    ] = None,
    threshold_uwfa: Annotated[
        float | None,
        typer.Option(min=0.01, max=0.99, help="For ultra-widefield images, where it differs."),
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
    resume: Annotated[bool, typer.Option(help="Go on from the run's last checkpoint.")] = False,
    run: Annotated[
        Path | None, typer.Option(help="Folder for checkpoints; beside the output if not given.")
    ] = None,
) -> None:
    """Train a network on labelled, perfused and simulated angiograms, split by patient."""
    from napari_npa.training.dataset import split_by_patient
    from napari_npa.training.train_and_score import train_and_score

    training, scoring = split_by_patient(files, held_out or ())
    card = train_and_score(
        training,
        scoring,
        config,
        output,
        run or output.with_suffix(".run"),
        threshold=threshold,
        threshold_uwfa=threshold_uwfa,
        crossval=crossval,
        attribution=attribution,
        device=device,
        resume=resume,
        report=_report,
    )
    console.print(f"Weights: {output}\nCard: {card}", highlight=False)


@_with_files_and_config
def crossval(
    files: "list[LabelledFile]",
    config: "TrainingConfig",
    output: Annotated[Path, typer.Option(help="Folder for the tables and each fold's weights.")],
    folds: Annotated[int, typer.Option(min=2, help="Number of folds.")] = 5,
    device: Device = "auto",
) -> None:
    """Train and score in folds: each patient is judged by a network that never saw them.

    Interrupted, the same command goes on where it stopped.
    """
    from napari_npa.analysis.evaluate import markdown_summary
    from napari_npa.io.writing import make_folder
    from napari_npa.training.cross_validation import cross_validate

    make_folder(output)
    rows = cross_validate(files, config, output, folds=folds, device=device, report=_report)
    console.print(markdown_summary(rows), highlight=False, markup=False)
    console.print(f"Tables and weights: {output}", highlight=False)


def _report(line: str) -> None:
    console.print(line, highlight=False, markup=False)
