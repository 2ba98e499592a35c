"""An image is open before the panel is: File > Open Sample first, the panel second."""

import pytest
import tifffile

from drawing import draw_round_angiogram
from gestures import bar_of, click, close_dock, open_tab
from napari_npa.plugin.batch.panel import BatchPanel

SEGMENT, CORRECT, BATCH = "Segment non-perfusion", "Correct non-perfusion", "Batch"


@pytest.fixture
def dock(viewer, qtbot, tiny_model):
    """Open a panel by its name in the menu, with the tiny model where it offers one."""

    def opened(name):
        panel = open_tab(viewer, name)
        qtbot.waitUntil(lambda: not panel.jobs, timeout=20_000)
        if name != CORRECT:
            panel.models.choose_file(tiny_model)
        return panel

    return opened


def segment(qtbot, panel):
    click(qtbot, panel.run)
    qtbot.waitUntil(lambda: panel.run_job is None and not panel.jobs, timeout=20_000)


def test_an_image_that_was_open_before_the_panel_can_be_run(shown, viewer, dock, samples, qtbot):
    viewer.open_sample("napari-npa", "simulated_1")
    panel = dock(SEGMENT)
    assert panel.images.value is viewer.layers[0]
    assert panel.run.isEnabled()
    segment(qtbot, panel)
    assert panel.result is not None
    assert bar_of(viewer).save.isEnabled()


def test_of_several_open_images_the_last_opened_is_chosen(viewer, dock, samples):
    viewer.open_sample("napari-npa", "simulated_1")
    viewer.open_sample("napari-npa", "simulated_2")
    panel = dock(SEGMENT)
    assert panel.image is panel.images.value is viewer.layers[1]


def test_a_reopened_panel_still_saves_and_corrects(viewer, dock, samples, qtbot):
    viewer.open_sample("napari-npa", "simulated_1")
    first, corrector = dock(SEGMENT), dock(CORRECT)
    first.start_run()
    qtbot.waitUntil(lambda: first.run_job is None and not first.jobs, timeout=20_000)
    assert corrector.grow.isEnabled()
    close_dock(qtbot, viewer)
    again, corrector = dock(SEGMENT), dock(CORRECT)
    assert bar_of(viewer).save.isEnabled()
    assert again.threshold.isEnabled()
    assert corrector.result is again.result is not None
    assert corrector.grow.isEnabled()


def test_a_reopened_panel_works_on_the_image_that_hides_the_others(viewer, dock, samples, qtbot):
    viewer.open_sample("napari-npa", "simulated_1")
    first = dock(SEGMENT)
    segment(qtbot, first)
    worked_on = first.result
    close_dock(qtbot, viewer)
    viewer.open_sample("napari-npa", "simulated_2")
    again = dock(SEGMENT)
    assert again.image is viewer.layers["Simulated angiogram 2"]
    assert again.result is None
    again.images.value = viewer.layers["Simulated angiogram 1"]
    assert again.result is worked_on
    assert not viewer.layers["Simulated angiogram 2"].visible


def test_the_corrector_opened_second_corrects_the_result(viewer, dock, samples, qtbot):
    viewer.open_sample("napari-npa", "simulated_1")
    panel = dock(SEGMENT)
    segment(qtbot, panel)
    corrector = dock(CORRECT)
    assert corrector.result is panel.result
    assert corrector.grow.isEnabled()


def test_panels_opened_after_an_image_of_a_batch_work_on_it(viewer, dock, samples, tmp_path, qtbot):
    folder, output = tmp_path / "eyes", tmp_path / "results"
    folder.mkdir()
    tifffile.imwrite(folder / "a.tif", draw_round_angiogram(160))
    viewer.open_sample("napari-npa", "simulated_1")
    batch: BatchPanel = dock(BATCH)
    batch.choose_folders(folder, output)
    click(qtbot, batch.run)
    qtbot.waitUntil(lambda: batch.run_job is None, timeout=60_000)
    qtbot.waitUntil(lambda: batch.results.table.rowCount() == 1, timeout=20_000)
    batch.results.view.selectRow(0)
    click(qtbot, batch.open)
    qtbot.waitUntil(lambda: batch.opener.shown is not None, timeout=20_000)
    qtbot.waitUntil(lambda: batch.opener.shown.is_on_disk, timeout=20_000)
    corrector, panel = dock(CORRECT), dock(SEGMENT)
    assert panel.image is viewer.layers["a"]
    assert panel.run.isEnabled()
    assert bar_of(viewer).save.isEnabled()
    assert corrector.result is panel.result is not None
    assert corrector.grow.isEnabled()
