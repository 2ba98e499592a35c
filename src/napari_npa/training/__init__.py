"""Train the networks: data, augmentation, losses, and runs."""
