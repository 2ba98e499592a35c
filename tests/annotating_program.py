"""A program that works in napari as a person does, to be killed; and what must be left of it.

It prints a line for each action that is finished: when, of which image, and the masks after it.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

WINDOW_SECONDS = 0.3
"""What was finished so long before the end is on disk."""


def digest(npa, retina) -> str:
    """Hash of two masks."""
    return hashlib.sha256(np.packbits(npa).tobytes() + np.packbits(retina).tobytes()).hexdigest()


class Annotator:
    """Somebody who segments, corrects, saves and reviews, at random.

    Parameters
    ----------
    folder
        Of two angiograms, ``left.tif`` and ``right.tif``; the results go into ``results`` in it.
    model
        Weights of the network.
    seed
        Of what is done.
    """

    def __init__(self, folder: Path, model: Path, seed: int) -> None:
        import napari
        from qtpy.QtWidgets import QFileDialog

        self.folder, self.model = folder, model
        self.chance = random.Random(seed)
        self.results = folder / "results"
        QFileDialog.getExistingDirectory = lambda *_: str(self.results)
        self.viewer = napari.Viewer(show=True)
        self.workspace = self.opened("Segment non-perfusion")
        self.segment = self.workspace.panel("segment")
        self.wait_until(lambda: not self.segment.jobs)
        self.segment.models.choose_file(model)

    def opened(self, name):
        return self.viewer.window.add_plugin_dock_widget("napari-npa", name)[1]

    def wait(self, seconds):
        from qtpy.QtTest import QTest

        QTest.qWait(max(1, round(1000 * seconds)))

    def wait_until(self, is_so):
        while not is_so():
            self.wait(0.01)

    def tell(self, what):
        result = self.workspace.bar.result
        line = {
            "at": time.monotonic(),
            "what": what,
            "image": result.segmentation.angiogram.sha256,
            "masks": digest(*result.masks()),
            "edits": self.workspace.bar.annotations.session.number,
        }
        print(json.dumps(line), flush=True)

    def work(self):
        """Work until killed."""
        if self.chance.random() < 0.4:
            self.review()
        self.segment.open_and_run(self.folder / self.chance.choice(["left.tif", "right.tif"]))
        self.wait_until(lambda: self.segment.run_job is not None)
        self.wait_until(lambda: self.segment.run_job is None)
        self.correct = self.workspace.open("correct")
        self.tell("run")
        while True:
            self.act()

    def review(self):
        """Go through the folder, correcting each image."""
        review = self.workspace.open("review")
        self.wait_until(lambda: not review.jobs)
        review.models.choose_file(self.model)
        review.open_folder(self.folder, self.results)
        self.correct = self.workspace.panel("correct")
        while True:
            self.wait_until(lambda: review.shown is not None and review.shown.result is not None)
            self.wait_until(lambda: not review.busy)
            self.tell("shown")
            for _ in range(self.chance.randrange(1, 6)):
                self.act()
            move = review.go_next if review.queue.next is not None else review.go_previous
            there = {0: 1, 1: 0}[review.queue.position]
            move()
            self.wait_until(partial(self.is_at, there))

    def is_at(self, place):
        review = self.workspace.panel("review")
        return review.queue.position == place and not review.busy

    def act(self):
        """Do one thing, tell when it is finished, and pause as a person does."""
        act = self.chance.choice(
            [
                self.paint,
                self.paint,
                self.undo,
                self.fill,
                self.move,
                self.draw,
                self.grow,
                self.save,
            ]
        )
        self.tell(act())
        self.wait(self.chance.uniform(0.1, 0.8))

    @property
    def npa(self):
        return self.workspace.bar.result.npa

    def place(self):
        return self.chance.randrange(40, 120), self.chance.randrange(40, 120)

    def paint(self):
        at = self.place()
        self.npa.mode = "paint"
        self.npa.brush_size = 9
        with self.npa.block_history():
            self.npa.paint(at, 1 - int(self.npa.data[at]))
        return "paint"

    def fill(self):
        at = self.place()
        self.npa.mode = "fill"
        self.npa.fill(at, 1 - int(self.npa.data[at]))
        self.npa.mode = "pan_zoom"
        return "fill"

    def undo(self):
        self.npa.undo() if self.chance.random() < 0.7 else self.npa.redo()
        return "undo"

    def move(self):
        self.segment.threshold.setValue(self.chance.randrange(38, 50) / 100)
        value = self.segment.threshold.value()
        self.wait_until(lambda: self.workspace.bar.result.segmentation.threshold == value)
        return "threshold"

    def draw(self):
        row, column = self.place()
        self.correct.tools.setCurrentIndex(self.correct.tools.findData("shape"))
        self.correct.action_buttons[self.chance.choice(["add", "remove"])].click()
        if not self.correct.drawing["rectangle"].isChecked():
            self.correct.drawing["rectangle"].click()
        corners = [(row, column), (row, column + 15), (row + 9, column + 15), (row + 9, column)]
        self.correct.mouse.shapes.layer.add(np.array(corners, float), shape_type="rectangle")
        self.wait_until(lambda: not self.correct.mouse.count and not self.correct.looking)
        return "draw"

    def grow(self):
        self.correct.grow_at(*self.place())
        self.wait_until(lambda: not self.correct.looking)
        return "grow"

    def save(self):
        if self.chance.random() < 0.5:
            self.workspace.bar.ask_and_save()
            self.wait_until(lambda: not self.workspace.bar.jobs)
        return "save"


def lost(lines: list[str], killed_at: float, data: Path) -> list[str]:
    """What a killed program has told as finished, and is not on disk or not offered.

    Parameters
    ----------
    lines
        What it has printed.
    killed_at
        When it was killed, by the same clock.
    data
        Folder of what is kept.
    """
    from napari_npa.annotation.store import AnnotationStore
    from napari_npa.plugin.recording.work import kept_work, load_kept

    told: dict[str, list[dict]] = {}
    for line in lines:
        if line.endswith("}\n"):
            action = json.loads(line)
            told.setdefault(action["image"], []).append(action)
    store = AnnotationStore(data / "annotations")
    problems = []
    for image, actions in told.items():
        due = [at for at, each in enumerate(actions) if each["at"] < killed_at - WINDOW_SECONDS]
        if not due or len({each["masks"] for each in actions[: due[-1] + 1]}) == 1:
            continue  # nothing was finished that changed the masks
        good = {each["masks"] for each in actions[due[-1] :]}
        kept = [load_kept(summary, None, store, print) for summary in store.kept_of(image)]
        masks = {digest(k.session.npa.unpack(), k.session.retina.unpack()) for k in kept}
        # What was kept may be newer than what could be told.
        is_newer = any(k.session.number > actions[-1]["edits"] for k in kept)
        if not masks & good and not is_newer:
            problems.append(f"{actions[due[-1]]['what']} of {image[:6]}")
        offered = {summary.session_id for summary in kept_work("", store, print).summaries}
        problems += [
            f"{k.session.id} not offered"
            for k in kept
            if not k.saved and k.session.id not in offered
        ]
    return problems


if __name__ == "__main__":
    import napari_npa.models.networks  # noqa: F401 - triton before any window, as the product does

    Annotator(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])).work()
