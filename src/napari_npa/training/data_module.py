"""The data module: random views to train on, whole images to validate on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.utils.data import DataLoader

from napari_npa.training.config import TrainingConfig
from napari_npa.training.examples import Example
from napari_npa.training.lightning_apart import LightningDataModule
from napari_npa.training.views import (
    DrawnView,
    ExampleCache,
    RandomViews,
    Sampling,
    View,
    whole_view,
)


class TrainingDataModule(LightningDataModule):
    """Draw new views every epoch and validate on whole images.

    Views are numbered throughout a run, so that a resumed run draws the same ones.

    Parameters
    ----------
    train, held_out
        Examples to learn from, and examples to validate on.
    config
        How views are drawn.
    device
        Where the network is trained. Views are rendered there as well if it is a GPU.
    """

    def __init__(
        self,
        train: Sequence[Example],
        held_out: Sequence[Example],
        config: TrainingConfig,
        device: torch.device,
    ) -> None:
        super().__init__()
        # A GPU renders the views itself, because no processor keeps up with it.
        self.on_gpu = device.type == "cuda"
        self.cache = ExampleCache(train, device if self.on_gpu else torch.device("cpu"))
        self.held_out, self.config = held_out, config

    def train_dataloader(self) -> DataLoader[DrawnView]:
        """Load the views of the epoch that is about to start."""
        config = self.config
        done = (self.trainer.current_epoch if self.trainer else 0) * config.steps_per_epoch
        steps = min(config.steps_per_epoch, config.steps - done)
        views = RandomViews(
            self.cache,
            Sampling(config.view, config.shares),
            config.augmentation,
            seed=config.seed,
            first=done * config.batch_size,
            count=steps * config.batch_size,
        )
        return DataLoader(
            views,
            batch_size=config.batch_size,
            collate_fn=views.render_batch,
            # While the processor trains, one process draws and renders.
            num_workers=0 if self.on_gpu else 1,
        )

    def val_dataloader(self) -> DataLoader[View]:
        """Load each held-out image whole, on its canvas."""
        whole = [whole_view(example) for example in self.held_out]
        return DataLoader(whole, batch_size=1)  # type: ignore[arg-type]
