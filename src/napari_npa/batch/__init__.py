"""A folder at a time: masks for each angiogram, and one table.

:func:`run_batch` is what ``napari-npa batch`` and the panel call; :mod:`napari_npa.batch.cluster`
runs the same on the machines of a Dask cluster.
"""

from napari_npa.batch.one_image import BatchOptions
from napari_npa.batch.run import BatchReport, Finished, run_batch
from napari_npa.io.folder import FoundImages, find_images

__all__ = [
    "BatchOptions",
    "BatchReport",
    "Finished",
    "FoundImages",
    "find_images",
    "run_batch",
]
