"""Checkpoints of the VGG U-Net of the PyTorch program "unet-pytorch".

Their keys are ``vgg.features.N``, ``up_concat4.conv1`` … ``up_concat1.conv2``, and ``final``. The
network takes RGB / 255 and gives a softmax over the classes, of which class 1 is the target; its
bilinear enlargement aligns the corners. The layers are those of :meth:`UNetConfig.published`.
"""

from __future__ import annotations

import re
import zipfile
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
        _require_plain_archive(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
        tensors = {_own_key(key): value for key, value in state.items() if _is_used(key)}
        network = build_for_loading(_config(tensors))
        most = path.stat().st_size
        wanted = network.state_dict()
        tensors = {
            name: usable(name, tensor, like=wanted[name], most=most)
            for name, tensor in tensors.items()
        }
        network.load_state_dict(tensors, assign=True)
    except Exception as error:  # a damaged file leads torch.load to errors of any kind
        raise WeightsError(
            path,
            "is not a state dict of a 'unet-pytorch' VGG U-Net",
            "Save it there with torch.save(model.state_dict(), file), "
            "or give a .safetensors file made by 'napari-npa train'.",
        ) from error
    return network.eval()


def usable(name: str, tensor: object, *, like: Tensor, most: int | None = None) -> Tensor:
    """A tensor in the precision that a network has, if the network can compute with it.

    Parameters
    ----------
    name
        Of the tensor.
    like
        Tensor of the network.
    most
        Size of the file, bytes: a tensor may claim to be larger.

    Raises
    ------
    ValueError
        It has another shape or kind, or holds values that are not numbers.
    """
    if not isinstance(tensor, Tensor) or tensor.shape != like.shape or tensor.layout != like.layout:
        raise ValueError(f"{name} is not a tensor of that shape")
    if most is not None and tensor.numel() * tensor.element_size() > most:
        raise ValueError(f"{name} is larger than its file")
    if tensor.is_floating_point() != like.is_floating_point() or tensor.is_complex():
        raise ValueError(f"{name} does not hold numbers of that kind")
    tensor = tensor.to(like.dtype).contiguous()
    if not torch.isfinite(tensor).all():
        raise ValueError(f"{name} holds values that are not finite")
    if name.endswith("running_var") and (tensor < 0).any():
        raise ValueError(f"{name} holds a negative variance")
    return tensor


def _require_plain_archive(path: Path) -> None:
    """Refuse compressed archives, which torch does not write: they may unpack to any size."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
                raise ValueError("it is a compressed archive")


def _config(tensors: dict[str, Tensor]) -> UNetConfig:
    """Read the widths of the decoder and the number of classes off the tensors."""
    if len(tensors["head.bias"]) < 2:
        raise ValueError("a network of classes has two at least")
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
