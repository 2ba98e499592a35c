"""The layers that the panels make and read: images, masks, regions; and the live index."""
