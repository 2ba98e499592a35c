"""The published baselines with the product's decoder, so that only the encoders differ."""

from __future__ import annotations

from torch import nn

from napari_npa.errors import WeightsError
from napari_npa.models.networks.imagenet import imagenet_weights
from napari_npa.models.networks.unet import UNet, convolution_stages


class PlainUNet(UNet):
    """U-Net with two convolutions in each stage, from random weights (Ronneberger et al. 2015)."""

    channels = (64, 128, 256, 512, 1024)

    def encoder_stages(self, *, imagenet: bool) -> list[nn.Sequential]:
        """Build stages of two convolutions; max-pooling opens all but the first."""
        if imagenet:
            raise WeightsError(
                "plain U-Net", "has no ImageNet weights", "Train it from random weights."
            )
        return convolution_stages(self.channels, (2, 2, 2, 2, 2), self.config)


class ResNetUNet(UNet):
    """U-Net whose encoder is ResNet-34; its first convolution halves the input."""

    channels = (64, 64, 128, 256, 512)

    def encoder_stages(self, *, imagenet: bool) -> list[nn.Sequential]:
        """Take ResNet-34's stem and its four groups of residual blocks."""
        if self.config.input_stride != 2 or not self.config.batch_norm:
            raise WeightsError(
                "ResNet-UNet",
                "exists with batch normalisation and an input stride of 2 only",
                "Set batch_norm and input_stride so.",
            )
        from torchvision.models import resnet34  # slow, and only this network needs it

        net = resnet34()
        if imagenet:
            net.load_state_dict(imagenet_weights("resnet34"))
        return [
            nn.Sequential(net.conv1, net.bn1, net.relu),
            nn.Sequential(net.maxpool, *net.layer1),
            nn.Sequential(*net.layer2),
            nn.Sequential(*net.layer3),
            nn.Sequential(*net.layer4),
        ]
