"""The published baselines, on the product's decoder: what the encoder alone makes of it."""

from __future__ import annotations

from torch import nn
from torchvision.models import ResNet34_Weights, resnet34

from napari_npa.errors import WeightsError
from napari_npa.models.networks.imagenet import fetched
from napari_npa.models.networks.unet import UNet, convolution


class PlainUNet(UNet):
    """U-Net with two convolutions a stage, from random weights (Ronneberger et al. 2015)."""

    channels = (64, 128, 256, 512, 1024)

    def encoder_stages(self, *, imagenet: bool) -> list[nn.Sequential]:
        """Two convolutions a stage; max-pooling opens all but the first."""
        if imagenet:
            raise WeightsError(
                "plain U-Net", "has no ImageNet weights", "Train it from random weights."
            )
        stages: list[nn.Sequential] = []
        inputs, stride = 3, self.config.input_stride
        for channels in self.channels:
            first = convolution(inputs, channels, batch_norm=self.config.batch_norm, stride=stride)
            second = convolution(channels, channels, batch_norm=self.config.batch_norm)
            pool = [nn.MaxPool2d(2)] if stages else []
            stages.append(nn.Sequential(*pool, *first, *second))
            inputs, stride = channels, 1
        return stages


class ResNetUNet(UNet):
    """U-Net whose encoder is ResNet-34, which halves its input with the first convolution."""

    channels = (64, 64, 128, 256, 512)

    def encoder_stages(self, *, imagenet: bool) -> list[nn.Sequential]:
        """ResNet-34's stem and its four groups of residual blocks."""
        if self.config.input_stride != 2 or not self.config.batch_norm:
            raise WeightsError(
                "ResNet-UNet",
                "exists with batch normalisation and an input stride of 2 only",
                "Set batch_norm and input_stride so.",
            )
        net = fetched(resnet34, ResNet34_Weights.IMAGENET1K_V1 if imagenet else None)
        return [
            nn.Sequential(net.conv1, net.bn1, net.relu),
            nn.Sequential(net.maxpool, *net.layer1),
            nn.Sequential(*net.layer2),
            nn.Sequential(*net.layer3),
            nn.Sequential(*net.layer4),
        ]
