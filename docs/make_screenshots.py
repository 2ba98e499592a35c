"""Make the pictures of the documentation: a real napari, a sample, runs and corrections.

xvfb-run -a -s "-screen 0 1920x1200x24" python docs/make_screenshots.py
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL import Image

# Before the plugin is imported: the pictures leave no annotations behind.
os.environ["NAPARI_NPA_DATA"] = tempfile.mkdtemp()

import napari
from napari.settings import get_settings
from qtpy.QtCore import QEventLoop, Qt, QTimer

from napari_npa.plugin.batch.table import COLUMNS
from napari_npa.plugin.correct.panel import CorrectPanel
from napari_npa.plugin.layers.samples import sample_files
from napari_npa.plugin.segment.panel import SegmentPanel
from napari_npa.simulation.many import simulate_many

IMAGES = Path(__file__).parent / "images"
VIEWS = {"": (1366, 768, "dark"), "_large": (1600, 1000, "light")}
"""Width, height and theme of each picture of a window, by what is added to its name."""

COLOURS = (256, 128, 64)
"""Most colours of a picture of a window; fewer where it would have too many bytes."""

MOST_BYTES = 400_000

ZOOMED = "correcting"
"""The picture of a doubtful place, to which the view has gone."""

ZOOM = 4.0
"""How much closer the pictures of corrections are than the whole image."""

# What a doctor would correct on the second sample.
MISSED = [(785, 960), (785, 1150), (945, 1150), (945, 960)]
"""Corners (row, column) of a shape around a dark place above the macula."""

GROWN = (1385, 1160)
"""Row and column of an area at the lower border that is smaller than a disc area."""

SEED = 20
ISI = [column.title for column in COLUMNS].index("ISI %")


def main() -> None:
    """Make all pictures."""
    get_settings(Path(tempfile.mkdtemp()) / "settings.yaml")
    IMAGES.mkdir(exist_ok=True)
    pictures_of_correcting()
    pictures_of_a_batch()


def pictures_of_correcting() -> None:
    """Open a sample, segment, correct, and save what is on screen."""
    viewer = napari.Viewer()
    _, workspace = viewer.window.add_plugin_dock_widget("napari-npa", "Segment non-perfusion")
    segment = workspace.current
    open_and_run(viewer, segment, "simulated_1")
    picture(viewer, "panel")
    open_and_run(viewer, segment, "simulated_2")
    correct = workspace.open("correct")
    wait_while(lambda: len(correct.jobs))
    correct.uncertainty.setChecked(True)
    correct.next_doubtful.click()
    picture(viewer, "correcting")
    correct.uncertainty.setChecked(False)
    shape_picture(viewer, correct)
    grow_picture(viewer, correct)
    correct.annotations.flush(10)
    viewer.close()


def pictures_of_a_batch() -> None:
    """Segment a folder, open the image of the highest index, and save what is on screen."""
    viewer = napari.Viewer()
    _, workspace = viewer.window.add_plugin_dock_widget("napari-npa", "Batch")
    batch = workspace.current
    with tempfile.TemporaryDirectory() as folder:
        images = angiograms(Path(folder) / "angiograms")
        batch.choose_folders(images, images / "npa_results")
        wait_while(lambda: len(batch.jobs) or len(batch.on_disk.jobs))
        batch.run.click()
        wait_while(lambda: batch.run_job is not None or len(batch.on_disk.jobs))
        results = batch.results
        results.view.sortByColumn(ISI, Qt.SortOrder.DescendingOrder)
        results.view.selectRow(0)
        batch.open.click()
        wait_while(lambda: batch.opener.is_busy)
        viewer.reset_view()
        picture(viewer, "batch")
        results.tabs.setCurrentWidget(results.overlays)
        wait(500)
        wait_while(lambda: len(results.thumbnails.jobs))
        picture(viewer, "batch_overlays")
        batch.review.click()
        review = workspace.current
        wait_while(lambda: len(review.jobs) or len(review.preparer.jobs))
        review.approve()
        wait_while(lambda: len(review.jobs) or len(review.preparer.jobs))
        picture(viewer, "review")
        viewer.close()


def angiograms(folder: Path) -> Path:
    """Make a folder of simulated eyes and one file that is no image."""
    made = [*sample_files()]
    for kind, count, size in (("uwfa", 6, 1024), ("55", 4, 512)):
        made += simulate_many(count, kind, size, SEED, folder.parent / kind)
    folder.mkdir()
    for number, path in enumerate(made):
        shutil.copy(path, folder / f"P{number // 2 + 1:03}_{('OD', 'OS')[number % 2]}.tif")
    (folder / "P007_OD.tif").write_bytes(b"II*\0, and then the copy was cut off")
    return folder


def open_and_run(viewer: napari.Viewer, segment: SegmentPanel, sample: str) -> None:
    """Segment a sample, alone in the viewer."""
    viewer.layers.clear()
    viewer.open_sample("napari-npa", sample)
    wait_while(lambda: len(segment.jobs))
    segment.run.click()
    wait_while(lambda: segment.run_job is not None)
    viewer.reset_view()


def shape_picture(viewer: napari.Viewer, correct: CorrectPanel) -> None:
    """Save what a shape does: drawn on the left, replaced on the right."""
    look_at(viewer, np.mean(MISSED, axis=0))
    correct.instant.setChecked(False)
    correct.action_buttons["replace"].click()
    correct.drawing["rectangle"].click()
    correct.mouse.shapes.layer.add(np.array(MISSED, float), shape_type="rectangle")
    before = shown(viewer)
    correct.apply_shapes()
    wait_while(lambda: len(correct.looking))
    side_by_side("correct_replace", before, shown(viewer))
    correct.result.npa.undo()
    correct.drawing["rectangle"].click()


def grow_picture(viewer: napari.Viewer, correct: CorrectPanel) -> None:
    """Save what a click does: before, and after."""
    look_at(viewer, GROWN)
    before = shown(viewer)
    correct.grow_at(*GROWN)
    wait_while(lambda: len(correct.looking))
    side_by_side("correct_grow", before, shown(viewer))
    correct.result.npa.undo()


def look_at(viewer: napari.Viewer, place: Sequence[float]) -> None:
    """Zoom to a place of the sample."""
    viewer.reset_view()
    viewer.scene.camera.center = (0.0, *place)
    viewer.scene.camera.zoom *= ZOOM


def side_by_side(name: str, before: np.ndarray, after: np.ndarray) -> None:
    """Save the middles of two pictures as one."""
    side = min(before.shape[:2])
    top, left = ((length - side) // 2 for length in before.shape[:2])
    middles = [image[top : top + side, left : left + side] for image in (before, after)]
    line = np.full((side, 6, 3), 255, np.uint8)
    iio.imwrite(IMAGES / f"{name}.png", np.hstack([middles[0], line, middles[1]])[::2, ::2])


def shown(viewer: napari.Viewer) -> np.ndarray:
    """What is on the canvas, (rows, columns, 3) uint8."""
    wait(400)
    return viewer.screenshot(canvas_only=True, flash=False)[..., :3]


def picture(viewer: napari.Viewer, name: str) -> None:
    """Save the whole window, small and dark, and large and light."""
    for suffix, (width, height, theme) in VIEWS.items():
        viewer.theme = theme
        viewer.window.resize(width, height)
        wait(300)
        if name != ZOOMED:
            viewer.reset_view()
        wait(800)
        window = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)[..., :3])
        path = IMAGES / f"{name}{suffix}.png"
        for colours in COLOURS:
            window.quantize(colours).save(path, optimize=True)
            if path.stat().st_size <= MOST_BYTES:
                break


def wait(milliseconds: int) -> None:
    """Let napari work."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def wait_while(condition: Callable[[], object]) -> None:
    """Let napari work until something has ended."""
    while condition():
        wait(20)


if __name__ == "__main__":
    main()
