"""The recipe: what is optimised, and how the learning rate goes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from napari_npa.errors import TrainingError
from napari_npa.imaging.field_of_view import DEFAULT_CANVASES
from napari_npa.models.networks import Encoder, UNetConfig, build
from napari_npa.models.weights import load_model
from napari_npa.training.augmentation import Augmentation
from napari_npa.training.examples import Source
from napari_npa.training.losses import combined_loss
from napari_npa.training.segment_loss import segment_loss
from napari_npa.training.views import View
from napari_npa.types import TARGETS, Target


def _default_shares() -> dict[Source, float]:
    return {"labelled": 0.28, "perfused": 0.12, "painted": 0.2, "simulated": 0.4}


@dataclass(frozen=True)
class TrainingConfig:
    """All that decides a training run besides its images; saved beside the weights.

    Attributes
    ----------
    target
        What is learned: non-perfusion, with the gradable retina beside it, or that alone.
    steps, steps_per_epoch
        Optimiser steps in all, and between two checkpoints and validations.
    batch_size
        Views a step.
    learning_rate, warm_up
        Peak rate of Adam, and the share of the steps over which it rises to it;
        from there it falls to 0 along a cosine.
    frozen
        Share of the steps for which the encoder is kept; only useful with `imagenet`.
    cross_entropy_share, class_weight
        See :func:`napari_npa.training.losses.combined_loss`.
    segment_share
        Share of the segment-level loss in that of non-perfusion, see
        :mod:`napari_npa.training.segment_loss`.
    averaging
        Decay a step of the moving average of the weights, which is what is kept.
    start_from
        Weights to begin with instead of random ones: an embedded model's name, or a file.
    retina_weight
        Weight of the loss of the gradable retina beside that of non-perfusion. It is learned
        from images whose retina is outlined only, so from simulated ones first of all.
    fine_tuned_share
        Share of the fine-tuned weights in their average with those of `start_from` (Wortsman
        et al. 2022, arXiv:2109.01903): what only the first training taught is not all lost.
    painted
        Diseased variants of every perfused 55° eye: see
        :mod:`napari_npa.training.lesion_synthesis`.
    view, canvases
        Side of a training view and of the whole-image canvas by field of view, pixels.
    tile
        Side of the tiles that the canvases are cut into, pixels, for a tile-scale network;
        None: whole images.
    halved
        Show every image on a canvas half as wide too: one network for two scales.
    """

    target: Target = "npa"
    steps: int = 3500
    steps_per_epoch: int = 100
    batch_size: int = 16
    learning_rate: float = 1e-3
    warm_up: float = 0.05
    frozen: float = 0.0
    cross_entropy_share: float = 0.5
    class_weight: float = 2.0
    segment_share: float = 0.0
    averaging: float = 0.99
    retina_weight: float = 0.5
    painted: int = 16
    view: int = 416
    tile: int | None = None
    halved: bool = False
    canvases: dict[str, int] = field(default_factory=lambda: dict(DEFAULT_CANVASES))
    shares: dict[Source, float] = field(default_factory=_default_shares)
    augmentation: Augmentation = field(default_factory=Augmentation)
    network: UNetConfig = field(default_factory=UNetConfig)
    imagenet: bool = False
    start_from: str | None = None
    fine_tuned_share: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse canvases that the network's stages cannot halve evenly."""
        for name, side in {"view": self.view, **self.canvases}.items():
            if side % self.network.multiple:
                raise TrainingError(
                    f"canvas {name}",
                    f"is {side} pixels, not a multiple of {self.network.multiple}",
                    "Choose another side.",
                )

    @property
    def epochs(self) -> int:
        """Number of checkpoints and validations of a full run."""
        return math.ceil(self.steps / self.steps_per_epoch)


def published_config() -> TrainingConfig:
    """Recipe of Li et al. (DOI 10.3760/cma.j.cn115989-20240415-00110), as far as it is stated.

    Whole images at 1024 in pairs, 100 epochs of their 38 images, Adam from 1e-4 along a cosine,
    half of the time with a frozen ImageNet encoder; their augmentations only, no averaging.
    """
    return TrainingConfig(
        steps=1900,
        steps_per_epoch=19,
        batch_size=2,
        learning_rate=1e-4,
        warm_up=0.0,
        frozen=0.5,
        averaging=0.0,
        painted=0,
        view=1024,
        canvases={"55": 1024, "uwfa": 1024},
        augmentation=Augmentation(
            rotation_degrees=0.0, flip_vertical=False, noise=0.0, sharpness=(0.0, 0.0), shading=0.0
        ),
        network=UNetConfig.published(),
        imagenet=True,
    )


