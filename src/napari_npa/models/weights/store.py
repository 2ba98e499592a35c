"""Weights in safetensors files, which also describe the network they belong to."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from napari_npa.errors import WeightsError
from napari_npa.imaging.contrast import input_channels, logarithmic, normalise_contrast
from napari_npa.imaging.field_of_view import DEFAULT_CANVASES, FieldOfView
from napari_npa.io.texts.ordinary import ordinary_bytes
from napari_npa.io.writing import atomic, file_sha256
from napari_npa.models.names import AUTO, EMBEDDED, RETINA, embedded_models
from napari_npa.models.networks import UNet, UNetConfig, build_for_loading
from napari_npa.models.weights.foreign import load_unet_pytorch, usable
from napari_npa.models.weights.header import FORMAT, Card, Input, Output, read_header
from napari_npa.types import Gray, Mask, Target

MOST_BYTES = 2**24
"""Size of a card."""

HEADER = "napari_npa"
"""Key of the safetensors metadata under which a network's description is stored."""

FED: dict[Target, Input] = {"npa": "contrast", "retina": "levels"}
"""What our networks are fed, by the target that they were trained for."""


@dataclass(frozen=True)
class Model:
    """A network, and what one must know to use it.

    Attributes
    ----------
    network
        Takes (N, 3, rows, columns) in [0, 1] and returns logits of the same size.
    name, sha256
        Name of the weights and hash of their file, for the record.
    input
        How the three channels are made.
    output
        What the logits mean.
    canvases
        Side of the whole-image canvas, pixels, by name of the field of view.
    threshold
        Probability from which a pixel counts as non-perfused, or as gradable.
    thresholds
        The same for fields of view in which it differs, by their names.
    halved
        Whether it has learned canvases half as wide too.
    """

    network: UNet
    name: str
    sha256: str
    input: Input
    output: Output
    canvases: dict[str, int]
    threshold: float
    thresholds: Mapping[str, float] = field(default_factory=dict)
    halved: bool = False

    @property
    def _is_ours(self) -> bool:
        """Whether this program trained it; others must give here what they give elsewhere."""
        return self.input != "rgb"

    @property
    def wants_field(self) -> bool:
        """Whether the instrument's field is put on its canvas, and not the file with its margins.

        Our networks have learned retina of one scale.
        """
        return self._is_ours

    @property
    def wants_mirrors(self) -> bool:
        """Whether it looks at mirrored images too, in the fields of view that are mirrored."""
        return self._is_ours

    @property
    def wants_sifting(self) -> bool:
        """Whether small areas, and areas in the rim, are left out of what it finds."""
        return self._is_ours

    @property
    def wants_gradable(self) -> bool:
        """Whether it is fed the contrast within the gradable retina, which a close-up holds."""
        return self.input == "contrast"

    def channels(self, scaled: Gray, gradable: Mask) -> Gray:
        """Make the three channels that the network is fed.

        Parameters
        ----------
        scaled : (rows, columns) float32
            Gray levels in [0, 1], at the scale of its canvas.
        gradable : (rows, columns) bool
            Gradable retina; it only matters if :attr:`wants_gradable`.

        Returns
        -------
        channels : (3, rows, columns) float32
            In [0, 1].
        """
        if self.input == "rgb":
            return np.repeat(scaled[None], 3, axis=0)
        stretched = (
            normalise_contrast(scaled, gradable) if self.wants_gradable else logarithmic(scaled)
        )
        return input_channels(stretched)

    def has_learned(self, target: Target) -> bool:
        """Tell whether the network can find a target."""
        return target in ("npa" if self.output == "classes" else self.output).split("+")

    def canvas_for(self, view: FieldOfView) -> int:
        """Return the side of the canvas for images of a field of view, pixels."""
        return self.canvases[view.name]

    def threshold_for(self, view: FieldOfView) -> float:
        """Return the probability from which a pixel counts as non-perfused in a field of view."""
        return self.thresholds.get(view.name, self.threshold)


def as_model(model: str | Path | Model) -> Model:
    """Return a model that is loaded already, or load it; see :func:`load_model`."""
    return model if isinstance(model, Model) else load_model(model)


def load_model(name: str | Path) -> Model:
    """Load embedded weights by name, or any weights file by path.

    Raises
    ------
    WeightsError
        The weights are missing, damaged (their SHA-256 differs from the card's), or of an
        unknown kind.
    """
    if str(name) in (*embedded_models(), RETINA):
        path = EMBEDDED / f"{name}.safetensors"
        return replace(_load_file(path, expected=_expected(path)), name=str(name))
    path = Path(name)
    if not path.suffix:
        raise WeightsError(
            str(name),
            "is not among the weights that come with the package",
            f"Choose one of {', '.join((AUTO, *embedded_models()))}, or give a file.",
        )
    return _load_file(path, expected=None)


