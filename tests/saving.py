"""Results on disk, as the shell and a person at the panel leave them."""

from dataclasses import replace

from napari_npa.io.locking import LOCK
from napari_npa.results.folder import ResultFolder
from napari_npa.results.result import Result


def visible(folder):
    """Files and folders in a folder, without the hidden file by which it is locked."""
    return sorted(path for path in folder.iterdir() if path.name != LOCK)


def save(folder, stem, segmentation, **options):
    """Save an automatic result, replacing what is there."""
    result = Result.of(segmentation, seconds=1.0)
    return ResultFolder(folder).save(result, stem, replace=True, **options)


def save_corrected(folder, stem, segmentation, npa=None, session=None):
    """Save masks as a person corrected them."""
    result = Result.of(segmentation, seconds=1.0)
    mask = result.npa if npa is None else npa
    corrected = replace(result.corrected("npa", mask), edited=True, session=session)
    return ResultFolder(folder).save(corrected, stem, replace=True)
