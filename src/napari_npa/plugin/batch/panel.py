"""The panel that segments a folder of angiograms and shows the results."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from napari.viewer import Viewer
from qtpy.QtCore import QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog
from superqt.utils import signals_blocked

from napari_npa.io.names import MANIFEST, TABLE, stays_inside
from napari_npa.plugin.batch.controls import BatchControls
from napari_npa.plugin.batch.job import BatchChoices, BatchJob
from napari_npa.plugin.batch.opener import ResultOpener
from napari_npa.plugin.batch.watched_table import ReadTable, WatchedTable
from napari_npa.plugin.qt.jobs import Job, Jobs
from napari_npa.plugin.qt.messages import tell
from napari_npa.plugin.qt.model_choice import (
    KeptSegmenter,
    devices,
)
from napari_npa.plugin.review.panel import RESULTS
from napari_npa.plugin.review.wish import ReviewWish
from napari_npa.results.table import Row, merged

if TYPE_CHECKING:
    from napari_npa.batch import BatchReport, Finished
    from napari_npa.segmentation.segmenter import Segmenter

SHOW_MS = 400
"""Time between two updates of the table during a run."""

MOST_NAMED = 5
"""Files that were left out and are named under the progress; the manifest names all."""


class BatchPanel(BatchControls):
    """Lets the user choose folders, run, watch the table, open and review images.

    Parameters
    ----------
    viewer
        Viewer in which images are opened.

    Attributes
    ----------
    images, output
        Folders of angiograms and of results, None until they are known.
    run_job
        The current run, None if there is none.
    """

    review_wanted = Signal(object)
    """Carries a :class:`ReviewWish`."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.images: Path | None = None
        self.output: Path | None = None
        self.run_job: BatchJob | None = None
        self.jobs = Jobs()
        self.segmenter = KeptSegmenter()
        self.opener = ResultOpener(self.viewer, self._load, self)
        self.on_disk = WatchedTable(self)
        self._rows_on_disk: list[Row] = []
        self._rows_of_run: list[Row] = []
        self._is_new_folder = False
        self._worked_on = 0
        self._started = 0.0
        self._ticks = QTimer(self)
        self._ticks.setInterval(SHOW_MS)
        self._connect()
        self._enable()
        self.jobs.start(Job(devices), self._offer, self._fail)

    def _connect(self) -> None:
        self.choose_images.clicked.connect(self.ask_for_images)
        self.choose_output.clicked.connect(self.ask_for_output)
        self.models.chosen.connect(self._enable)
        self.run.clicked.connect(self.start_run)
        self.cancel.clicked.connect(self.cancel_run)
        self._ticks.timeout.connect(self._show_progress)
        self.on_disk.read.connect(self._take_table)
        self.on_disk.failed.connect(self._fail)
        self.results.chosen_changed.connect(self._enable)
        self.results.open_wanted.connect(self.open_chosen)
        self.open.clicked.connect(self.open_chosen)
        self.review.clicked.connect(self.review_these)
        self.opener.status_changed.connect(self.opening.setText)
        for running in (self.jobs, self.opener, self.on_disk.jobs, self.results.thumbnails.jobs):
            self.destroyed.connect(running.abandon)

    # Folders

    def ask_for_images(self) -> None:
        """Ask for a folder of angiograms; until another is chosen, results go to a folder in it."""
        folder = QFileDialog.getExistingDirectory(self, "Folder of angiograms")
        if folder:
            self.choose_folders(Path(folder), Path(folder) / RESULTS)

    def ask_for_output(self) -> None:
        """Ask for a folder of results."""
        folder = QFileDialog.getExistingDirectory(self, "Folder of results")
        if folder:
            self.choose_folders(self.images, Path(folder))

    def choose_folders(self, images: Path | None, output: Path) -> None:
        """Use these folders, and show the table that is in them.

        Parameters
        ----------
        images
            Folder of angiograms; None: that of the last run into `output`.
        output
            Folder of results; it is made when a run begins.
        """
        self.images, self.output = images, output
        self._rows_on_disk, self._rows_of_run = [], []
        self._show_rows()
        self.images_folder.setText("–" if images is None else str(images))
        self.output_folder.setText(str(output))
        self._is_new_folder = True  # until its table is read, or a run or an error comes first
        self.status.setText(f"Looking for '{TABLE}'…")
        self.on_disk.watch(output)
        self._enable()

    def _take_table(self, table: ReadTable) -> None:
        """Show the table on disk, and what the current run has finished since."""
        self._rows_on_disk = table.rows
        if self.run_job is None:
            self._rows_of_run = []
            if self.images is None and table.images is not None:
                self.images = table.images
                self.images_folder.setText(str(table.images))
            if self._is_new_folder:
                self._is_new_folder = False
                self.status.setText(self._what_next())
        self._show_rows()
        self._enable()

    def _what_next(self) -> str:
        if self.images is None:
            return "Choose the folder of the images too."
        if self._rows_on_disk:
            return "Results of an earlier run; Run does what is missing."
        return "Press Run."

    # Run

    def start_run(self) -> None:
        """Segment the folder in a worker."""
        if not self._is_ready() or self.images is None or self.output is None:
            return
        choices = BatchChoices(
            images=self.images,
            output=self.output,
            model=str(self.models.choice),
            mode=self.modes.mode,
            probability=self.probability.isChecked(),
            device=self.devices.choice,
            recursive=self.recursive.isChecked(),
            pattern=self.pattern.text().strip() or None,
            resume=not self.overwrite.isChecked(),
            field_of_view=self.fields.choice,
        )
        self._is_new_folder = False
        self._rows_of_run, self._worked_on, self._started = [], 0, perf_counter()
        self.progress.setRange(0, 0)
        self.status.setText(f"Segmenting '{self.images.name}'…")
        self.run_job = BatchJob(choices)
        self.jobs.start(self.run_job, self._show_report, self._fail_run)
        self._ticks.start()
        self._enable()

    def cancel_run(self) -> None:
        """Stop the run after the images that are being segmented."""
        if self.run_job is not None:
            self.run_job.cancel()
            self.cancel.setEnabled(False)
            self.status.setText("Stopping after the images in hand…")

    def _show_progress(self) -> None:
        """Show all images that were finished since the last update."""
        if self.run_job is None:
            return
        self.on_disk.keep_watching()
        finished = self.run_job.take()
        if not finished:
            return
        self._rows_of_run += [image.row for image in finished if not image.left_out]
        self._worked_on += sum(not image.done_before for image in finished)
        self._show_rows()
        last = finished[-1]
        self.progress.setRange(0, last.total)
        self.progress.setValue(last.done)
        if self.cancel.isEnabled():
            self.status.setText(self._pace(last))

    def _pace(self, last: Finished) -> str:
        line = f"{last.done:,} of {last.total:,} images"
        if self._worked_on == 0:
            return line
        rate = 60 * self._worked_on / (perf_counter() - self._started)
        left = (last.total - last.done) / rate
        return f"{line}; {rate:.1f} a minute, about {max(1, round(left)):,} min left"

    def _show_report(self, report: BatchReport) -> None:
        self._show_progress()
        words = ", ".join(f"{number:,} {what}" for what, number in report.counts.items() if number)
        done = "Stopped; Run goes on from there" if report.stopped else "Done"
        lines = [f"{done}: {words}; {report.seconds:.0f} s."]
        if report.counts["failed"]:
            lines.append("'failures only' shows which failed, and why.")
        lines += map(str, report.left_out[:MOST_NAMED])
        if (more := len(report.left_out) - MOST_NAMED) > 0:
            lines.append(f"… and {more} more, all named in '{MANIFEST}'.")
        self._end_run("\n".join(lines))

    def _fail_run(self, error: Exception) -> None:
        self._show_progress()
        self._end_run(tell(error))

    def _end_run(self, message: str) -> None:
        self._ticks.stop()
        self.run_job = None
        self.progress.setRange(0, 1)
        self.progress.reset()
        self.status.setText(message)
        self.on_disk.look()
        self._enable()

    # Table

    def _show_rows(self) -> None:
        if self.output is None:
            return
        # A correction made since is on disk, and newer than the row from the run.
        corrected = {row.result for row in self._rows_on_disk if row.edited}
        fresh = [row for row in self._rows_of_run if not row.result or row.result not in corrected]
        self.results.show_rows(merged(fresh, self._rows_on_disk), self.output)

    # Opening

    def open_chosen(self) -> None:
        """Open the chosen image with its saved masks."""
        row = self.results.chosen
        if row is None or self.images is None or self.output is None:
            return
        if stays_inside(row.image):
            result = self.output / row.image
            self.opener.open(self.images / row.image, result.parent)

    def review_these(self) -> None:
        """Ask for a review of the folders of the batch, to begin at the chosen image."""
        if self.images is None or self.output is None:
            return
        chosen = self.results.chosen
        self.opener.let_go()  # the review opens it itself
        self.review_wanted.emit(
            ReviewWish(
                images=self.images,
                output=self.output,
                recursive=any("/" in row.image for row in self.results.table.rows),
                at=chosen.image if chosen is not None else "",
                model=self.models.choice,
                two_scales=self.modes.isChecked(),
            )
        )

    # Controls

    def _offer(self, present: list[str]) -> None:
        with signals_blocked(self.devices):
            self.devices.offer(present)
        self._enable()

    def _is_ready(self) -> bool:
        return self.images is not None and self.output is not None and self.run_job is None

    def _enable(self) -> None:
        running = self.run_job is not None
        for control in self.options():
            control.setEnabled(not running)
        self.devices.setEnabled(not running and self.devices.count() > 1)
        self.run.setEnabled(self._is_ready())
        self.cancel.setEnabled(running)
        self.progress.setEnabled(running)
        has_rows = self.results.table.rowCount() > 0
        self.open.setEnabled(self.results.chosen is not None and self.images is not None)
        self.review.setEnabled(has_rows and self.images is not None)

    def _fail(self, error: Exception) -> None:
        self._is_new_folder = False
        self.status.setText(tell(error))

    def _load(self) -> Segmenter:
        model = self.models.choice
        return self.segmenter.get(self.devices.choice, model, self.modes.mode)
