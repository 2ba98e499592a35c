"""Weights files that somebody sent, damaged or made up."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from napari_npa.models.weights.store import HEADER

MISSING = object()


def parts(path: Path) -> tuple[dict, dict[str, torch.Tensor]]:
    """Header and tensors of a weights file."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return json.loads(file.metadata()[HEADER]), tensors


def write(path: Path, header: object, tensors: dict[str, torch.Tensor]) -> Path:
    """A weights file with any header; a text is written as it stands."""
    text = header if isinstance(header, str) else json.dumps(header)
    save_file(tensors, path, metadata={HEADER: text})
    return path


def changed(header: dict, where: tuple[str, ...], value: object) -> dict:
    """A header with one value replaced, or removed."""
    header = json.loads(json.dumps(header))
    inner = header
    for key in where[:-1]:
        inner = inner[key]
    if value is MISSING:
        del inner[where[-1]]
    else:
        inner[where[-1]] = value
    return header


UNFIT = [
    *(((name,), MISSING) for name in ("format", "network", "input", "output", "canvases")),
    (("threshold",), MISSING),
    (("canvases", "55"), MISSING),
    (("network", "encoder"), MISSING),
    *((("threshold",), value) for value in (5, -1, 0, float("nan"), float("inf"), "0.5", [0.5])),
    *((("thresholds",), value) for value in ({"uwfa": 5}, {"55": "x"}, 3)),
    *((("canvases", "uwfa"), value) for value in (0, -1, 10**6, 100, 64.5, "64", None)),
    *((("network", "input_stride"), value) for value in (0, 3, -1, "2")),
    *((("network", "decoder"), value) for value in ([8, 8, 8], [8, 8, 8, 0], [8, 8, 8, 10**9], 8)),
    *((("network", "outputs"), value) for value in (0, 1, 3, 10**9)),
    *((("network", "encoder"), value) for value in ("vit", 5)),
    (("network", "batch_norm"), "yes"),
    *((("format",), value) for value in (0, -1, "1", 99)),
    *((("input",), value) for value in ("x", 3)),
    *((("output",), value) for value in ("npa", "x", None)),
    (("halved",), "yes"),
]
"""Places in a header, and values that cannot stand there."""
