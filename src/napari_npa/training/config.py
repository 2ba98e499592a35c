"""The configuration of a training run, and its presets.

The command line builds its options from this module, so it imports neither torch nor lightning.
"""

# Annotations stay objects here (no `from __future__ import annotations`): the command line reads
# each field's type and `Setting`.
import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from napari_npa.errors import TrainingError
from napari_npa.imaging.field_of_view import DEFAULT_CANVASES
from napari_npa.types import Target

if TYPE_CHECKING:
    from napari_npa.models.networks import Encoder, UNetConfig

Source = Literal["labelled", "perfused", "painted", "simulated"]
"""Where an example comes from: an outlined angiogram, a perfused one, a perfused one with
synthetic lesions, or the simulator."""


@dataclass(frozen=True)
class Setting:
    """What users can change about a field of the configuration.

    Attributes
    ----------
    help
        Meaning of the field, in one line.
    least, most
        Smallest and largest value allowed; None: no limit.
    """

    help: str
    least: float | None = None
    most: float | None = None


def _require(name: str, value: object, kind: Any) -> None:  # noqa: ANN401 - of a field
    """Refuse what is not a number, or out of the range of its setting."""
    parts = get_args(kind)
    setting = next((part for part in parts if isinstance(part, Setting)), Setting(""))
    least, most = setting.least, setting.most
    if least is None and not isinstance(value, float):
        return  # not a number, or one without limits
    if value is None and type(None) in get_args(parts[0]):
        return
    if (
        not isinstance(value, int | float)
        or not math.isfinite(value)
        or (least is not None and value < least)
        or (most is not None and value > most)
    ):
        raise TrainingError(name, f"cannot be {value!r}", "Choose another value.")


@dataclass(frozen=True)
class Augmentation:
    """Ranges from which each view is drawn; a ratio `r` stands for the range 1/r to r.

    Published (Li et al.): scale, aspect, horizontal flip, placement on the canvas, and
    hue-saturation-value jitter, of which an angiogram has only the value. Added here:
    rotation and vertical flip, since 55° frames look in any direction; `sharpness`, detail
    removed (down to -1) or added, since cameras and exports differ in it more than in
    anything else; `shading`, how much brighter one side of the view becomes than the other.
    """

    scale_ratio: float = 1.3
    aspect_ratio: float = 1.12
    rotation_degrees: float = 180.0
    flip_vertical: bool = True
    gamma_ratio: float = 1.4
    gain_range: tuple[float, float] = (0.8, 1.15)
    noise: float = 0.02
    sharpness: tuple[float, float] = (-0.7, 1.0)
    shading: float = 0.35


def _default_shares() -> dict[Source, float]:
    return {"labelled": 0.28, "perfused": 0.12, "painted": 0.2, "simulated": 0.4}


def _network(**shape: Any) -> "UNetConfig":  # noqa: ANN401 - fields of UNetConfig
    from napari_npa.models.networks import UNetConfig

    return UNetConfig(**shape)


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
    steps: Annotated[int, Setting("Optimiser steps.", least=1)] = 3500
    steps_per_epoch: Annotated[
        int, Setting("Steps between two checkpoints and validations.", least=1)
    ] = 100
    batch_size: Annotated[int, Setting("Views a step.", least=1)] = 16
    learning_rate: Annotated[float, Setting("Peak rate of Adam.", least=0.0)] = 1e-3
    warm_up: float = 0.05
    averaging: float = 0.99
    view: Annotated[int, Setting("Side of a training view, pixels.", least=64)] = 416
    tile: Annotated[
        int | None,
        Setting("Cut the canvases into tiles of this side, for a tile network.", least=64),
    ] = None
    halved: bool = False
    canvases: dict[str, int] = field(default_factory=lambda: dict(DEFAULT_CANVASES))
    shares: dict[Source, float] = field(default_factory=_default_shares)
    augmentation: Augmentation = field(default_factory=Augmentation)
    network: "UNetConfig" = field(default_factory=_network)
    cross_entropy_share: Annotated[float, Setting("λ of λ·CE + (1-λ)·Dice.", least=0, most=1)] = 0.5
    class_weight: Annotated[float, Setting("Weight of non-perfused pixels.", least=0)] = 2.0
    segment_share: Annotated[
        float, Setting("Share of the segment-level loss.", least=0, most=1)
    ] = 0.0
    retina_weight: float = 0.5
    imagenet: Annotated[bool, Setting("Start from ImageNet weights.")] = False
    start_from: Annotated[
        str | None, Setting("Go on from these weights: an embedded model, or a file.")
    ] = None
    fine_tuned_share: Annotated[
        float,
        Setting("Weight of the result in its average with --start-from.", least=0, most=1),
    ] = 1.0
    frozen: Annotated[
        float, Setting("Share of the steps with a frozen encoder.", least=0, most=1)
    ] = 0.0
    painted: Annotated[
        int, Setting("Variants of each perfused 55° angiogram with synthetic lesions.", least=0)
    ] = 16
    seed: Annotated[int, Setting("Same seed, same training; 0 if not given.", least=0)] = 0

    def __post_init__(self) -> None:
        """Refuse values out of range, and canvases that the network cannot halve evenly."""
        for each in fields(self):
            _require(each.name, getattr(self, each.name), each.type)
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
    from napari_npa.models.networks import UNetConfig

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
        network=_network(encoder="narrow", decoder=(64, 48, 32, 16), outputs=1),
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
    name: Preset, *, encoder: "Encoder | None", canvases: dict[str, int], changes: dict[str, Any]
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
