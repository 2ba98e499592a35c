"""Finds the annotations that were kept, offers them, and puts them back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_npa.annotation.file import Annotation, Summary
from napari_npa.plugin.layers.result_layers import ImageResult, results_of
from napari_npa.plugin.layers.shown_image import ShownImage
from napari_npa.plugin.qt.jobs import Job, Jobs
from napari_npa.plugin.qt.messages import tell
from napari_npa.plugin.qt.panel import Connections
from napari_npa.plugin.recording.recorder import annotations_of
from napari_npa.plugin.recording.recovery_bar import RecoveryBar
from napari_npa.plugin.recording.work import Kept, kept_work, load_kept

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

LOOK_MS = 50
"""What is kept is looked for when nothing has changed for this long: the hash of a frame that no
panel has seen takes time, and a slider passes many."""


class Recovery(QObject):
    """Offers annotations in a bar, and restores them.

    Parameters
    ----------
    bar
        Bar that shows the offer.
    viewer
        Viewer of the images.
    panel
        Panel with which Qt deletes this object.

    Attributes
    ----------
    image_sha256
        Hash of the open image, as far as it is known.
    """

    wanted = Signal(object)
    """Asks for the image of an annotation, a :class:`Summary`, to be shown with its result."""

    said = Signal(str)
    """A line for the user."""

    def __init__(self, bar: RecoveryBar, viewer: Viewer, panel: QObject) -> None:
        super().__init__(panel)
        self.bar, self.viewer = bar, viewer
        self.annotations = annotations_of(viewer)
        self.results = results_of(viewer)
        self.jobs = Jobs()
        self.image_sha256 = ""
        self._awaited: Summary | None = None
        self._looks = 0
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(LOOK_MS)
        self._pause.timeout.connect(self._look_now)
        bar.restore_wanted.connect(self.restore)
        bar.discard_wanted.connect(self.discard)
        self._connections = Connections(self)
        self._connections.connect(self.results.chosen, self._result_chosen)
        self._connections.connect(self.results.on_screen.turned, self.look)
        self._connections.connect(self.annotations.kept_changed, self.look)
        self.destroyed.connect(self.jobs.abandon)
        self.look()

    def look(self) -> None:
        """Offer what is kept now, once the frames on screen have stopped turning."""
        self._pause.start()

    def _look_now(self) -> None:
        self._looks += 1
        image, result = self.results.on_screen.image, self.results.current
        if result is not None:
            where: str | ShownImage = result.segmentation.angiogram.sha256
        else:
            where = "" if image is None else ShownImage.of(image, self.viewer)
        job = Job(partial(kept_work, where, self.annotations.store))
        self.jobs.start(job, partial(self._offer, self._looks, image), tell)

    def restore(self) -> None:
        """Go on with the offered annotation; ask for its image first if necessary."""
        offered, result = self.bar.offered, self.results.current
        if offered is None:
            return
        self._awaited = offered
        if result is not None and result.segmentation.angiogram.sha256 == offered.image_sha256:
            self._load_awaited()
        else:
            self.wanted.emit(offered)

    def discard(self) -> None:
        """Delete the offered annotation, and no other, after a question."""
        offered = self.bar.offered
        if offered is not None and self.bar.may_discard():
            self.annotations.discard(offered)

    def forget(self) -> None:
        """Stop waiting for the image of an annotation: it cannot be shown."""
        self._awaited = None

    def _offer(self, look: int, image: Image | None, kept: Kept) -> None:
        if look != self._looks:
            return  # a later look is on its way
        self.image_sha256 = kept.image_sha256
        open_now = self.annotations.open_sessions(self.viewer)
        offers = [summary for summary in kept.summaries if summary.session_id not in open_now]
        self.bar.offer(offers, kept.image_sha256, "" if image is None else image.name)

    def _result_chosen(self) -> None:
        result, awaited = self.results.current, self._awaited
        shown = "" if result is None else result.segmentation.angiogram.sha256
        if awaited is not None and awaited.image_sha256 == shown:
            self._load_awaited()
        self.look()

    def _load_awaited(self) -> None:
        awaited, self._awaited = self._awaited, None
        result = self.results.current
        assert awaited is not None
        assert result is not None
        pixels = result.segmentation.angiogram.pixels
        shape = (pixels.shape[0], pixels.shape[1])
        job = Job(partial(load_kept, awaited, shape, self.annotations.store))
        self.jobs.start(job, partial(self._put_back, result), self._fail)

    def _put_back(self, result: ImageResult, annotation: Annotation | None) -> None:
        if annotation is None:
            self.said.emit("These corrections are not there any more.")
        elif not result.is_whole(self.viewer):
            self.said.emit("The image was closed meanwhile: nothing was changed.")
        else:
            self.annotations.resume(annotation, result)
            self.said.emit(" ".join(["Your corrections are back.", *annotation.notes]))

    def _fail(self, error: Exception) -> None:
        self.said.emit(tell(error))
        self.look()
