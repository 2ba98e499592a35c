"""ImageNet weights from torchvision, or an error that says why there are none."""

from __future__ import annotations

from typing import Literal
from urllib.error import URLError

from torch import Tensor

from napari_npa.errors import WeightsError

Classifier = Literal["vgg16", "vgg16_bn", "resnet34"]
"""Networks of torchvision whose layers are encoders here."""


def imagenet_weights(name: Classifier) -> dict[str, Tensor]:
    """Read the weights of one of torchvision's classifiers from its cache, or download them.

    Raises
    ------
    WeightsError
        The weights are not on this machine and cannot be downloaded.
    """
    from torchvision.models import get_model_weights  # slow, and only training needs it

    weights = get_model_weights(name)["IMAGENET1K_V1"]
    try:
        state: dict[str, Tensor] = weights.get_state_dict(progress=True, check_hash=True)
    except (URLError, OSError) as error:
        raise WeightsError(
            f"{name} ImageNet weights",
            f"could not be fetched ({error})",
            "Connect to the network once, or train without pre-training.",
        ) from error
    return state
