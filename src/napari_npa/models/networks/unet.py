"""The U-Net of all our networks: an encoder of five stages, and a decoder.

Decoder: upsample x2, concatenate the skip, two 3x3 convolutions; a 1x1 head
(Li et al., DOI 10.3760/cma.j.cn115989-20240415-00110). The networks differ in their encoders.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

ENCODER_REDUCTION = 16
"""The first stage has this many times more rows and columns than the deepest."""

Encoder = Literal["vgg16", "plain", "narrow", "resnet34"]


@dataclass(frozen=True)
class UNetConfig:
    """Shape of a network; stored beside its weights.

    Attributes
    ----------
    encoder
        Which network this is: see :data:`napari_npa.models.networks.NETWORKS`.
    decoder
        Channels of the four decoder stages, deepest first.
    outputs
        Number of logits: non-perfusion and gradable retina, one of the two, or the classes of a
        network from elsewhere (see :class:`napari_npa.models.weights.Model`).
    batch_norm
        Batch normalisation after each convolution, of encoder and decoder.
    input_stride
        Stride of the first convolution. With 2, its filters still see every pixel, and all later
        layers work on a quarter of the positions; the logits are enlarged to the input's size.
    align_corners
        Whether the decoder's bilinear enlargement aligns the centres of the corner pixels.
    """

    encoder: Encoder = "vgg16"
    decoder: tuple[int, int, int, int] = (128, 64, 32, 16)
    outputs: int = 2
    batch_norm: bool = True
    input_stride: int = 2
    align_corners: bool = False

    @classmethod
    def published(cls) -> UNetConfig:
        """Describe the network of Li et al.: wide decoder, two classes, no normalisation."""
        return cls(
            decoder=(512, 256, 128, 64),
            batch_norm=False,
            input_stride=1,
            align_corners=True,
        )

    @property
    def multiple(self) -> int:
        """Rows and columns of the input must be a multiple of this many pixels."""
        return ENCODER_REDUCTION * self.input_stride


class DecoderStage(nn.Module):
    """Enlarges x2, appends the skip connection and convolves twice."""

    def __init__(
        self, below: int, skip: int, channels: int, *, batch_norm: bool, align_corners: bool
    ) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=align_corners)
        self.conv1 = convolution(below + skip, channels, batch_norm=batch_norm)
        self.conv2 = convolution(channels, channels, batch_norm=batch_norm)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        """Turn (N, below, h, w) and (N, skip, 2h, 2w) into (N, channels, 2h, 2w)."""
        joined = torch.cat([skip, self.up(below)], dim=1)
        return self.conv2(self.conv1(joined))  # type: ignore[no-any-return]


class UNet(nn.Module):
    """Turns a three-channel image into logits of the same size.

    Parameters
    ----------
    config
        Shape of the network.
    imagenet
        Load torchvision's ImageNet weights into the encoder (downloaded the first time).
        All other weights are Xavier-initialised.

    Raises
    ------
    WeightsError
        The ImageNet weights are not on this machine and cannot be downloaded.
    """

    channels: ClassVar[tuple[int, int, int, int, int]]
    """Channels of the five encoder stages."""

    def __init__(self, config: UNetConfig | None = None, *, imagenet: bool = False) -> None:
        super().__init__()
        self.config = config or UNetConfig()
        self.stages = nn.ModuleList(self.encoder_stages(imagenet=imagenet))
        self.decoder = nn.ModuleList(self._decoder_stages())
        self.head = nn.Conv2d(self.config.decoder[-1], self.config.outputs, kernel_size=1)
        for module in (self.decoder, self.head) if imagenet else (self,):
            module.apply(_xavier)

    def encoder_stages(self, *, imagenet: bool) -> list[nn.Sequential]:
        """Build five stages, of which all but the first halve rows and columns."""
        raise NotImplementedError

    def _decoder_stages(self) -> list[DecoderStage]:
        stages = []
        below = self.channels[-1]
        for skip, channels in zip(self.channels[-2::-1], self.config.decoder, strict=True):
            stages.append(
                DecoderStage(
                    below,
                    skip,
                    channels,
                    batch_norm=self.config.batch_norm,
                    align_corners=self.config.align_corners,
                )
            )
            below = channels
        return stages

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits of an image.

        Parameters
        ----------
        images : (N, 3, rows, columns) float
            In [0, 1]; rows and columns are multiples of ``config.multiple``.

        Returns
        -------
        logits : (N, outputs, rows, columns) float
        """
        features = []
        values = images
        for stage in self.stages:
            values = stage(values)
            features.append(values)
        *skips, values = features
        for stage, skip in zip(self.decoder, reversed(skips), strict=True):
            values = stage(values, skip)
        logits: Tensor = self.head(values)
        if self.config.input_stride > 1:
            logits = nn.functional.interpolate(
                logits, scale_factor=self.config.input_stride, mode="bilinear"
            )
        return logits

    def freeze_encoder(self, frozen: bool = True) -> None:
        """Keep the encoder's weights as they are, or let them learn again."""
        self.stages.requires_grad_(not frozen)


def fold_batch_norm(network: UNet) -> UNet:
    """Copy a network for evaluation, with its normalisations folded into the convolutions.

    The copy gives the same logits (up to rounding) in less time; it cannot be trained further.
    """
    folded = copy.deepcopy(network).eval()
    for module in list(folded.modules()):
        if isinstance(module, nn.Sequential):
            layers = list(module)
            for at, (layer, following) in enumerate(pairwise(layers)):
                if isinstance(layer, nn.Conv2d) and isinstance(following, nn.BatchNorm2d):
                    module[at] = fuse_conv_bn_eval(layer, following)
                    module[at + 1] = nn.Identity()
    return folded


def convolution(inputs: int, outputs: int, *, batch_norm: bool, stride: int = 1) -> nn.Sequential:
    """Build a 3x3 convolution, normalisation if wanted, and ReLU."""
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)]
    if batch_norm:
        layers.append(nn.BatchNorm2d(outputs))
    layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def convolution_stages(
    channels: Sequence[int], depths: Sequence[int], config: UNetConfig
) -> list[nn.Sequential]:
    """Build encoder stages of 3x3 convolutions; max-pooling opens all but the first.

    Parameters
    ----------
    channels, depths
        Of each stage: its channels, and the number of its convolutions.
    config
        Says whether convolutions are normalised, and the stride of the first.
    """
    stages: list[nn.Sequential] = []
    inputs, stride = 3, config.input_stride
    for outputs, depth in zip(channels, depths, strict=True):
        layers: list[nn.Module] = [nn.MaxPool2d(2)] if stages else []
        for _ in range(depth):
            layers += convolution(inputs, outputs, batch_norm=config.batch_norm, stride=stride)
            inputs, stride = outputs, 1
        stages.append(nn.Sequential(*layers))
    return stages


def _xavier(module: nn.Module) -> None:
    # On the meta device there is nothing to draw, and trying to imports sympy for two seconds.
    if isinstance(module, nn.Conv2d) and not module.weight.is_meta:
        nn.init.xavier_normal_(module.weight, gain=nn.init.calculate_gain("relu"))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
