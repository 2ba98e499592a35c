"""A network that is small enough to look at every image before the others do."""

from __future__ import annotations

from napari_npa.models.networks.comparison import PlainUNet


class NarrowUNet(PlainUNet):
    """Plain U-Net with few channels: finds the gradable retina, which needs no fine detail."""

    channels = (16, 32, 64, 96, 128)
