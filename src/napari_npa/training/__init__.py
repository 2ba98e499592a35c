"""Train the networks: data, augmentation, loss, recipe."""

from napari_npa.models.triton_guard import import_triton_apart

import_triton_apart()  # before torch.optim and lightning
