"""The training commands: ``napari-npa train`` and ``napari-npa crossval``."""

# Annotations stay objects here (no `from __future__ import annotations`): a command gets the
# options of several functions, and typer reads their annotations.
import inspect
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer

from napari_npa.cli.options import Device, finite
from napari_npa.cli.terminal import console
from napari_npa.errors import NpaError
from napari_npa.training.config import Preset, TrainingConfig, preset_config

if TYPE_CHECKING:
    from napari_npa.training.dataset import LabelledFile


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
PresetName = Annotated[
    Preset,
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
Canvas55 = Annotated[
    int | None, typer.Option("--canvas-55", min=64, help="Canvas of 55° images, pixels.")
]
CanvasUwfa = Annotated[
    int | None, typer.Option("--canvas-uwfa", min=64, help="Canvas of ultra-widefield images.")
]


def _require_training() -> None:
    try:
        from napari_npa.training import lightning_apart  # noqa: F401
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
    """List all files of the training set."""
    from napari_npa.training.dataset import gather_files

    if (images is None) != (masks is None):
        raise typer.BadParameter("go together", param_hint="--images and --masks")
    return gather_files(images, masks, perfused or (), simulated or (), patient_pattern)


def _config(
    preset: PresetName = "default",
    encoder: Encoder = None,
    canvas_55: Canvas55 = None,
    canvas_uwfa: CanvasUwfa = None,
    **changes: Any,  # noqa: ANN401 - any field of TrainingConfig
) -> TrainingConfig:
    """Apply the options that were given to a preset; `None` keeps the preset's own value."""
    canvases = {"55": canvas_55, "uwfa": canvas_uwfa}
    return preset_config(
        preset,
        encoder=encoder,
        canvases={view: side for view, side in canvases.items() if side is not None},
        changes={name: value for name, value in changes.items() if value is not None},
    )


def _parameters(function: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """Return the named parameters of a function as keyword-only ones."""
    return {
        name: parameter.replace(kind=parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    }


def _settings() -> dict[str, inspect.Parameter]:
    """Make an option of each field of the configuration that has a `Setting`."""
    options = {}
    for field in fields(TrainingConfig):
        if get_origin(field.type) is Annotated:
            kind, setting = get_args(field.type)
            option = typer.Option(
                min=setting.least,
                max=setting.most,
                callback=finite if setting.least is not None else None,
                help=setting.help,
            )
            options[field.name] = inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[kind | None, option],
            )
    return options


def _with_files_and_config(command: Callable[..., None]) -> Callable[..., None]:
    """Replace a command's `files` and `config` by the options from which they are made."""
    for_files, for_config = _parameters(_files), _parameters(_config) | _settings()

    def run(**given: Any) -> None:  # noqa: ANN401 - whatever typer has parsed
        _require_training()
        files = _files(**{name: given.pop(name) for name in for_files})
        config = _config(**{name: given.pop(name) for name in for_config})
        command(files=files, config=config, **given)

    own = _parameters(command)
    del own["files"], own["config"]
    parameters = {**own, **for_files, **for_config}
    # What typer reads: the names, defaults and annotations of the options.
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = inspect.Signature([*parameters.values()])  # type: ignore[attr-defined]
    run.__annotations__ = {name: parameter.annotation for name, parameter in parameters.items()}
    return run


def _weights_file(path: Path) -> Path:
    if path.suffix != ".safetensors":
        raise typer.BadParameter("must end in .safetensors", param_hint="--output")
    return path


@_with_files_and_config
def train(
    files: "list[LabelledFile]",
    config: TrainingConfig,
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
            callback=finite,
            help="Threshold stored with the weights; calibrated with --crossval, else 0.5.",
        ),
    ] = None,
    threshold_uwfa: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=0.99,
            callback=finite,
            help="For ultra-widefield images, where it differs.",
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
    console.print(f"Weights: {output}\nCard: {card}")


@_with_files_and_config
def crossval(
    files: "list[LabelledFile]",
    config: TrainingConfig,
    output: Annotated[Path, typer.Option(help="Folder for the tables and each fold's weights.")],
    folds: Annotated[int, typer.Option(min=2, help="Number of folds.")] = 5,
    device: Device = "auto",
) -> None:
    """Train and score in folds: each patient is scored by a network that has not seen them.

    After an interruption, the same command continues where it stopped.
    """
    from napari_npa.analysis.evaluate import markdown_summary
    from napari_npa.io.writing import make_folder
    from napari_npa.training.cross_validation import cross_validate

    make_folder(output)
    rows = cross_validate(files, config, output, folds=folds, device=device, report=_report)
    console.print(markdown_summary(rows))
    console.print(f"Tables and weights: {output}")


def _report(line: str) -> None:
    console.print(line)
