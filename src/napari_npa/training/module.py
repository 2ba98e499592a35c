"""The training module: network, loss and optimiser."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_npa.errors import TrainingError
from napari_npa.models.networks import build
from napari_npa.models.weights import load_model
from napari_npa.training.config import TrainingConfig
from napari_npa.training.lightning_apart import LightningModule
from napari_npa.training.losses import combined_loss, segment_loss
from napari_npa.training.views import View
from napari_npa.types import TARGETS

if TYPE_CHECKING:
    from lightning.pytorch.utilities.types import OptimizerLRScheduler


class TrainingModule(LightningModule):
    """Network, loss and optimiser, for lightning's loop.

    Raises
    ------
    TrainingError
        The weights to start from were trained for another target.
    """

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__()
        self.config = config
        network = (
            build(config.network, imagenet=config.imagenet)
            if config.start_from is None
            else load_model(config.start_from).network.train()
        )
        wanted = {"npa": 2, "retina": 1}[config.target]
        if network.config.outputs != wanted:
            raise TrainingError(
                str(config.start_from),
                f"has {network.config.outputs} output(s), but {wanted} are to be learned",
                "Start from weights that were trained for the same.",
            )
        # Channels last is a third faster on processors and GPUs with half-precision units.
        self.network = network.to(memory_format=torch.channels_last)

    def training_step(self, batch: View, index: int) -> Tensor:
        """Compute the loss of one batch of views."""
        images, targets, known = batch
        self.network.freeze_encoder(self.global_step < self.config.frozen * self.config.steps)
        logits = self.network(images.contiguous(memory_format=torch.channels_last)).float()
        loss = combined_loss(
            logits[:, -1:],
            targets[:, 1:],
            cross_entropy_share=self.config.cross_entropy_share,
            class_weight=1.0,
            known=known[:, 1],
        )
        if self.config.target == "npa":
            loss = self._npa_loss(logits[:, :1], targets[:, :1]) + self.config.retina_weight * loss
        self.log("loss", loss, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def _npa_loss(self, logits: Tensor, target: Tensor) -> Tensor:
        config = self.config
        loss = combined_loss(
            logits,
            target,
            cross_entropy_share=config.cross_entropy_share,
            class_weight=config.class_weight,
        )
        if not config.segment_share:
            return loss
        segment_level = segment_loss(logits, target)
        return (1 - config.segment_share) * loss + config.segment_share * segment_level

    def validation_step(self, batch: View, index: int) -> None:
        """Add the pixel counts of one held-out image to those of the pooled Dice."""
        images, targets, _ = batch
        found = TARGETS.index(self.config.target)
        flagged, target = self.network(images)[:, :1].float() > 0, targets[:, found : found + 1]
        self._overlap += int((flagged & (target > 0)).sum())
        self._marked += int(flagged.sum()) + int(target.sum())

    def on_validation_epoch_start(self) -> None:
        """Reset the counts."""
        self._overlap = self._marked = 0

    def on_validation_epoch_end(self) -> None:
        """Log the pooled Dice of the held-out images."""
        self.log("dice", 2 * self._overlap / max(self._marked, 1), prog_bar=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build Adam with a warm-up and a cosine."""
        optimizer = torch.optim.Adam(self.network.parameters(), lr=self.config.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.learning_rate_share)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def learning_rate_share(self, step: int) -> float:
        """Return the learning rate of a step as a share of the peak rate."""
        rising = self.config.warm_up * self.config.steps
        if step < rising:
            return (step + 1) / (rising + 1)
        progress = (step - rising) / max(self.config.steps - rising, 1)
        return 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
