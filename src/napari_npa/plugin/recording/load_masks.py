"""Load masks…: puts saved masks into the result of the image on screen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_info
from napari.viewer import Viewer
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_npa.io.masks import read_mask
from napari_npa.io.names import MASK_ENDINGS, RETINA_ENDING
from napari_npa.plugin.layers.result_layers import ImageResult, results_of
from napari_npa.plugin.qt.jobs import Job
from napari_npa.plugin.qt.messages import tell
from napari_npa.plugin.recording.recorder import annotations_of

if TYPE_CHECKING:
    from napari_npa.io.angiogram import Angiogram
    from napari_npa.types import Mask, Progress, Target

FILES = "Masks and results (*.tif *.tiff *.png *.jpg *.jpeg *_npa.json);;All files (*)"

NO_RESULT = "Press Run first: masks are loaded into the result of the image on screen."


@dataclass(frozen=True, eq=False)
class LoadedMasks:
    """Masks that were read for an image.

    Attributes
    ----------
    masks
        One or both.
    basis
        Identity of the saved result that they are, see
        :class:`napari_npa.results.result.Result`; empty: of none of this image.
    other
        Image that they were saved for, if it is another; else empty.
    """

    masks: dict[Target, Mask]
    basis: str = ""
    other: str = ""


def load_masks(viewer: Viewer) -> None:
    """Ask for a mask, or a file of a saved result, and put it into the result on screen."""
    viewer = getattr(viewer, "__wrapped__", viewer)
    result = results_of(viewer).current
    if result is None:
        show_info(NO_RESULT)
        return
    window = viewer.window._qt_window
    path, _ = QFileDialog.getOpenFileName(window, "Load masks", "", FILES)
    if path:
        angiogram = result.segmentation.angiogram
        job = Job(partial(read_masks, Path(path), angiogram))
        job.on_return.append(partial(_put, viewer, result, Path(path).name))
        job.on_failure.append(tell)
        job.start()


def read_masks(path: Path, angiogram: Angiogram, progress: Progress) -> LoadedMasks:
    """Read the masks of an image; slow, for a worker.

    Parameters
    ----------
    path
        A mask, or a file of a saved result: then both its masks are read if it is of this image.
    angiogram
        The image; the masks must have its size.
    progress
        Not called: reading is one step.

    Raises
    ------
    AngiogramError
        It is no mask, of another size, or a result without masks.
    """
    from napari_npa.results.folder import ResultFolder
    from napari_npa.results.saved import SavedResult

    ending = next((ending for ending in MASK_ENDINGS if path.stem.endswith(ending)), "")
    stem = path.stem.removesuffix(ending)
    saved = SavedResult.at(path.with_name(stem)) if ending else None
    if saved is not None and saved.sha256 == angiogram.sha256:
        result = ResultFolder(path.parent).load(angiogram, stem)
        return LoadedMasks({"npa": result.npa, "retina": result.retina}, result.basis)
    target: Target = "retina" if ending == RETINA_ENDING else "npa"
    mask = read_mask(path, angiogram.pixels.shape)
    return LoadedMasks({target: mask}, other=saved.image if saved is not None else "")


def _put(viewer: Any, result: ImageResult, name: str, loaded: LoadedMasks) -> None:  # noqa: ANN401
    """Put masks into the layers of a result, as an edit that can be undone."""
    if not result.is_whole(viewer) or (loaded.other and not _may_load(viewer, name, loaded.other)):
        return
    npa, retina = result.masks()
    result.put(loaded.masks.get("npa", npa), loaded.masks.get("retina", retina))
    result.basis = loaded.basis or result.basis
    annotations_of(viewer).record("masks loaded", result, is_work=not loaded.basis)
    layers = " and ".join(f"'{result.layer(target).name}'" for target in loaded.masks)
    show_info(f"'{name}' is in {layers} now; Ctrl+Z in each takes it back.")


def _may_load(viewer: Any, name: str, other: str) -> bool:  # noqa: ANN401
    """Ask whether the masks of another image are wanted."""
    yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
    question = f"'{name}' was saved for another image, '{other}'.\n\nLoad it all the same?"
    window = viewer.window._qt_window
    return bool(QMessageBox.question(window, "Another image?", question, yes | no, no) == yes)
