"""Finds the annotation that was kept of an image, offers it, and puts it back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_npa.annotation.file import Annotation, Summary
from napari_npa.plugin.layers.open import open_file
from napari_npa.plugin.layers.shown_image import ShownImage
from napari_npa.plugin.qt.jobs import Job, Jobs
from napari_npa.plugin.qt.messages import tell
from napari_npa.plugin.recording.recorder import annotations_of
from napari_npa.plugin.recording.recovery_bar import RecoveryBar
from napari_npa.plugin.recording.work import kept_annotation, unsaved_file

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_npa.plugin.layers.result_layers import ImageResult


class Recovery(QObject):
    """Offers annotations in a panel's bar, and restores them.

    Parameters
    ----------
    bar
        Bar that shows the offer.
    viewer
        Viewer of the image.
    jobs
        Jobs of the panel.
    panel
        Panel with which Qt deletes this object.
    """

    opened = Signal(object)
    """The image of an annotation was read; carries its layer data."""

    run_wanted = Signal()
    """Asks the panel to segment the image, so that the annotation can replace the masks."""

    def __init__(self, bar: RecoveryBar, viewer: Viewer, jobs: Jobs, panel: QObject) -> None:
        super().__init__(panel)
        self.bar, self.viewer, self.jobs = bar, viewer, jobs
        self.annotations = annotations_of(viewer)
        self.image: Image | None = None
        self._restoring: str | None = None
        bar.restore_wanted.connect(self.restore)
        bar.discard_wanted.connect(self.discard)

    def look_at_start(self) -> None:
        """Offer the newest unsaved annotation, as long as no image is open."""
        job = Job(partial(unsaved_file, self.annotations.store))
        self.jobs.start(job, self._offer_file, tell)

    def look_for(self, image: Image | None) -> None:
        """Offer the annotation kept of an image that has no result yet; None: offer nothing."""
        self.image = image
        self.bar.withdraw()
        if image is not None:
            shown = ShownImage.of(image, self.viewer)
            job = Job(partial(kept_annotation, shown, self.annotations.store))
            # That an image is not an angiogram is reported when it is segmented.
            self.jobs.start(job, partial(self._offer, image, image.name))

    def restore(self) -> None:
        """Go on with the offered annotation; open its image first if necessary."""
        offered = self.bar.offered
        if isinstance(offered, Summary) and offered.source is not None:
            self._restoring = offered.image_sha256
            self.jobs.start(Job(partial(open_file, offered.source)), self.opened.emit, tell)
        elif isinstance(offered, Annotation):
            self._restoring = offered.session.image_sha256
            self.run_wanted.emit()

    def discard(self) -> None:
        """Delete the offered annotation."""
        offered = self.bar.offered
        if offered is not None:
            summary = offered.summary if isinstance(offered, Annotation) else offered
            self.annotations.discard(summary.image_sha256)
        self.bar.withdraw()

    def put_back(self, result: ImageResult) -> list[str]:
        """Put the annotation into a new result, if the user wanted that.

        Returns
        -------
        lines
            What to say about it.
        """
        offered, wanted = self.bar.offered, self._restoring
        self.bar.withdraw()
        self._restoring = None
        is_of = result.segmentation.angiogram.sha256
        if not isinstance(offered, Annotation) or wanted != is_of:
            return []
        self.annotations.resume(offered, result)
        return [" ".join(["Your corrections are back.", *offered.notes])]

    def _offer_file(self, summary: Summary | None) -> None:
        if summary is not None and self.image is None:
            self.bar.offer_file(summary)

    def _offer(self, image: Image, name: str, annotation: Annotation | None) -> None:
        if annotation is None or image is not self.image:
            return
        self.bar.offer(annotation, name)
        if self._restoring == annotation.session.image_sha256:
            self.restore()