def load_checkpoint(path: str | Path) -> nn.Module:
    """Load the network of one of our safetensors files, or of a "unet-pytorch" VGG U-Net ``.pth``.

    Returns
    -------
    network
        In evaluation mode, on the CPU.

    Raises
    ------
    WeightsError
        The file is missing, damaged, or of an unknown kind.
    """
    return _load_file(Path(path), expected=None).network


def save_model(
    path: Path,
    network: UNet,
    *,
    canvases: dict[str, int],
    threshold: float,
    thresholds: Mapping[str, float] | None = None,
    halved: bool = False,
    target: Target = "npa",
) -> str:
    """Write a network in half precision and return the file's SHA-256.

    The parameters not listed are attributes of :class:`Model`.

    Parameters
    ----------
    target
        What the network was trained for; one with two outputs has learned both targets.

    Raises
    ------
    SaveError
        The file cannot be written.
    WeightsError
        The parameters do not describe a network that can be used.
    """
    text = header_text(
        network.config,
        canvases=canvases,
        threshold=threshold,
        thresholds=thresholds or {},
        halved=halved,
        target=target,
    )
    tensors = {
        key: value.half().contiguous() if value.is_floating_point() else value.contiguous()
        for key, value in network.state_dict().items()
    }
    with atomic(path) as temporary:
        temporary.write_bytes(save(tensors, metadata={HEADER: text}))
    return file_sha256(path)


def header_text(
    config: UNetConfig,
    *,
    canvases: Mapping[str, int],
    threshold: float,
    thresholds: Mapping[str, float],
    halved: bool,
    target: Target,
) -> str:
    """Describe a network for its file; the parameters are those of :func:`save_model`.

    Raises
    ------
    WeightsError
        It could not be read again.
    """
    header = {
        "format": FORMAT,
        "network": asdict(config),
        "input": FED[target],
        "output": "npa+retina" if config.outputs == 2 else target,
        "canvases": dict(canvases),
        "threshold": threshold,
        "thresholds": dict(thresholds),
        "halved": halved,
    }
    text = json.dumps(header)
    try:
        read_header(text, "weights")
    except ValueError as error:
        raise WeightsError(
            "weights", f"cannot be used as described ({error})", "Choose other settings."
        ) from error
    return text


def _expected(weights: Path) -> str:
    """SHA-256 of embedded weights by their card."""
    card = weights.with_suffix(".json")
    try:
        return msgspec.json.decode(ordinary_bytes(card, MOST_BYTES), type=Card).sha256
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(
            card, f"cannot be read ({error})", "Install the package again."
        ) from error


def _load_file(path: Path, expected: str | None) -> Model:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe could block for ever
            raise WeightsError(path, "is not an ordinary file", "Give a weights file.")
        sha256 = file_sha256(path)
    except OSError as error:
        raise WeightsError(
            path, f"cannot be read ({error.strerror})", "Check the path of the weights."
        ) from error
    if expected is not None and sha256 != expected:
        raise WeightsError(
            path,
            "is damaged: its SHA-256 is not the one on its card",
            "Install the package again; the file was not used.",
        )
    if path.suffix == ".safetensors":
        return _load_own(path, sha256)
    return Model(
        network=load_unet_pytorch(path),
        name=path.name,
        sha256=sha256,
        input="rgb",
        output="classes",
        canvases=dict(DEFAULT_CANVASES),
        threshold=0.5,
    )


def _load_own(path: Path, sha256: str) -> Model:
    try:
        with safe_open(path, framework="pt") as file:
            header = read_header((file.metadata() or {}).get(HEADER), path.name)
            network = build_for_loading(header.config)
            network.load_state_dict(_tensors(file, network), assign=True)
    except (SafetensorError, OSError, ValueError, RuntimeError, MemoryError) as error:
        raise WeightsError(
            path,
            f"does not hold a network of this program ({error})",
            "Give a .safetensors file made by 'napari-npa train'.",
        ) from error
    return Model(
        network=network.eval(),
        name=path.name,
        sha256=sha256,
        input=header.input,
        output=header.output,
        canvases=msgspec.to_builtins(header.canvases),
        threshold=header.threshold,
        thresholds=msgspec.to_builtins(header.thresholds),
        halved=header.halved,
    )


def _tensors(file: Any, network: UNet) -> dict[str, Tensor]:  # noqa: ANN401 - of safetensors
    """Read the tensors that a network has, in full precision; none before all have its shapes."""
    wanted, held = network.state_dict(), set(file.keys())
    if different := sorted(wanted.keys() ^ held):
        raise ValueError(f"the tensor {different[0]} is missing or too many")
    for name, like in wanted.items():
        if tuple(file.get_slice(name).get_shape()) != tuple(like.shape):
            raise ValueError(f"the tensor {name} has another shape")
    return {
        name: usable(name, file.get_tensor(name), like=tensor) for name, tensor in wanted.items()
    }
