"""Panel that goes through a folder of angiograms, image by image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari.viewer import Viewer
from qtpy.QtCore import QModelIndex
from qtpy.QtWidgets import QFileDialog

from napari_npa.models.names import AUTO
from napari_npa.plugin.layers.result_layers import results_of
from napari_npa.plugin.qt.jobs import Job, Jobs
from napari_npa.plugin.qt.keys import REVIEW_KEYS, bind, unbind
from napari_npa.plugin.qt.messages import tell
from napari_npa.plugin.qt.model_choice import KeptSegmenter, devices
from napari_npa.plugin.recording.recorder import annotations_of
from napari_npa.plugin.recording.saving import start_saving
from napari_npa.plugin.recording.work import save, save_ungradable
from napari_npa.plugin.review.controls import ReviewControls
from napari_npa.plugin.review.messages import (
    ALL_DONE,
    is_ungradable,
    line_of_error,
    line_of_failed_save,
    line_of_found,
    may_leave_work,
)
from napari_npa.plugin.review.preparation import Prepared, Preparer, read_queue, read_records, store
from napari_npa.plugin.review.reviewed_image import ReviewedImage
from napari_npa.plugin.review.wish import ReviewWish

if TYPE_CHECKING:  # torch is imported in the worker only: it takes seconds
    from napari_npa.results.result import Result
    from napari_npa.results.saved import SavedResult
    from napari_npa.review.queue import ReviewQueue
    from napari_npa.segmentation.segmenter import Segmenter
    from napari_npa.types import Mode, Progress

RESULTS = "npa_results"
"""Subfolder of the images' folder for the results, until the user chooses another."""


