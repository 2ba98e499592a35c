"""Panel that corrects a result: shapes, clicks, sensitivity, doubtful places."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from napari.layers import Labels
from napari.viewer import Viewer
from qtpy.QtCore import QTimer
from superqt.utils import QSignalThrottler, signals_blocked

from napari_npa.plugin.correct.controls import CorrectControls
from napari_npa.plugin.correct.correction import LayerCorrection
from napari_npa.plugin.correct.doubtful import Doubtful
from napari_npa.plugin.correct.messages import line_of_correction
from napari_npa.plugin.correct.mouse_tools import MouseTools
from napari_npa.plugin.layers.result_layers import ImageResult, results_of
from napari_npa.plugin.qt.drawing_pause import pause_drawing, resume_drawing
from napari_npa.plugin.qt.jobs import Job, Jobs
from napari_npa.plugin.qt.keys import CORRECT_KEYS, bind, unbind
from napari_npa.plugin.qt.messages import tell
from napari_npa.plugin.recording.recorder import annotations_of
from napari_npa.refine import (
    NEUTRAL,
    Action,
    Proposal,
    Refiner,
    Region,
    ToolId,
    tool_for,
)

if TYPE_CHECKING:
    from pathlib import Path

    from napari_npa.results.result import Result
    from napari_npa.types import Target

NO_RESULT = "Segment an angiogram first (tab 'Segment')."
WHAT_TO_DO = "Draw a shape over a doubtful place, or grow by click."
NO_PIXEL = "The shape covers no pixel of the image: draw it over the retina."

PATIENCE_MS = 250
"""A correction that takes longer is announced, and can be cancelled."""

EDITED_MS = 100
"""Least time between two checks of whether the brush has changed the last correction: comparing its
masks at every stamp would slow the brush."""


class CorrectPanel(CorrectControls):
    """Draw a shape or click; the mask changes inside; drag the sensitivity; undo.

    Parameters
    ----------
    viewer
        Where the image and its result are.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.results = results_of(self.viewer)
        self.annotations = annotations_of(self.viewer)
        self.device = "auto"
        self.refiner = Refiner(self.device, self.model)
        self.jobs = Jobs()
        self.looking: set[Job] = set()
        self._waiting: deque[Callable[[], None]] = deque()
        self.result: ImageResult | None = None
        self.correction: LayerCorrection | None = None
        self.mouse = MouseTools(self.viewer, self.drawing, self.grow, self)
        self.doubtful = Doubtful(self.viewer)
        self._connect()
        self._follow()

    def _connect(self) -> None:
        self.connections.connect(self.results.chosen, self._follow)
        self.connections.connect(self.annotations.changed, self._show_log)
        self.targets.currentIndexChanged.connect(self._choose_target)
        self.tools.currentIndexChanged.connect(self._enable)
        self.action_group.buttonToggled.connect(self._enable)
        self.mouse.drawn.connect(self._shape_finished)
        self.mouse.clicked.connect(self._grow_clicked)
        self.instant.toggled.connect(self._enable)
        self.apply.clicked.connect(self.apply_shapes)
        self.cancel.clicked.connect(self.cancel_corrections)
        self.models.chosen.connect(self._choose_model)
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(PATIENCE_MS)
        self._patience.timeout.connect(self._still_looking)
        self.sensitivity.moved.connect(self._adjust)
        self.sensitivity.rested.connect(self._end_adjusting)
        after = QSignalThrottler.EmissionPolicy.Trailing
        self._edits = QSignalThrottler(policy=after, parent=self)
        self._edits.setTimeout(EDITED_MS)
        self._edits.triggered.connect(self._enable_sensitivity)
        self.uncertainty.toggled.connect(self.doubtful.show)
        self.next_doubtful.clicked.connect(self.go_to_next_doubtful)
        self.previous_doubtful.clicked.connect(self.go_to_previous_doubtful)
        self.back.clicked.connect(self.go_back)
        actions = [
            self.mouse.toggle_drawing,
            self.mouse.toggle_growing,
            self.go_to_next_doubtful,
            self.go_to_previous_doubtful,
            self.toggle_npa,
        ]
        bind(self.viewer, CORRECT_KEYS, actions)
        self.destroyed.connect(partial(_end, self.jobs, self.viewer))

    def clear_up(self) -> None:
        """Remove the layers of regions and of uncertainty."""
        self.mouse.follow(None, None)
        self.doubtful.follow(None)

    # What is corrected

    def _follow(self) -> None:
        """Correct the result that is worked on now."""
        self._watch(False)
        self.result = self.results.current
        self._watch(True)
        self.correction = None
        self._waiting.clear()
        self.doubtful.follow(self.result)
        self.status.setText(WHAT_TO_DO if self.result is not None else NO_RESULT)
        self._prepare()
        self._choose_target()
        self._show_log()

    def _watch(self, on: bool) -> None:
        if self.result is None:
            return
        turn = self.connections.connect if on else self.connections.disconnect
        for layer in (self.result.npa, self.result.retina):
            for event in (layer.events.paint, layer.events.set_data):
                turn(event, self._edited)

    def _edited(self) -> None:
        self._edits.throttle()

    def _choose_target(self) -> None:
        self.mouse.follow(self.result, self._layer())
        self._enable()

    def _choose_model(self) -> None:
        self.refiner = Refiner(self.device, self.model)
        self._prepare()

    def _prepare(self) -> None:
        """Do what takes long before the first correction asks for it."""
        if self.result is not None:
            job = Job(partial(self.refiner.prepare, _as_it_is(self.result)))
            self.jobs.start(job, failed=self._fail)

    def _layer(self) -> Labels | None:
        """Layer that is corrected."""
        return None if self.result is None else self.result.layer(self.target)

    @property
    def model(self) -> str | Path:
        """Weights of the tile network: the name of embedded ones, or a file."""
        return self.models.choice

    @property
    def target(self) -> Target:
        """What is corrected."""
        chosen: Target = self.targets.currentData()
        return chosen

    @property
    def tool(self) -> ToolId:
        """What finds it inside a shape."""
        chosen: ToolId = self.tools.currentData()
        return chosen

    @property
    def action(self) -> Action:
        """What is done inside a shape."""
        return next(a for a, button in self.action_buttons.items() if button.isChecked())

    def _enable(self) -> None:
        ready = self.result is not None
        for widget in (self.targets, self.instant, *self.drawing.values()):
            widget.setEnabled(ready)
        for button in self.action_buttons.values():
            button.setEnabled(ready)
        self.tools.setEnabled(ready and self.action != "remove")
        self.grow.setEnabled(ready and self.target == "npa")
        shapes = self.mouse.count
        self.apply.setText(f"Apply to {shapes} shape{'s' * (shapes != 1)}" if shapes else "Apply")
        self.apply.setEnabled(ready and shapes > 0 and not self.instant.isChecked())
        self.cancel.setEnabled(bool(self.looking))
        self._enable_sensitivity()
        self.uncertainty.setEnabled(ready)
        self.next_doubtful.setEnabled(ready)
        self.previous_doubtful.setEnabled(ready)
        self.back.setEnabled(self.doubtful.has_left)

    def toggle_npa(self) -> None:
        """Hide the non-perfusion to see the image below it, or show it again."""
        if self.result is not None:
            self.result.npa.visible = not self.result.npa.visible

    # Corrections

    def grow_at(self, row: int, column: int, action: Action = "add") -> None:
        """Fill the non-perfused region around a pixel of the image, or take it away."""
        if self.result is None:
            return
        shape = self.result.npa.data.shape
        if not (0 <= row < shape[0] and 0 <= column < shape[1]):
            self.status.setText("That is outside the image.")
        elif not self.result.retina.data[row, column]:
            self.status.setText("That is outside the gradable retina.")
        else:
            self._correct("grow", action, click=(row, column))

    def _grow_clicked(self, row: int, column: int, takes_away: bool) -> None:
        self.grow_at(row, column, "subtract" if takes_away else "add")

    def _shape_finished(self) -> None:
        if self.instant.isChecked():
            self.apply_shapes()
        else:
            self._enable()

    def apply_shapes(self) -> None:
        """Correct inside all shapes, and remove them."""
        if self.result is None:
            return
        regions = self.mouse.take_regions()
        if regions:
            self._correct(self.tool, self.action, regions=regions)
        else:
            self.status.setText(NO_PIXEL)
        self._clear_taken()

    def _correct(
        self,
        tool: ToolId,
        action: Action,
        *,
        regions: Sequence[Region] = (),
        click: tuple[int, int] | None = None,
    ) -> None:
        assert self.result is not None
        begin = partial(self._begin, self.result, self.target, tool, action, regions, click)
        self._waiting.append(begin)
        self._take_turns()

    def _take_turns(self) -> None:
        """Begin the corrections that wait, one after the other."""
        while self._waiting and not self.looking:
            self._waiting.popleft()()

    def _begin(
        self,
        result: ImageResult,
        target: Target,
        tool: ToolId,
        action: Action,
        regions: Sequence[Region],
        click: tuple[int, int] | None,
    ) -> None:
        find = partial(
            self.refiner.find,
            _as_it_is(result),
            regions=regions,
            click=click,
            tool=tool,
            action=action,
            target=target,
        )
        then = partial(self._apply, result, target, tool, action)
        if not tool_for(tool, action, "shape" if click is None else "click").needs_image:
            then(find())
            return
        job = Job(find)
        self.looking.add(job)
        job.on_end.append(partial(self._looked, job))
        pause_drawing(self.viewer)
        self.jobs.start(job, then, self._fail)
        self._patience.start()

    def _still_looking(self) -> None:
        """Say so, but only after a while: redrawing the panel takes time from the network."""
        if self.looking:
            self.status.setText("Looking…")
            self._enable()

    def _looked(self, job: Job) -> None:
        self.looking.discard(job)
        self._take_turns()
        self._clear_taken()
        resume_drawing(self.viewer)

    def _clear_taken(self) -> None:
        if not self.looking:
            self.mouse.clear_taken()
            self._enable()

    def cancel_corrections(self) -> None:
        """Stop what is being computed, and forget what waits for its turn."""
        self._waiting.clear()
        for job in self.looking:
            job.cancel()
        self.status.setText("Cancelled; nothing was changed.")

    def _apply(
        self,
        result: ImageResult,
        target: Target,
        tool: ToolId,
        action: Action,
        proposals: Sequence[Proposal],
    ) -> None:
        if result is not self.result or not result.shown.is_current(self.viewer):
            self.status.setText("The image was changed meanwhile: correction dropped.")
            return
        self.correction = LayerCorrection(result.layer(target), proposals, action)
        self.annotations.record(f"{tool}: {action}")
        self.status.setText(line_of_correction(tool, action, self.correction.made.gained))
        self._enable()

    # Sensitivity

    def _adjust(self) -> None:
        correction = self.correction
        if correction is None or self.sensitivity.value() == correction.made.sensitivity:
            return
        if correction.is_shown():
            correction.adjust(self.sensitivity.value())
        self._enable()

    def _end_adjusting(self) -> None:
        if self.correction is not None:
            self.correction.end_adjusting()
            self.annotations.record("sensitivity")

    def _enable_sensitivity(self) -> None:
        """Turn the slider off once the correction was changed otherwise; show its sensitivity."""
        self.sensitivity.setEnabled(self.correction is not None and self.correction.is_shown())
        if self.sensitivity.isSliderDown():
            return
        value = self.correction.made.sensitivity if self.correction is not None else NEUTRAL
        with signals_blocked(self.sensitivity):
            self.sensitivity.setValue(value)

    # Doubt

    def go_to_next_doubtful(self) -> None:
        """Centre the view on the next place where the network was unsure."""
        self._go_to_doubtful(1)

    def go_to_previous_doubtful(self) -> None:
        """Centre the view on the place before."""
        self._go_to_doubtful(-1)

    def go_back(self) -> None:
        """Show again what was in view before the doubtful places."""
        self.doubtful.go_back()
        self.status.setText(WHAT_TO_DO)
        self._enable()

    def _go_to_doubtful(self, step: int) -> None:
        if self.result is not None:
            self.status.setText(self.doubtful.go(step))
            self._enable()

    # Rest

    def _show_log(self) -> None:
        self.log.setText(self.annotations.in_words())

    def _fail(self, error: Exception) -> None:
        self.status.setText(tell(error))


def _as_it_is(shown: ImageResult) -> Result:
    """A result as its layers show it now."""
    from napari_npa.results.result import Provenance, Result  # torch is loaded: it made the result

    npa, retina = shown.masks()
    automatic = shown.segmentation
    return Result(automatic.angiogram, npa, retina, Provenance(), automatic=automatic)


def _end(jobs: Jobs, viewer: Viewer) -> None:
    """Stop what still runs for a panel that is gone."""
    jobs.abandon()
    unbind(viewer, CORRECT_KEYS)
