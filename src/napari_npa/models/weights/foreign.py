"""Checkpoints of the PyTorch "unet-pytorch" program's VGG U-Net.

Their keys: ``vgg.features.N``, ``up_concat4.conv1`` … ``up_concat1.conv2``, ``final``.
Softmax over the classes, class 1 the target; input RGB / 255; bilinear enlargement with
aligned corners. The layers are those of :meth:`UNetConfig.published`.
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
"""Index in VGG-16's layer list at which each of our encoder stages begins."""


def load_unet_pytorch(path: Path) -> UNet:
    """Read a state dict; nothing in the file is executed (``weights_only=True``).

    Raises
    ------
    WeightsError
        Not a state dict of that network.
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
    """Decoder widths and number of classes, read off the tensors."""
    widths = [len(tensors[f"decoder.{stage}.conv2.0.bias"]) for stage in range(4)]
    return replace(
        UNetConfig.published(),
        decoder=(widths[0], widths[1], widths[2], widths[3]),
        outputs=len(tensors["head.bias"]),
    )


def _is_used(key: str) -> bool:
    """VGG's classifier may lie in the file; the U-Net has no use for it."""
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
