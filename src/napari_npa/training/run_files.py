"""Files of a training run: the checkpoint that it goes on from, its settings, and its curve."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from napari_npa.errors import NpaError, TrainingError
from napari_npa.io.texts.ordinary import ordinary_bytes
from napari_npa.io.texts.spreadsheets import Sheet, number, read_sheet, whole_number
from napari_npa.io.texts.tables import csv_text
from napari_npa.io.writing import atomic, json_text, write_text
from napari_npa.models.networks import UNet
from napari_npa.training.config import TrainingConfig
from napari_npa.training.lightning_apart import Callback, TorchCheckpointIO, Trainer

CHECKPOINT = "last.ckpt"
"""Name of the checkpoint that a run resumes from."""

CURVE = "curve.csv"
"""Name of the table with loss, held-out Dice and time."""

SETTINGS = "settings.json"
"""Name of the file that holds the run's configuration."""

MOST_BYTES = 2**24
"""Size of settings and curve."""

COLUMNS = ("step", "loss", "dice", "seconds")
"""Of the curve."""

_ELSEWHERE = "Move the run's folder away, and train again."


class Checkpoints(TorchCheckpointIO):
    """Writes a checkpoint whole or not at all, and reads it with our errors.

    Lightning's own way goes through the folder for temporary files, and on from there byte by byte
    if that is on another disk: a kill meanwhile took the checkpoint.
    """

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | Path,
        storage_options: Any = None,  # noqa: ANN401 - of the base class
    ) -> None:
        """Write a checkpoint in the place of the last one."""
        with atomic(path) as partial:
            torch.save(checkpoint, partial)

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Any = None,  # noqa: ANN401 - of the base class
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint, without running code from it."""
        return _loaded(Path(path))


class Begun(Callback):
    """Knows whether training has begun: until then, a run is only restored."""

    is_so = False

    def on_train_start(self, trainer: Trainer, module: object) -> None:
        """Note that it has."""
        self.is_so = True


def not_restored(run: Path, error: Exception) -> NpaError:
    """The error for a run that cannot go on from its checkpoint."""
    if isinstance(error, NpaError):
        return error
    return TrainingError(
        run / CHECKPOINT, f"is not of this training run, or is damaged ({_said(error)})", _ELSEWHERE
    )


def load_averaged(network: UNet, run: Path) -> None:
    """Load the averaged weights of a finished run, in full precision.

    Raises
    ------
    TrainingError
        The checkpoint is damaged, or training went astray.
    """
    state = _loaded(run / CHECKPOINT)
    try:
        network.load_state_dict(
            {name.removeprefix("network."): value for name, value in state["state_dict"].items()}
        )
    except (AttributeError, KeyError, TypeError, RuntimeError) as error:
        raise not_restored(run, error) from error
    if not all(torch.isfinite(value).all() for value in network.state_dict().values()):
        raise TrainingError(
            run,
            "ended with weights that are not numbers",
            "Train again with a lower --learning-rate.",
        )


def require_same_settings(run: Path, config: TrainingConfig) -> None:
    """Refuse to go on with a run under settings that it was not begun with.

    Raises
    ------
    TrainingError
        They differ, or cannot be read.
    """
    path = run / SETTINGS
    try:
        begun = json.loads(ordinary_bytes(path, MOST_BYTES))
        if not isinstance(begun, dict):
            raise ValueError("it is no object")
    except FileNotFoundError:
        return
    except (OSError, ValueError, RecursionError) as error:
        raise TrainingError(path, f"cannot be read ({_said(error)})", _ELSEWHERE) from error
    wanted = json.loads(bytes(json_text(asdict(config))))
    for name, value in wanted.items():
        if name in begun and begun[name] != value:
            raise TrainingError(
                run,
                f"was begun with other settings ({name}: {str(begun[name])[:60]}, not {value})",
                "Give the same ones, or another folder with --run.",
            )


def read_curve(run: Path) -> list[list[str]]:
    """Rows of the curve, in the order of :data:`COLUMNS`; none where there is no file.

    Raises
    ------
    TrainingError
        It is damaged.
    """
    sheet = _curve(run, ("step", "seconds"))
    if sheet is None:
        return []
    return [[line.cells.get(name, "") for name in COLUMNS] for line in sheet.lines]


def write_curve(run: Path, row: dict[str, float]) -> None:
    """Put a row at the end of the curve, in the place of what comes after the last checkpoint."""
    earlier = [old for old in read_curve(run) if whole_number(old[0]) < row["step"]]
    write_text(run / CURVE, csv_text(COLUMNS, [*earlier, [row[name] for name in COLUMNS]]))


def training_seconds(run: Path) -> float | None:
    """Sum the seconds that a run has trained, without reading images and without pauses.

    None where that is not known: the curve is absent, damaged, or lacks rows.
    """
    try:
        sheet = _curve(run, ("step", "seconds"))
    except TrainingError:
        return None
    if sheet is None or not _is_complete(
        [whole_number(line.cells["step"]) for line in sheet.lines]
    ):
        return None
    clock = [number(line.cells["seconds"], ".") for line in sheet.lines]
    # The clock starts at zero again whenever the run is resumed.
    return sum(
        now for now, following in zip(clock, [*clock[1:], 0.0], strict=True) if following < now
    )


def _is_complete(steps: list[int]) -> bool:
    """Whether no epoch is missing; the last may be shorter."""
    pauses = [after - before for before, after in pairwise([0, *steps])]
    return bool(pauses) and all(0 < pause == pauses[0] for pause in pauses[:-1])


def _curve(run: Path, columns: tuple[str, ...]) -> Sheet | None:
    path = run / CURVE
    try:
        sheet = read_sheet(ordinary_bytes(path, MOST_BYTES), columns)
        for line in sheet.lines:
            whole_number(line.cells["step"])
            number(line.cells["seconds"], ".")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise TrainingError(
            path,
            f"is damaged ({_said(error)})",
            "Move it away, and go on: only losses and times are lost.",
        ) from error
    return sheet


def _loaded(path: Path) -> dict[str, Any]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict):
            raise ValueError("it is no checkpoint")
    except Exception as error:  # a damaged file leads torch.load to errors of any kind
        raise TrainingError(path, f"is damaged ({_said(error)})", _ELSEWHERE) from error
    return state


def _said(error: Exception) -> str:
    """The beginning of what an error says; torch's go on for paragraphs."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:120].rstrip(".")
