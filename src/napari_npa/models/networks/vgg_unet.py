"""VGG-UNet: a U-Net whose encoder is VGG-16, the product's network.

Encoder: the thirteen convolutions of VGG-16 in five stages with max-pooling between them
(Li et al., DOI 10.3760/cma.j.cn115989-20240415-00110).
"""

from __future__ import annotations

from torch import nn
from torchvision.models import VGG16_BN_Weights, VGG16_Weights, vgg16, vgg16_bn

from napari_npa.models.networks.imagenet import fetched
from napari_npa.models.networks.unet import UNet


class VGGUNet(UNet):
    """Three-channel image to logits; see :class:`napari_npa.models.networks.unet.UNet`."""

    channels = (64, 128, 256, 512, 512)

    def encoder_stages(self, *, imagenet: bool) -> list[nn.Sequential]:
        """VGG-16's layers, cut before each max-pooling; the pooling opens the next stage."""
        build, weights = (
            (vgg16_bn, VGG16_BN_Weights.IMAGENET1K_V1)
            if self.config.batch_norm
            else (vgg16, VGG16_Weights.IMAGENET1K_V1)
        )
        layers = list(fetched(build, weights if imagenet else None).features)
        stride = self.config.input_stride
        layers[0].stride = (stride, stride)
        pools = [i for i, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)]
        return [
            nn.Sequential(*layers[start:end])
            for start, end in zip([0, *pools[:-1]], pools, strict=True)
        ]
