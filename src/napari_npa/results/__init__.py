"""The result of an image on disk, and the folder of results."""
