"""Opens an image of a batch in the viewer, with its saved masks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_npa.plugin.qt.jobs import Job, Jobs
from napari_npa.plugin.qt.messages import tell
from napari_npa.plugin.recording.recorder import annotations_of
from napari_npa.plugin.review.messages import line_of_found
from napari_npa.plugin.review.preparation import Prepared, Preparer, read_queue
from napari_npa.plugin.review.reviewed_image import ReviewedImage

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_npa.review.queue import ReviewQueue
    from napari_npa.segmentation.segmenter import Segmenter


class ResultOpener(QObject):
    """Shows one image of a batch at a time, but keeps images with unsaved corrections.

    Parameters
    ----------
    viewer
        Viewer in which images are opened.
    segmenter_of
        Makes the segmenter; called in a worker. The network runs once for each image that is
        opened, so that threshold and corrections work as they do after a run.
    panel
        Panel with which Qt deletes this object.
    """

    status_changed = Signal(str)
    """A new line of status."""

    def __init__(
        self, viewer: Viewer, segmenter_of: Callable[[], Segmenter], panel: QObject
    ) -> None:
        super().__init__(panel)
        self.viewer = viewer
        self.annotations = annotations_of(viewer)
        self.jobs = Jobs()
        self.preparer = Preparer(segmenter_of, self)
        self.preparer.advanced.connect(self._show)
        self.shown: ReviewedImage | None = None
        self._path: Path | None = None
        self._wanted: tuple[ReviewQueue, int] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether an image is being read or segmented."""
        return bool(self.jobs or self.preparer.jobs)

    def open(self, image: Path, output: Path) -> None:
        """Open an image with its results, unless it is open or being opened.

        Parameters
        ----------
        image
            File of the angiogram.
        output
            Folder of its results.
        """
        is_open = self.shown is not None and self.shown.is_open
        if self._path == image and (self.is_busy or is_open):
            return  # Enter and a double click may ask for it twice
        self.status_changed.emit(f"Reading '{image.name}'…")
        self._path, self._wanted = image, None
        job = Job(partial(read_queue, image.parent, output, False, image.name, None))
        self.jobs.start(job, partial(self._want, image), self._fail)

    def abandon(self) -> None:
        """Stop all jobs: the panel is gone."""
        self.jobs.abandon()
        self.preparer.abandon()

    def _want(self, image: Path, queue: ReviewQueue) -> None:
        if image != self._path:
            return  # the user has chosen another meanwhile
        if queue.present != image:
            self.status_changed.emit(f"'{image.name}' is not in its folder any more.")
            return
        self.let_go()
        self._wanted = (queue, queue.position)
        self._show(self.preparer.want(*self._wanted))

    def let_go(self) -> None:
        """Remove the last image from the viewer, unless it has unsaved corrections."""
        if self.shown is not None and self.shown.unsaved() is None:
            self.shown.remove()
        self.shown = None

    def _show(self, prepared: Prepared) -> None:
        if (prepared.queue, prepared.at) != self._wanted:
            return
        name = prepared.queue.images[prepared.at].name
        if prepared.opened is not None and self.shown is None:
            self.shown = ReviewedImage(prepared.opened, self.viewer)
            self.status_changed.emit(f"'{name}' is open; its masks follow…")
        if prepared.found is not None and self.shown is not None:
            is_shown = self.shown.show(prepared.found)
            if (result := self.shown.result) is not None:
                result.folder = prepared.queue.results
                self.annotations.record("masks saved earlier", result, is_work=False)
            self.status_changed.emit(line_of_found(prepared, prepared.found, shown=is_shown))
        if prepared.error is not None:
            self.status_changed.emit(tell(prepared.error))

    def _fail(self, error: Exception) -> None:
        self.status_changed.emit(tell(error))
