"""What a weights file says of its network, checked before a number of it is read."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from napari_npa.errors import WeightsError
from napari_npa.models.networks import Encoder, UNetConfig

FORMAT = 1
"""Number of the format of weights files."""

Input = Literal["contrast", "levels", "rgb"]
"""What a network is fed: three channels made of the contrast within the gradable retina; the same
made of logarithmic gray levels, before the retina is known; or the gray level three times."""

Output = Literal["npa", "retina", "npa+retina", "classes"]
"""What the logits of a network mean: non-perfusion; gradable retina; both; or two classes that
exclude each other, of which the second is non-perfusion."""

LOGITS: dict[Output, int] = {"npa": 1, "retina": 1, "npa+retina": 2, "classes": 2}
"""How many logits these need."""

Channels = Annotated[int, Meta(ge=1, le=4096)]
Side = Annotated[int, Meta(ge=16, le=8192)]
Probability = Annotated[float, Meta(gt=0, le=1)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Shape(msgspec.Struct, frozen=True):
    """See :class:`napari_npa.models.networks.UNetConfig`."""

    encoder: Encoder
    decoder: tuple[Channels, Channels, Channels, Channels]
    outputs: Annotated[int, Meta(ge=1, le=2)] = 2
    batch_norm: bool = True
    input_stride: Literal[1, 2] = 2
    align_corners: bool = False


class Canvases(msgspec.Struct, frozen=True, rename={"camera_55": "55"}):
    """Side of the canvas by field of view, pixels."""

    camera_55: Side
    uwfa: Side


class Thresholds(msgspec.Struct, frozen=True, rename={"camera_55": "55"}, omit_defaults=True):
    """Thresholds of fields of view in which they differ."""

    camera_55: Probability | None = None
    uwfa: Probability | None = None


class Header(msgspec.Struct, frozen=True):
    """Description of a network; see :class:`napari_npa.models.weights.Model`."""

    format: int
    network: Shape
    input: Input
    output: Output
    canvases: Canvases
    threshold: Probability
    thresholds: Thresholds = Thresholds()
    halved: bool = False

    def __post_init__(self) -> None:
        """Refuse what does not go together; msgspec reports it as its own errors."""
        multiple = self.config.multiple * (2 if self.halved else 1)
        for side in (self.canvases.camera_55, self.canvases.uwfa):
            if side % multiple:
                raise ValueError(f"a canvas of {side} is not a multiple of {multiple}")
        if self.network.outputs != LOGITS[self.output]:
            raise ValueError(f"{self.network.outputs} outputs cannot be '{self.output}'")

    @property
    def config(self) -> UNetConfig:
        """Shape of the network."""
        return UNetConfig(**msgspec.structs.asdict(self.network))


class Card(msgspec.Struct, frozen=True):
    """What is needed of the card beside embedded weights."""

    sha256: Sha256


def read_header(text: str | None, name: str) -> Header:
    """Read the description in a weights file.

    Parameters
    ----------
    text
        JSON; None: the file holds none.
    name
        Of the file, for an error.

    Raises
    ------
    WeightsError
        It is of a newer format.
    ValueError
        It describes no network of this program; msgspec's own errors are such.
    """
    if text is None:
        raise ValueError("it describes no network")
    try:
        if msgspec.json.decode(text, type=_Numbered).format > FORMAT:
            raise WeightsError(
                name, "was written by a newer version of this program", "Update the program."
            )
        return msgspec.json.decode(text, type=Header)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


class _Numbered(msgspec.Struct):
    format: Annotated[int, Meta(ge=1)]
