"""What becomes of a panel when its dock is closed, and of what nobody needs any more."""

import gc
import threading
import weakref

import numpy as np
import pytest
from qtpy.QtCore import QFileSystemWatcher

from gestures import close_dock, open_tab
from napari_npa.plugin.layers.live_index import RECOUNT_MS
from napari_npa.plugin.layers.region_layer import NAME as REGIONS
from napari_npa.plugin.qt.gui_thread import deleted_in_gui

SEGMENT, CORRECT = "Segment non-perfusion", "Correct non-perfusion"
PANELS = (SEGMENT, CORRECT, "Review queue", "Batch")


@pytest.fixture
def no_collector():
    """Python's garbage collector does not run of itself."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(params=PANELS)
def docked(request, viewer, qtbot):
    """The dock and what is in it, opened at each tab."""
    dock, workspace = viewer.window.add_plugin_dock_widget("napari-npa", request.param)
    qtbot.waitUntil(lambda: not workspace.current.jobs, timeout=20_000)
    return dock, workspace


def test_a_closed_panel_is_deleted_at_once_and_not_by_the_collector(no_collector, docked, qtbot):
    dock, workspace = docked
    deleted_in = []
    for widget in (workspace, workspace.current, workspace.bar):
        widget.destroyed.connect(lambda: deleted_in.append(threading.current_thread()))
    dock.destroyOnClose()  # as its × does
    qtbot.waitUntil(lambda: len(deleted_in) == 3, timeout=5000)
    assert set(deleted_in) == {threading.main_thread()}


def test_a_panel_put_into_another_dock_stays(docked, viewer, qtbot):
    _, workspace = docked
    viewer.window.remove_dock_widget(workspace)
    viewer.window.add_dock_widget(workspace, name="moved")
    qtbot.wait(50)
    assert workspace.window() is viewer.window._qt_window


def test_a_closed_panel_hears_of_nothing_any_more(viewer, panel, bar, image, qtbot, tiny_model):
    corrector = open_tab(viewer, CORRECT)
    corrector.models.choose_file(tiny_model)
    panel.start_run()
    qtbot.waitUntil(lambda: panel.run_job is None and not corrector.jobs, timeout=20_000)
    corrector.mouse.toggle_drawing()
    corrector.uncertainty.setChecked(True)
    assert REGIONS in viewer.layers
    result = panel.result
    held = [panel, corrector, bar]  # Python's objects live on, as garbage that was not found does
    close_dock(qtbot, viewer)
    assert [layer.name for layer in viewer.layers] == ["eye", "Retina", "NPA"]
    result.move_threshold(0.9)
    result.npa.undo()
    with result.npa.block_history():
        result.npa.paint((80, 80), 1)
    result.npa.mode = "erase"
    result.npa.mode = "pan_zoom"
    viewer.layers.selection.active = image
    image.data = image.data.copy()
    qtbot.wait(2 * RECOUNT_MS)
    viewer.add_image(np.zeros((20, 20)))
    viewer.layers.clear()
    qtbot.wait(2 * RECOUNT_MS)
    assert [len(panel.connections) for panel in held] == [0, 0, 0]


@pytest.mark.parametrize("name", PANELS)
def test_a_panel_can_be_opened_again(name, viewer, qtbot, tiny_model):
    for _ in range(2):
        panel = open_tab(viewer, name)
        qtbot.waitUntil(lambda panel=panel: not panel.jobs, timeout=20_000)
        panel.models.choose_file(tiny_model)
        assert panel.models.choice == tiny_model
        close_dock(qtbot, viewer)


def test_the_collector_on_another_thread_leaves_timers_and_watchers_to_qt(
    no_collector, tmp_path, qtbot, qapp, qtlog
):
    class Owner:
        """Only the collector finds it."""

        def __init__(self):
            self.of_itself = self
            self.files = deleted_in_gui(QFileSystemWatcher(), self)

    before = len(qapp.findChildren(QFileSystemWatcher))
    owner = Owner()
    owner.files.addPath(str(tmp_path))
    gone = weakref.ref(owner)
    del owner
    worker = threading.Thread(target=gc.collect)
    worker.start()
    worker.join()
    assert gone() is None
    # If this fails, the next look at Qt's events would never end.
    assert not [record.message for record in qtlog.records if "thread" in record.message]
    qtbot.waitUntil(lambda: len(qapp.findChildren(QFileSystemWatcher)) <= before)
