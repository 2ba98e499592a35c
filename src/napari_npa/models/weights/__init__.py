"""Network weights: the embedded ones, a user's own, and those of other programs."""

from napari_npa.models.names import embedded_models
from napari_npa.models.weights.header import Output
from napari_npa.models.weights.store import (
    Model,
    as_model,
    header_text,
    load_checkpoint,
    load_model,
    save_model,
)

__all__ = [
    "Model",
    "Output",
    "as_model",
    "embedded_models",
    "header_text",
    "load_checkpoint",
    "load_model",
    "save_model",
]
