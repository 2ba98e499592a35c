"""Lightning, imported after triton: see :mod:`napari_npa.models.triton_guard`."""

from napari_npa.models.triton_guard import import_triton_apart

import_triton_apart()  # before torch.optim and lightning

from lightning import (  # noqa: E402
    LightningDataModule,
    LightningModule,
    Trainer,
    seed_everything,
)
from lightning.pytorch.callbacks import (  # noqa: E402
    Callback,
    EMAWeightAveraging,
    ModelCheckpoint,
)
from lightning.pytorch.plugins.io import TorchCheckpointIO  # noqa: E402

__all__ = [
    "Callback",
    "EMAWeightAveraging",
    "LightningDataModule",
    "LightningModule",
    "ModelCheckpoint",
    "TorchCheckpointIO",
    "Trainer",
    "seed_everything",
]
