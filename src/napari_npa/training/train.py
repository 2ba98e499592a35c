"""Train a network: run lightning on a training set and keep the averaged weights."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import torch

from napari_npa.errors import TrainingError
from napari_npa.io.writing import make_folder, remove_partials, write_json
from napari_npa.models.devices import choose_device, has_fast_bf16
from napari_npa.models.networks import UNet
from napari_npa.models.weights import load_model
from napari_npa.training.config import TrainingConfig
from napari_npa.training.data_module import TrainingDataModule
from napari_npa.training.dataset import LabelledFile
from napari_npa.training.examples import Example, tiles
from napari_npa.training.lightning_apart import (
    Callback,
    EMAWeightAveraging,
    LightningModule,
    ModelCheckpoint,
    Trainer,
    seed_everything,
)
from napari_npa.training.loading import load_examples
from napari_npa.training.module import TrainingModule
from napari_npa.training.run_files import (
    CHECKPOINT,
    SETTINGS,
    Begun,
    Checkpoints,
    load_averaged,
    not_restored,
    read_curve,
    require_same_settings,
    write_curve,
)

Report = Callable[[str], None]
"""Called with a line of text about progress."""


class CurveFile(Callback):
    """Put a row an epoch into the curve and report it."""

    def __init__(self, run: Path, report: Report) -> None:
        self.run, self.report = run, report
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Write loss, held-out Dice and time."""
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        row = {
            "step": trainer.global_step,
            "loss": round(values.get("loss", float("nan")), 5),
            "dice": round(values.get("dice", float("nan")), 5),
            "seconds": round(time.monotonic() - self.started, 1),
        }
        write_curve(self.run, row)
        self.report("  ".join(f"{name} {value}" for name, value in row.items()))


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

    Several processes read the files if there are many. A script that calls this must
    therefore keep its own work under ``if __name__ == "__main__"``.

    Parameters
    ----------
    train, held_out
        Files to learn from, and files of other patients on which progress is measured.
    config
        How to train.
    run
        Folder of this run. With `resume` it continues from the last checkpoint in it.
    device
        'auto', 'cuda', 'mps' or 'cpu'.
    resume
        Continue a run that was interrupted, or start one if there is none.
    report
        Called with a line of text after each epoch.
    examples
        What was already loaded of the files, if several runs share it.

    Returns
    -------
    network
        With averaged weights, in evaluation mode, on the CPU.

    Raises
    ------
    TrainingError
        The folder holds another run and `resume` is not set, or its files are damaged or of
        other settings; or an image lacks the outline that is to be learned.
    """
    checkpoint = run / CHECKPOINT
    resumed = checkpoint.exists()
    if resumed and not resume:
        raise TrainingError(
            run, "already holds a training run", "Add --resume to go on with it, or move it away."
        )
    if config.target == "retina" and not all(file.retina for file in train):
        raise TrainingError(
            "training set",
            "has images whose gradable retina is not outlined",
            "Give folders with masks <stem>_retina.*, as 'napari-npa simulate' writes them.",
        )
    target = choose_device(device)
    if resumed:
        require_same_settings(run, config)
        read_curve(run)  # before hours of work
    make_folder(run)
    remove_partials(run)
    write_json(run / SETTINGS, asdict(config))
    seed_everything(config.seed, verbose=False)
    report(f"{len(train)} images to train on and {len(held_out)} held out")
    if examples is None:
        # Held-out images are scored as they are, without synthetic lesions.
        examples = {
            **load_examples(train, config),
            **load_examples(held_out, replace(config, painted=0)),
        }
    data = TrainingDataModule(
        _shown([example for file in train for example in examples[file]], config, report),
        [examples[file][0] for file in held_out],
        config,
        target,
    )
    module = TrainingModule(config)
    if resumed:
        report(f"going on from {checkpoint}")
    begun = Begun()
    with _quiet_lightning():
        try:
            _trainer(config, run, target, report, begun).fit(
                module,
                datamodule=data,
                ckpt_path=str(checkpoint) if resumed else None,
                weights_only=True,
            )
        except Exception as error:
            if begun.is_so or not resumed:
                raise
            raise not_restored(run, error) from error
    # Not the network in memory: when a finished run is resumed, nothing averages its weights.
    load_averaged(module.network, run)
    network = module.network.eval().cpu()
    if config.start_from is not None:
        blend(network, load_model(config.start_from).network, config.fine_tuned_share)
    return network


def _shown(examples: list[Example], config: TrainingConfig, report: Report) -> list[Example]:
    """Cut examples into tiles, or add them at half their width, if so configured."""
    if config.tile is not None:
        examples = tiles(examples, config.tile)
        report(f"{len(examples)} tiles")
    if config.halved:
        examples = examples + [example.halved() for example in examples]
    return examples


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Hide lightning's remarks on devices, services and its own code."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\.")
        yield


def _trainer(
    config: TrainingConfig, run: Path, device: torch.device, report: Report, begun: Begun
) -> Trainer:
    on_gpu = device.type == "cuda"
    return Trainer(
        accelerator="gpu" if on_gpu else device.type,
        devices=[device.index or 0] if on_gpu else 1,
        precision="bf16-mixed" if has_fast_bf16(device) else "32-true",
        max_epochs=config.epochs,  # not max_steps: with that, lightning resumes an epoch late
        reload_dataloaders_every_n_epochs=1,
        callbacks=[
            EMAWeightAveraging(decay=config.averaging),
            ModelCheckpoint(run, filename=Path(CHECKPOINT).stem, enable_version_counter=False),
            CurveFile(run, report),
            begun,
        ],
        plugins=[Checkpoints()],
        logger=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        num_sanity_val_steps=0,
        benchmark=on_gpu or None,
        log_every_n_steps=config.steps_per_epoch,
    )


def blend(network: UNet, start: UNet, share: float) -> None:
    """Average the weights with those that fine-tuning started from.

    Parameters
    ----------
    network
        Fine-tuned network; changed in place.
    start
        The network before fine-tuning.
    share
        Weight of the fine-tuned network in the average, 0 to 1.
    """
    before = start.state_dict()
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            value.lerp_(before[name], 1 - share)
