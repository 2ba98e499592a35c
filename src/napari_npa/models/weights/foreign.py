"""Checkpoints of the VGG U-Net of the PyTorch program "unet-pytorch".

Their keys are ``vgg.features.N``, ``up_concat4.conv1`` … ``up_concat1.conv2``, and ``final``. The
network takes RGB / 255 and gives a softmax over the classes, of which class 1 is the target; its
bilinear enlargement aligns the corners. The layers are those of :meth:`UNetConfig.published`.
"""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from napari_npa.errors import WeightsError
from napari_npa.models.networks import UNet, UNetConfig, build_for_loading

VGG_STAGE_STARTS = (0, 4, 9, 16, 23)
"""Index in VGG-16's list of layers at which each of our encoder stages begins."""


def load_unet_pytorch(path: Path) -> UNet:
    """Read a state dict; nothing in the file is executed (``weights_only=True``).

    Raises
    ------
    WeightsError
        The file is not a state dict of that network.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        tensors = {_own_key(key): value for key, value in state.items() if _is_used(key)}
        network = build_for_loading(_config(tensors))
        network.load_state_dict(tensors, assign=True)
    except (
        pickle.UnpicklingError,  # not a torch file, or one that would run code
        AttributeError,
        EOFError,
        KeyError,
        OSError,
        RuntimeError,
        ValueError,
    ) as error:
        raise WeightsError(
            path,
            "is not a state dict of a 'unet-pytorch' VGG U-Net",
            "Save it there with torch.save(model.state_dict(), file), "
            "or give a .safetensors file made by 'napari-npa train'.",
        ) from error
    return network.eval()


def _config(tensors: dict[str, Tensor]) -> UNetConfig:
    """Read the widths of the decoder and the number of classes off the tensors."""
    widths = [len(tensors[f"decoder.{stage}.conv2.0.bias"]) for stage in range(4)]
    return replace(
        UNetConfig.published(),
        decoder=(widths[0], widths[1], widths[2], widths[3]),
        outputs=len(tensors["head.bias"]),
    )


def _is_used(key: str) -> bool:
    """Leave out VGG's classifier, which may be in the file but is no part of the U-Net."""
    return not key.startswith("vgg.classifier.")


def _own_key(key: str) -> str:
    if found := re.fullmatch(r"vgg\.features\.(\d+)\.(weight|bias)", key):
        layer = int(found[1])
        stage = max(s for s, start in enumerate(VGG_STAGE_STARTS) if start <= layer)
        return f"stages.{stage}.{layer - VGG_STAGE_STARTS[stage]}.{found[2]}"
    if found := re.fullmatch(r"up_concat([1-4])\.(conv[12])\.(weight|bias)", key):
        return f"decoder.{4 - int(found[1])}.{found[2]}.0.{found[3]}"
    if found := re.fullmatch(r"final\.(weight|bias)", key):
        return f"head.{found[1]}"
    raise KeyError(key)
