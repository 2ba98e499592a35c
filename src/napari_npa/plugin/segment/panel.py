"""The panel that segments an angiogram and shows its ischemic index."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Layer
from napari.types import LayerData
from napari.viewer import Viewer
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog
from superqt.utils import signals_blocked

from napari_npa.plugin.layers.open import FILES, PATH, open_file
from napari_npa.plugin.layers.result_layers import ImageResult, results_of
from napari_npa.plugin.layers.shown_image import ShownImage, angiogram_layers
from napari_npa.plugin.qt.jobs import Job, Jobs
from napari_npa.plugin.qt.messages import tell
from napari_npa.plugin.qt.model_choice import (
    KeptSegmenter,
    devices,
)
from napari_npa.plugin.recording.load_masks import load_masks
from napari_npa.plugin.recording.recorder import annotations_of
from napari_npa.plugin.segment.controls import SegmentControls
from napari_npa.plugin.segment.work import segment_shown

if TYPE_CHECKING:
    from napari_npa.segmentation.segmenter import Segmentation

NO_IMAGE = "Open an angiogram; two simulated ones are under File > Open Sample."


class SegmentPanel(SegmentControls):
    """Lets the user choose an angiogram, run and adjust the threshold.

    Parameters
    ----------
    viewer
        Viewer with the images, and for the results.
    """

    correct_wanted = Signal()
    """The user wants to correct the result."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.results = results_of(self.viewer)
        self.annotations = annotations_of(self.viewer)
        self.segmenter = KeptSegmenter()
        self.jobs = Jobs()
        self.run_job: Job | None = None
        self._is_run_wanted = False
        self.image: Image | None = None
        self.result: ImageResult | None = None
        self._connect()
        self.images.choices = lambda _: angiogram_layers(self.viewer)
        self._follow_screen()
        self._start(Job(devices), self._offer)

    def _connect(self) -> None:
        self.images.changed.connect(self._choose_image)
        self.open.clicked.connect(self.ask_and_open)
        self.models.chosen.connect(self._enable)
        self.run.clicked.connect(self.start_run)
        self.cancel.clicked.connect(self.cancel_run)
        self.correct.clicked.connect(self.correct_wanted)
        self.load_masks.clicked.connect(self._load_masks)
        self.connections.connect(self.results.chosen, self._refresh)
        self.connections.connect(self.results.on_screen.turned, self._follow_screen)
        self.threshold.moved.connect(self._move_threshold)
        self.threshold.rested.connect(self._end_move)
        layers = self.viewer.layers.events
        self.connections.connect(layers.removed, self._refresh)
        self.destroyed.connect(self.jobs.abandon)

    # Choices

    def ask_and_open(self) -> None:
        """Ask for an angiogram and read it in a worker."""
        path, _ = QFileDialog.getOpenFileName(self, "Open an angiogram", "", FILES)
        if path:
            self.status.setText(f"Reading '{Path(path).name}'…")
            self._start(Job(partial(open_file, Path(path))), self._show_opened)

    def open_and_run(self, path: Path, frame: int = 0) -> None:
        """Open an angiogram and segment it, as soon as the models are listed.

        Parameters
        ----------
        path
            Its file. A series that is open already is not opened again.
        frame
            Which image of a series, from 0.
        """
        for image in angiogram_layers(self.viewer):
            if frame < len(image.data) and image.ndim > 2 and image.metadata.get(PATH) == str(path):
                self._turn_and_run(image, frame)
                return
        self.status.setText(f"Reading '{path.name}'…")
        self._start(Job(partial(open_file, path)), partial(self._show_and_run, frame))

    def run_soon(self) -> None:
        """Segment the chosen image, as soon as the models are listed."""
        self._is_run_wanted = True
        self._run_if_wanted()

    def _show_and_run(self, frame: int, layer: LayerData) -> None:
        self._turn_and_run(self._show_opened(layer), frame)

    def _turn_and_run(self, image: Image, frame: int) -> None:
        self.results.on_screen.show(image, (frame,) if image.ndim > 2 else ())
        self.run_soon()

    def _run_if_wanted(self) -> None:
        if self._is_run_wanted and self.image is not None and self.models.choice is not None:
            self._is_run_wanted = False
            self.start_run()

    def _show_opened(self, layer: LayerData) -> Image:
        image = self.viewer.add_layer(Layer.create(*layer))
        self.status.setText("")
        return image

    def reset_choices(self, event: object = None) -> None:
        """List the image layers again; napari calls this when layers come, go or are renamed."""
        with self.images.changed.blocked():
            self.images.reset_choices()

    def _load_masks(self) -> None:
        load_masks(self.viewer)

    def _offer(self, present: list[str]) -> None:
        self.devices.offer(present)
        self._enable()
        self._run_if_wanted()

    def _choose_image(self) -> None:
        """Bring the chosen image on screen."""
        if self.images.value is not self.results.on_screen.image:
            self.results.on_screen.show(self.images.value)

    def _follow_screen(self) -> None:
        """Work on the image and the frame that are on screen."""
        self.reset_choices()
        self.image = self.results.on_screen.image
        if self.image is not None:
            with self.images.changed.blocked():
                self.images.value = self.image
        if self.run_job is None:
            self.status.setText("" if self.image is not None else NO_IMAGE)
        self._refresh()
        self._run_if_wanted()

    def _refresh(self) -> None:
        """Show the result of the chosen image, if any, and enable the controls that work."""
        result = self.results.of(self.image, self.viewer)
        if result is not self.result:
            if self.result is not None:
                self.connections.disconnect(self.result.turned, self._show_threshold)
            if result is not None:
                self.connections.connect(result.turned, self._show_threshold)
            self.result = result
        self.fields.tell(None if result is None else result.segmentation.imaged.view.name)
        self._show_threshold()
        self._enable()

    def _enable(self) -> None:
        running = self.run_job is not None
        self.run.setEnabled(self.image is not None and not running)
        self.models.setEnabled(not running)
        self.modes.setEnabled(not running)
        self.fields.setEnabled(not running)
        self.devices.setEnabled(not running and self.devices.count() > 1)
        self.cancel.setEnabled(running)
        self.progress.setEnabled(running)
        self.threshold.setEnabled(self.result is not None and not running)
        for button in (self.correct, self.load_masks):
            button.setVisible(self.result is not None and not running)

    # Run

    def start_run(self) -> None:
        """Segment the chosen image in a worker."""
        if self.image is None:
            return
        shown = ShownImage.of(self.image, self.viewer)
        model = self.models.choice, self.modes.mode
        load = partial(self.segmenter.get, self.devices.choice, *model)
        previous = self.result.segmentation if self.result is not None else None
        field = self.fields.choice
        self.run_job = Job(partial(segment_shown, shown, load, previous, field))
        self.run_job.on_progress.append(self._show_progress)
        self.run_job.on_cancel.append(partial(self._end_run, "Cancelled; nothing was changed."))
        self.progress.setRange(0, 0)
        self.status.setText(f"Segmenting '{self.image.name}'…")
        self._start(self.run_job, partial(self._show_run, shown))
        self._enable()

    def cancel_run(self) -> None:
        """Stop the run at its next step."""
        if self.run_job is not None:
            self.run_job.cancel()
            self.cancel.setEnabled(False)
            self.status.setText("Cancelling…")

    def _show_progress(self, done: int, total: int) -> None:
        self.progress.setRange(0, total)
        self.progress.setValue(done)

    def _show_run(self, shown: ShownImage, found: tuple[Segmentation, float]) -> None:
        if not shown.is_current(self.viewer):
            self._end_run(
                f"'{shown.image.name}' was removed or changed during the run: result dropped."
            )
            return
        earlier = self.results.of(shown.image, self.viewer)
        hand_made = earlier.hand_made_pixels() if earlier is not None else 0
        segmentation, seconds = found
        result = self.results.show(shown, segmentation, seconds, self.viewer)
        self.annotations.record("whole image", result, is_work=False)
        lines = [f"Done in {seconds:.1f} s on {segmentation.device}.", *segmentation.notes]
        if hand_made:
            lines.append(f"Replaced {hand_made:,} pixels corrected by hand; Ctrl+Z restores them.")
        self._end_run("\n".join(lines))

    def _end_run(self, message: str) -> None:
        self.run_job = None
        self.progress.setRange(0, 1)
        self.progress.reset()
        self.status.setText(message)
        self._refresh()

    # Threshold

    def _move_threshold(self) -> None:
        if self.result is None or self.threshold.value() == self.result.segmentation.threshold:
            return
        hand_made = self.result.move_threshold(self.threshold.value())
        self.status.setText(
            f"{hand_made:,} pixels corrected by hand now follow the threshold." if hand_made else ""
        )

    def _end_move(self) -> None:
        if self.result is not None:
            self.result.end_move()
            self.annotations.record("threshold")

    def _show_threshold(self) -> None:
        if self.result is not None:
            with signals_blocked(self.threshold):
                self.threshold.setValue(self.result.segmentation.threshold)

    def _start(self, job: Job, then: Callable[[Any], None]) -> None:
        self.jobs.start(job, then, partial(self._fail, job))

    def _fail(self, job: Job, error: Exception) -> None:
        line = tell(error)
        if job is self.run_job:
            self._end_run(line)
        self.status.setText(line)