def retina_config() -> TrainingConfig:
    """Recipe of the network that finds the gradable retina of ultra-widefield images.

    It sees whole images, small, by logarithmic gray levels: augmented gently, since how bright
    the ground is against the noise is what tells whether vessels can be seen.
    """
    return TrainingConfig(
        target="retina",
        steps=3000,
        batch_size=8,
        learning_rate=2e-3,
        painted=0,
        view=512,
        canvases={"55": 512, "uwfa": 512},
        augmentation=Augmentation(
            scale_ratio=1.15,
            aspect_ratio=1.08,
            rotation_degrees=60.0,
            gamma_ratio=1.05,
            gain_range=(0.97, 1.03),
            noise=0.03,
            sharpness=(-0.5, 0.5),
            shading=0.05,
        ),
        network=UNetConfig(encoder="narrow", decoder=(64, 48, 32, 16), outputs=1),
    )


def tile_config() -> TrainingConfig:
    """Recipe of the network for ultra-widefield images, whole and in parts twice as fine.

    It goes on from the whole-image network, which knows real images, and sees mostly simulated
    eyes, at both scales.
    """
    return TrainingConfig(
        steps=1500,
        learning_rate=5e-4,
        view=320,
        halved=True,
        canvases={"55": 512, "uwfa": 2048},
        shares={"labelled": 0.15, "perfused": 0.06, "painted": 0.09, "simulated": 0.7},
        start_from="whole",
    )


Preset = Literal["default", "tile", "published", "retina"]

PRESETS: dict[Preset, Callable[[], TrainingConfig]] = {
    "default": TrainingConfig,
    "tile": tile_config,
    "published": published_config,
    "retina": retina_config,
}
"""Recipes by name."""


def preset_config(
    name: Preset, *, encoder: Encoder | None, canvases: dict[str, int], changes: dict[str, Any]
) -> TrainingConfig:
    """Preset with some values changed.

    Parameters
    ----------
    name
        One of :data:`PRESETS`.
    encoder
        One of :data:`napari_npa.models.networks.NETWORKS`; the preset's own if None.
    canvases
        Sides of the canvases that differ from the preset's.
    changes
        Other fields of the configuration by name.

    Raises
    ------
    TrainingError
        A canvas that the network cannot take.
    """
    config = PRESETS[name]()
    if encoder is not None:
        changes = {**changes, "network": replace(config.network, encoder=encoder)}
    return replace(config, canvases={**config.canvases, **canvases}, **changes)


class Recipe(lightning.LightningModule):
    """Network, loss and optimiser, for lightning's loop."""

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__()
        self.config = config
        network = (
            build(config.network, imagenet=config.imagenet)
            if config.start_from is None
            else load_model(config.start_from).network.train()
        )
        wanted = {"npa": 2, "retina": 1}[config.target]
        if network.config.outputs != wanted:
            raise TrainingError(
                str(config.start_from),
                f"has {network.config.outputs} output(s), but {wanted} are to be learned",
                "Start from weights that were trained for the same.",
            )
        # Channels last: a third faster on processors and GPUs with half-precision units.
        self.network = network.to(memory_format=torch.channels_last)

    def training_step(self, batch: View, index: int) -> Tensor:
        """Loss of one batch of views."""
        images, targets, known = batch
        self.network.freeze_encoder(self.global_step < self.config.frozen * self.config.steps)
        logits = self.network(images.contiguous(memory_format=torch.channels_last)).float()
        loss = combined_loss(
            logits[:, -1:],
            targets[:, 1:],
            cross_entropy_share=self.config.cross_entropy_share,
            class_weight=1.0,
            known=known[:, 1],
        )
        if self.config.target == "npa":
            loss = self._npa_loss(logits[:, :1], targets[:, :1]) + self.config.retina_weight * loss
        self.log("loss", loss, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def _npa_loss(self, logits: Tensor, target: Tensor) -> Tensor:
        config = self.config
        loss = combined_loss(
            logits,
            target,
            cross_entropy_share=config.cross_entropy_share,
            class_weight=config.class_weight,
        )
        if not config.segment_share:
            return loss
        segment_level = segment_loss(logits, target)
        return (1 - config.segment_share) * loss + config.segment_share * segment_level

    def validation_step(self, batch: View, index: int) -> None:
        """Pixel counts of one held-out image, gathered into a pooled Dice."""
        images, targets, _ = batch
        found = TARGETS.index(self.config.target)
        flagged, target = self.network(images)[:, :1].float() > 0, targets[:, found : found + 1]
        self._overlap += int((flagged & (target > 0)).sum())
        self._marked += int(flagged.sum()) + int(target.sum())

    def on_validation_epoch_start(self) -> None:
        """Start the counts afresh."""
        self._overlap = self._marked = 0

    def on_validation_epoch_end(self) -> None:
        """Log the pooled Dice of the held-out images."""
        self.log("dice", 2 * self._overlap / max(self._marked, 1), prog_bar=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Adam with a warm-up and a cosine."""
        optimizer = torch.optim.Adam(self.network.parameters(), lr=self.config.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _rate(self, step: int) -> float:
        """Learning rate of a step, as part of the peak rate."""
        rising = self.config.warm_up * self.config.steps
        if step < rising:
            return (step + 1) / (rising + 1)
        progress = (step - rising) / max(self.config.steps - rising, 1)
        return 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
