"""The configuration of a training run, and its presets."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from napari_npa.errors import TrainingError
from napari_npa.imaging.field_of_view import DEFAULT_CANVASES
from napari_npa.models.networks import Encoder, UNetConfig
from napari_npa.training.augmentation import Augmentation
from napari_npa.training.dataset import Source
from napari_npa.types import Target


def _default_shares() -> dict[Source, float]:
    return {"labelled": 0.28, "perfused": 0.12, "painted": 0.2, "simulated": 0.4}


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that determines a training run besides its images; saved beside the weights.

    Attributes
    ----------
    target
        What is learned: non-perfusion together with the gradable retina, or the retina alone.
    steps, steps_per_epoch
        Optimiser steps in all, and between two checkpoints and validations.
    batch_size
        Views in a step.
    learning_rate, warm_up
        Peak rate of Adam, and the share of the steps over which the rate rises to it;
        from there it falls to 0 along a cosine.
    frozen
        Share of the steps for which the encoder does not learn; only useful with `imagenet`.
    cross_entropy_share, class_weight
        See :func:`napari_npa.training.losses.combined_loss`.
    segment_share
        Share of the segment-level loss in the loss of non-perfusion, see
        :func:`napari_npa.training.losses.segment_loss`.
    averaging
        Decay, in one step, of the moving average of the weights; the average is kept.
    retina_weight
        Weight of the loss of the gradable retina against that of non-perfusion. The retina
        is learned only from images in which it is outlined, so mostly from simulated ones.
    painted
        Variants of every perfused 55° eye with synthetic lesions: see
        :mod:`napari_npa.training.lesion_synthesis`.
    view, canvases
        Side of a training view, and of the whole-image canvas by field of view, pixels.
    tile
        Side of the tiles that the canvases are cut into, pixels, for a network that refines
        regions; None: whole images.
    halved
        Show every image on a canvas half as wide as well: one network for two scales.
    shares
        Relative share of the views by where their images come from.
    augmentation
        Ranges from which each view is drawn.
    network
        Shape of the network, unless `start_from` determines it.
    imagenet
        Start the encoder from ImageNet weights.
    start_from
        Weights to start from instead of random ones: an embedded model's name, or a file.
    fine_tuned_share
        Weight of the fine-tuned network in its average with that of `start_from` (Wortsman
        et al. 2022, arXiv:2109.01903), which keeps part of what only the first training
        taught.
    seed
        The same seed gives the same training.
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
        """Number of epochs of a full run; each ends with a checkpoint and a validation."""
        return math.ceil(self.steps / self.steps_per_epoch)


def published_config() -> TrainingConfig:
    """Return the recipe of Li et al. (DOI 10.3760/cma.j.cn115989-20240415-00110), where stated.

    Whole images at 1024 in pairs, 100 epochs of their 38 images, Adam from 1e-4 along a cosine,
    the ImageNet encoder frozen for half of the steps; only their augmentations, no averaging.
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
    """Return the recipe of the network that finds the gradable retina of ultra-widefield images.

    It sees small whole images in logarithmic gray levels. Augmentation is gentle, because the
    brightness of the ground against the noise shows whether vessels can be seen.
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
    """Return the recipe of the network for ultra-widefield images, whole and at twice the detail.

    It starts from the whole-image network, which knows real images, and sees mostly simulated
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
"""Presets by name."""


def preset_config(
    name: Preset, *, encoder: Encoder | None, canvases: dict[str, int], changes: dict[str, Any]
) -> TrainingConfig:
    """Return a preset with some values changed.

    Parameters
    ----------
    name
        One of :data:`PRESETS`.
    encoder
        One of :data:`napari_npa.models.networks.NETWORKS`; None: that of the preset.
    canvases
        Sides of the canvases, pixels, that differ from the preset's.
    changes
        Other fields of :class:`TrainingConfig` that differ, by name.

    Raises
    ------
    TrainingError
        The network cannot take a canvas of that size.
    """
    config = PRESETS[name]()
    if encoder is not None:
        changes = {**changes, "network": replace(config.network, encoder=encoder)}
    return replace(config, canvases={**config.canvases, **canvases}, **changes)
