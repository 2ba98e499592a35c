"""VGG-UNet: a U-Net whose encoder is VGG-16, the product's network.

Encoder: the thirteen convolutions of VGG-16 in five stages with max-pooling between them
(Li et al., DOI 10.3760/cma.j.cn115989-20240415-00110).
"""

from __future__ import annotations

from itertools import chain

from torch import nn

from napari_npa.models.networks.imagenet import imagenet_weights
from napari_npa.models.networks.unet import UNet, convolution_stages

FEATURES = "features."
"""What the names of VGG-16's convolutions begin with; its classifier is not built."""


class VGGUNet(UNet):
    """Three-channel image to logits; see :class:`napari_npa.models.networks.unet.UNet`."""

    channels = (64, 128, 256, 512, 512)

    def encoder_stages(self, *, imagenet: bool) -> list[nn.Sequential]:
        """Build VGG-16's layers, cut before each max-pooling, which opens the next stage."""
        stages = convolution_stages(self.channels, (2, 2, 3, 3, 3), self.config)
        if imagenet:
            state = imagenet_weights("vgg16_bn" if self.config.batch_norm else "vgg16")
            nn.Sequential(*chain.from_iterable(stages)).load_state_dict(
                {
                    name.removeprefix(FEATURES): value
                    for name, value in state.items()
                    if name.startswith(FEATURES)
                }
            )
        return stages
