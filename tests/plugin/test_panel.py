"""What becomes of a panel when its dock is closed."""

import gc
import threading

import pytest

PANELS = ("Segment non-perfusion", "Correct non-perfusion", "Review queue", "Batch")


@pytest.fixture(params=PANELS)
def docked(request, viewer, qtbot):
    """A dock and the panel in it, for each panel; Python's collector does not run."""
    dock, panel = viewer.window.add_plugin_dock_widget("napari-npa", request.param)
    qtbot.waitUntil(lambda: not panel.jobs, timeout=20_000)
    gc.disable()
    yield dock, panel
    gc.enable()


def test_a_closed_panel_is_deleted_at_once_and_not_by_the_collector(docked, qtbot):
    dock, panel = docked
    deleted_in = []
    panel.destroyed.connect(lambda: deleted_in.append(threading.current_thread()))
    dock.destroyOnClose()  # as its × does
    qtbot.waitUntil(lambda: bool(deleted_in), timeout=5000)
    assert deleted_in == [threading.main_thread()]


def test_a_panel_put_into_another_dock_stays(docked, viewer, qtbot):
    _, panel = docked
    viewer.window.remove_dock_widget(panel)
    viewer.window.add_dock_widget(panel, name="moved")
    qtbot.wait(50)
    assert panel.window() is viewer.window._qt_window
