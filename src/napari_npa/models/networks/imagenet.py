"""ImageNet weights from torchvision, or a clear word on why there are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.error import URLError

from torch import nn
from torchvision.models import WeightsEnum

from napari_npa.errors import WeightsError


def fetched(build: Callable[..., nn.Module], weights: WeightsEnum | None) -> Any:  # noqa: ANN401
    """Build one of torchvision's classifiers, with weights from its cache or the network.

    Raises
    ------
    WeightsError
        The weights are not on this machine and cannot be fetched.
    """
    try:
        return build(weights=weights)
    except (URLError, OSError) as error:
        raise WeightsError(
            f"{build.__name__} ImageNet weights",
            f"could not be fetched ({error})",
            "Connect to the network once, or train without pre-training.",
        ) from error
