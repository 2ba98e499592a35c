"""The product's networks."""

from napari_npa.triton_guard import import_triton_apart

import_triton_apart()  # before anything below imports torchvision

from napari_npa.networks.vgg_unet import (  # noqa: E402
    VGGUNet,
    VGGUNetConfig,
    build_for_loading,
    fold_batch_norm,
)

__all__ = ["VGGUNet", "VGGUNetConfig", "build_for_loading", "fold_batch_norm"]
