"""Choose the processor to compute on, and tell what it can do."""

from __future__ import annotations

import re

import torch

from napari_npa.errors import DeviceError

DEVICES = ("auto", "cuda", "mps", "cpu")
"""Names that a user may give; ``cuda:1`` and the like are also allowed."""


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of that name; for ``auto``, the fastest one present.

    Raises
    ------
    DeviceError
        This machine has no such device.
    """
    if name == "auto":
        return torch.device(present_devices()[0])
    found = re.fullmatch(r"([a-z]+)(?::([0-9]{1,3}))?", name)
    if found is None or found[1] not in DEVICES[1:]:
        raise DeviceError(name, "is not a device", f"Choose one of: {', '.join(DEVICES)}.")
    count = torch.cuda.device_count() if found[1] == "cuda" else 1
    if not _is_present(found[1]) or int(found[2] or 0) >= count:
        raise DeviceError(name, "is not present on this machine", "Choose 'auto' or 'cpu'.")
    return torch.device(name)


def present_devices() -> list[str]:
    """Name the devices of this machine, the fastest first."""
    return [kind for kind in DEVICES[1:] if _is_present(kind)]


def device_name(device: torch.device) -> str:
    """Name the kind of a device, and the model if it is from NVIDIA."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return str(device)


def has_fast_bf16(device: torch.device) -> bool:
    """Tell whether a device multiplies bfloat16 in hardware; emulation is ten times slower."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return False


def _is_present(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_available()
    if kind == "mps":
        return torch.backends.mps.is_available()
    return True
