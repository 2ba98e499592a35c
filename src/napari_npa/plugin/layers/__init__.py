"""napari's layers: the image, the masks, the regions, and the live index."""
