"""The product's networks, and the published ones that they are compared with."""

from napari_npa.models.triton_guard import import_triton_apart

import_triton_apart()  # before anything imports torchvision

import torch  # noqa: E402

from napari_npa.models.networks.comparison import PlainUNet, ResNetUNet  # noqa: E402
from napari_npa.models.networks.narrow import NarrowUNet  # noqa: E402
from napari_npa.models.networks.unet import Encoder, UNet, UNetConfig, fold_batch_norm  # noqa: E402
from napari_npa.models.networks.vgg_unet import VGGUNet  # noqa: E402

__all__ = [
    "NETWORKS",
    "Encoder",
    "NarrowUNet",
    "UNet",
    "UNetConfig",
    "VGGUNet",
    "build",
    "build_for_loading",
    "fold_batch_norm",
]

NETWORKS: dict[Encoder, type[UNet]] = {
    "vgg16": VGGUNet,
    "plain": PlainUNet,
    "narrow": NarrowUNet,
    "resnet34": ResNetUNet,
}
"""Networks by their encoder."""


def build(config: UNetConfig, *, imagenet: bool = False) -> UNet:
    """Build the network of a configuration, with ImageNet weights in its encoder if wanted."""
    return NETWORKS[config.encoder](config, imagenet=imagenet)


def build_for_loading(config: UNetConfig) -> UNet:
    """Build a network fast, without values, for ``load_state_dict(…, assign=True)``."""
    with torch.device("meta"):
        return build(config)