class ReviewPanel(ReviewControls):
    """Open a folder, correct its images one by one, approve them.

    Parameters
    ----------
    viewer
        Where the images are shown.

    Attributes
    ----------
    model, mode
        How images that are not segmented yet will be: the name of embedded weights, or a file.
    folders
        Of angiograms and of results, as they were last asked for.
    queue
        The folder that is gone through, and where in it.
    shown
        The image of the queue that is in the viewer.
    busy
        Whether a folder is being read or masks are being saved; moving waits for that.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.model: str | Path = AUTO
        self.mode: Mode = "two-scale"
        self.segmenter = KeptSegmenter()
        self.jobs = Jobs()
        self.preparer = Preparer(self._load, self)
        self.folders: tuple[Path, Path] | None = None
        self.queue: ReviewQueue | None = None
        self.shown: ReviewedImage | None = None
        self.busy = False
        self.annotations = annotations_of(self.viewer)
        self._connect()
        self.refresh()
        self.jobs.start(Job(devices), failed=self._fail_aside)  # torch, while the user looks

    def _connect(self) -> None:
        self.choose_images.clicked.connect(self.ask_for_images)
        self.choose_output.clicked.connect(self.ask_for_output)
        self.recursive.clicked.connect(self.open_again)
        self.previous.clicked.connect(self.go_previous)
        self.next.clicked.connect(self.go_next)
        self.next_to_do.clicked.connect(self.go_to_next_to_do)
        self.approve_button.clicked.connect(self.approve)
        self.ungradable_button.clicked.connect(self.mark_ungradable)
        self.models.chosen.connect(self._choose_model)
        self.modes.toggled.connect(self._choose_model)
        self.list.clicked.connect(self.go_to_row)
        self.list.activated.connect(self.go_to_row)
        self.preparer.advanced.connect(self._show_prepared)
        self.connections.connect(results_of(self.viewer).chosen, self.refresh)
        bind(self.viewer, REVIEW_KEYS, [self.go_next, self.go_previous, self.approve])
        self.destroyed.connect(partial(unbind, self.viewer, REVIEW_KEYS))
        self.destroyed.connect(self.jobs.abandon)
        self.destroyed.connect(self.preparer.abandon)

    # Model

    def _choose_model(self) -> None:
        chosen = self.models.choice, self.modes.mode
        if chosen != (self.model, self.mode):
            self.model, self.mode = chosen
            self.preparer.segment_again()

    # Folder

    def ask_for_images(self) -> None:
        """Ask for a folder of angiograms and open it."""
        folder = QFileDialog.getExistingDirectory(self, "Folder of angiograms")
        if folder:
            self.open_folder(Path(folder), Path(folder) / RESULTS, self.recursive.isChecked())

    def ask_for_output(self) -> None:
        """Ask for a folder for the results of the images that are open."""
        folder = QFileDialog.getExistingDirectory(self, "Folder for the results")
        if folder and self.queue is not None:
            self.open_folder(self.queue.folder, Path(folder), self.queue.recursive)

    def open_again(self) -> None:
        """Open the folder with its subfolders, or without, as the check box says."""
        if self.folders is not None:
            self.open_folder(*self.folders, self.recursive.isChecked())

    def open_folder(
        self, images: Path, output: Path, recursive: bool = False, at: str = ""
    ) -> None:
        """Go through a folder, from where an earlier review stopped or from an image.

        Parameters
        ----------
        images, output, recursive, at
            As for :func:`napari_npa.plugin.review.preparation.read_queue`.
        """
        if not self.busy:
            self.folders = images, output
            self._leave(partial(self._read, partial(read_queue, *self.folders, recursive, at)))

    def open_batch(self, wish: ReviewWish) -> None:
        """Go through the folder of a batch, with the model of the batch."""
        if isinstance(wish.model, Path) and self.models.choice != wish.model:
            self.models.choose_file(wish.model)
        self.modes.setChecked(wish.two_scales)
        self.open_folder(wish.images, wish.output, wish.recursive, wish.at)

    def _read(self, read: Callable[[ReviewQueue | None, Progress], ReviewQueue]) -> None:
        self._begin("Reading the folder…")
        # The new queue must contain what was saved and approved of the same folder.
        self.jobs.start(Job(partial(read, self.queue)), self._take_queue, self._fail)

    def _take_queue(self, queue: ReviewQueue) -> None:
        self.busy = False
        self._leave(partial(self._start_queue, queue))

    def _start_queue(self, queue: ReviewQueue) -> None:
        self._close_image()
        self.queue = queue
        self.images_folder.setText(str(queue.folder))
        self.output_folder.setText(str(queue.output))
        self.list_model.list_images_of(queue)
        self.jobs.start(Job(partial(read_records, queue)), self.refresh)
        self._open(queue.position)
        if queue.warning is not None:
            self.status.setText(tell(queue.warning))

    # Moving

    def go_next(self) -> None:
        """Open the image after the present one."""
        if self.queue is not None:
            self.go_to(self.queue.next)

    def go_previous(self) -> None:
        """Open the image before the present one."""
        if self.queue is not None:
            self.go_to(self.queue.previous)

    def go_to_next_to_do(self) -> None:
        """Open the next image that is not done."""
        if self.queue is not None:
            self.go_to(self.queue.next_to_do)

    def go_to_file(self, path: Path | None) -> bool:
        """Open the image of a file, if it is one of the queue.

        Returns
        -------
        is_one
            False if it is not, or if the panel is busy.
        """
        if self.queue is None or self.busy or path not in self.queue.images:
            return False
        self.go_to(self.queue.images.index(path))
        return True

    def go_to(self, at: int | None) -> None:
        """Save what has changed, then open an image of the queue, if there is one."""
        if self.queue is None or self.busy:
            return
        if at is None:
            self.status.setText("There is no other image that way.")
        elif at != self.queue.position or self.shown is None or not self.shown.is_open:
            self._leave(partial(self._open, at))

    def approve(self) -> None:
        """Save the masks, approve them, and go to the next image to do."""
        result = self.shown.result if self.shown is not None else None
        if self.queue is None or result is None or self.busy:
            return
        sha256 = result.segmentation.angiogram.sha256
        kept = self.annotations.unused_work(sha256, self.viewer)
        if kept and not may_leave_work(self, kept, "Approve the masks without them?"):
            return
        approve = partial(self._approve, sha256)
        if self.shown is None or self.shown.is_on_disk:
            self._leave(approve)
        else:
            self._save(result.snapshot(), partial(self._leave, approve))

    def mark_ungradable(self) -> None:
        """Write that no part of the image can be judged, and go to the next to do."""
        if self.queue is None or self.shown is None or self.busy:
            return
        if not is_ungradable(self, self.queue.present.name, self.shown.holds_work()):
            return
        kept = self.annotations.unused_work(self.shown.angiogram.sha256, self.viewer)
        if kept and not may_leave_work(self, kept, "Is it ungradable all the same?"):
            return
        self._begin(f"Marking '{self.queue.present.name}' as ungradable…")
        write = partial(save_ungradable, self.queue.results, self.shown.angiogram, self.shown.basis)
        start_saving(self.jobs, write, self._end_ungradable, self._fail_save, self)

    def _end_ungradable(self, saved: SavedResult) -> None:
        assert self.queue is not None
        assert self.shown is not None
        self.queue.saved(self.queue.position, saved)
        self.shown.note_ungradable(saved.written_identity)
        self._end("")
        self._approve(self.shown.angiogram.sha256)

    def go_to_row(self, row: QModelIndex) -> None:
        """Open the image of a row of the list."""
        self.go_to(row.row())
        self.refresh()

    def _approve(self, sha256: str) -> None:
        assert self.queue is not None
        self.queue.approve(self.queue.position, sha256)
        to_do = self.queue.next_to_do
        if to_do is not None:
            self._open(to_do)
            return
        self._store()
        self.status.setText(ALL_DONE)
        self.refresh()

    def _open(self, at: int) -> None:
        assert self.queue is not None
        self._close_image()
        self.queue.go_to(at)
        self._store()
        self.status.setText(f"Reading '{self.queue.present.name}'…")
        ahead = [] if self.queue.next is None else [self.queue.next]
        self._show_prepared(self.preparer.want(self.queue, at, *ahead))

    def _close_image(self) -> None:
        if self.shown is not None:
            self.shown.remove()
        self.shown = None

    # Showing

    def _show_prepared(self, prepared: Prepared) -> None:
        """Show as much of the present image as is ready; ignore images ahead."""
        if prepared.queue is not self.queue or prepared.at != self.queue.position:
            return
        if prepared.opened is not None and self.shown is None:
            self.shown = ReviewedImage(prepared.opened, self.viewer)
            self.queue.opened(prepared.at, prepared.opened.angiogram.sha256)
            self.status.setText(f"Segmenting '{self.queue.present.name}'…")
        if prepared.found is not None:
            self._show_found(prepared)
        if prepared.error is not None:
            self.status.setText(line_of_error(prepared, prepared.error))
        if prepared.is_unreadable:
            self.queue.failed(prepared.at, str(prepared.error))
            self._store()
        self.refresh()

    def _show_found(self, prepared: Prepared) -> None:
        assert self.shown is not None
        assert prepared.found is not None
        shown = self.shown.show(prepared.found)
        if (result := self.shown.result) is not None:
            result.folder = prepared.queue.results
            self.annotations.record("masks saved earlier", result, is_work=False)
        self.status.setText(line_of_found(prepared, prepared.found, shown=shown))

    def refresh(self, _: object = None) -> None:
        """Show the state of the queue."""
        shown = self.shown
        has_result = shown is not None and shown.result is not None
        self.show_place(self.queue, self.busy, shown is not None, has_result)

    # Saving

    def _leave(self, then: Callable[[], None]) -> None:
        """Save the masks in the viewer if they have changed, then go on."""
        snapshot = self.shown.unsaved() if self.shown is not None else None
        if snapshot is None:
            then()
        else:
            # Strokes painted during the save are saved in another turn.
            self._save(snapshot, partial(self._leave, then))

    def _save(self, snapshot: Result, then: Callable[[], None]) -> None:
        assert self.queue is not None
        self._begin(f"Saving '{self.queue.present.name}'…")
        assert self.shown is not None
        assert self.shown.result is not None
        session = self.annotations.as_record(self.shown.result)
        write = partial(save, self.queue.results, replace(snapshot, session=session))
        then_saved = partial(self._end_save, snapshot, then)
        start_saving(self.jobs, write, then_saved, self._fail_save, self)

    def _end_save(self, snapshot: Result, then: Callable[[], None], saved: SavedResult) -> None:
        assert self.queue is not None
        assert self.shown is not None
        self.queue.saved(self.queue.position, saved)
        self.shown.note_saved(snapshot)
        if self.shown.result is not None:
            self.shown.result.basis = saved.written_identity
            self.annotations.saved(self.shown.result, saved.base.parent)
        self._end("")
        then()

    def _fail_save(self, error: Exception) -> None:
        self._end(line_of_failed_save(error))

    def _store(self) -> None:
        assert self.queue is not None
        self.jobs.start(Job(partial(store, self.queue)), None, self._fail_aside)

    def _fail_aside(self, error: Exception) -> None:
        self.status.setText(tell(error))

    def _begin(self, doing: str) -> None:
        self.busy = True
        self.status.setText(doing)
        self.refresh()

    def _end(self, line: str) -> None:
        self.busy = False
        self.status.setText(line)
        self.refresh()

    def _fail(self, error: Exception) -> None:
        self._end(tell(error))

    def _load(self) -> Segmenter:
        return self.segmenter.get("auto", self.model, self.mode)
