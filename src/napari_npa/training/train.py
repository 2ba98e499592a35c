"""Run the recipe on files and keep the weights."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint
from torch.utils.data import DataLoader

from napari_npa.errors import TrainingError
from napari_npa.io.writing import make_folder, write_json
from napari_npa.models.devices import choose_device, has_fast_bf16
from napari_npa.models.networks import UNet
from napari_npa.models.weights import load_model
from napari_npa.training.examples import Example, LabelledFile
from napari_npa.training.reading import read_examples
from napari_npa.training.recipe import Recipe, TrainingConfig
from napari_npa.training.tiles import cut
from napari_npa.training.views import Choice, RandomViews, Sampling, Stock, View, whole_view

Report = Callable[[str], None]

CHECKPOINT = "last.ckpt"
"""Name of the checkpoint that a run resumes from."""

CURVE = "curve.csv"
"""Name of the table with loss, held-out Dice and time."""

SETTINGS = "settings.json"
"""Name of the file that holds the run's configuration."""


class ViewsByEpoch(lightning.LightningDataModule):
    """New views every epoch, numbered through, so that a resumed run draws the same ones."""

    def __init__(
        self,
        train: Sequence[Example],
        held_out: Sequence[Example],
        config: TrainingConfig,
        device: torch.device,
    ) -> None:
        super().__init__()
        # A GPU renders the views itself: no processor keeps up with it.
        self.on_gpu = device.type == "cuda"
        self.stock = Stock(train, device if self.on_gpu else torch.device("cpu"))
        self.held_out, self.config = held_out, config

    def train_dataloader(self) -> DataLoader[Choice]:
        """Views of the epoch that is about to start."""
        config = self.config
        done = (self.trainer.current_epoch if self.trainer else 0) * config.steps_per_epoch
        steps = min(config.steps_per_epoch, config.steps - done)
        views = RandomViews(
            self.stock,
            Sampling(config.view, config.shares),
            config.augmentation,
            seed=config.seed,
            first=done * config.batch_size,
            count=steps * config.batch_size,
        )
        return DataLoader(
            views,
            batch_size=config.batch_size,
            collate_fn=views.rendered,
            # Beside training on the processor, one process draws and renders.
            num_workers=0 if self.on_gpu else 1,
        )

    def val_dataloader(self) -> DataLoader[View]:
        """Each held-out image whole, on its canvas."""
        whole = [whole_view(example) for example in self.held_out]
        return DataLoader(whole, batch_size=1)  # type: ignore[arg-type]


class CurveFile(Callback):
    """Appends a row an epoch to a CSV file and reports it."""

    def __init__(self, path: Path, report: Report) -> None:
        self.path, self.report = path, report
        self.started = time.monotonic()

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Write loss, held-out Dice and time."""
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        row = {
            "step": trainer.global_step,
            "loss": round(values.get("loss", float("nan")), 5),
            "dice": round(values.get("dice", float("nan")), 5),
            "seconds": round(time.monotonic() - self.started, 1),
        }
        is_new = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if is_new:
                writer.writeheader()
            writer.writerow(row)
        self.report("  ".join(f"{name} {value}" for name, value in row.items()))


def training_seconds(run: Path) -> float:
    """Seconds that a run has trained in all, without reading images; stops are no time."""
    with (run / CURVE).open(newline="") as file:
        clock = [float(row["seconds"]) for row in csv.DictReader(file)]
    # The clock starts anew whenever the run is resumed.
    return sum(
        now for now, following in zip(clock, [*clock[1:], 0.0], strict=True) if following < now
    )


def fit(
    train: Sequence[LabelledFile],
    held_out: Sequence[LabelledFile],
    config: TrainingConfig,
    run: Path,
    *,
    device: str = "auto",
    resume: bool = False,
    report: Report = print,
    examples: Mapping[LabelledFile, list[Example]] | None = None,
) -> UNet:
    """Train a network; checkpoints, settings and the curve go to the folder `run`.

    Many files are read by several processes: a script that calls this must keep what it does
    under ``if __name__ == "__main__"``.

    Parameters
    ----------
    train, held_out
        Files to learn from, and files of other patients on which progress is measured.
    run
        Folder of this run. With `resume` it goes on from the last checkpoint in it.
    report
        Called with a line of text now and then.
    examples
        What was read of the files already, when several runs share it.

    Returns
    -------
    network
        With averaged weights, in evaluation mode, on the CPU.

    Raises
    ------
    TrainingError
        The folder holds another run and `resume` is not set, or what is to be learned is not
        outlined.
    """
    checkpoint = run / CHECKPOINT
    if checkpoint.exists() and not resume:
        raise TrainingError(
            run, "already holds a training run", "Add --resume to go on with it, or move it away."
        )
    if config.target == "retina" and not all(file.retina for file in train):
        raise TrainingError(
            "training set",
            "has images whose gradable retina is not outlined",
            "Give folders with masks <stem>_retina.*, as 'napari-npa simulate' writes them.",
        )
    make_folder(run)
    write_json(run / SETTINGS, asdict(config))
    lightning.seed_everything(config.seed, verbose=False)
    report(f"{len(train)} images to train on and {len(held_out)} held out")
    if examples is None:
        # What is only scored is shown as it is.
        examples = {
            **read_examples(train, config),
            **read_examples(held_out, replace(config, painted=0)),
        }
    shown = [example for file in train for example in examples[file]]
    if config.tile is not None:
        shown = cut(shown, config.tile)
        report(f"{len(shown)} tiles")
    if config.halved:
        shown += [example.halved() for example in shown]
    target = choose_device(device)
    data = ViewsByEpoch(shown, [examples[file][0] for file in held_out], config, target)
    trainer = lightning.Trainer(
        accelerator="gpu" if target.type == "cuda" else target.type,
        devices=[target.index or 0] if target.type == "cuda" else 1,
        precision="bf16-mixed" if has_fast_bf16(target) else "32-true",
        max_epochs=config.epochs,  # not max_steps: with that, lightning resumes an epoch late
        reload_dataloaders_every_n_epochs=1,
        callbacks=[
            EMAWeightAveraging(decay=config.averaging),
            ModelCheckpoint(run, filename=Path(CHECKPOINT).stem, enable_version_counter=False),
            CurveFile(run / CURVE, report),
        ],
        logger=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        num_sanity_val_steps=0,
        benchmark=target.type == "cuda" or None,
        log_every_n_steps=config.steps_per_epoch,
    )
    recipe = Recipe(config)
    resumed = str(checkpoint) if checkpoint.exists() else None
    if resumed:
        report(f"going on from {resumed}")
    trainer.fit(
        recipe,
        datamodule=data,
        ckpt_path=resumed,
        weights_only=True,
    )
    # Not the network in memory: when a finished run is resumed, nothing averages its weights.
    load_averaged(recipe.network, run)
    network = recipe.network.eval().cpu()
    if config.start_from is not None:
        blend(network, load_model(config.start_from).network, config.fine_tuned_share)
    return network


def load_averaged(network: UNet, run: Path) -> None:
    """Load the averaged weights of a finished run, in full precision."""
    state = torch.load(run / CHECKPOINT, map_location="cpu", weights_only=True)["state_dict"]
    network.load_state_dict({name.removeprefix("network."): state[name] for name in state})


def blend(network: UNet, start: UNet, share: float) -> None:
    """Move the weights back towards those that fine-tuning began with."""
    before = start.state_dict()
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            value.lerp_(before[name], 1 - share)
