"""One dock with four tabs: every entry of the menu leads to its tab, and nothing is too wide."""

import pytest
from napari._app_model import get_app_model
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget

from gestures import click, open_tab
from napari_npa.plugin.dock.workspace import NAME, TABS, Workspace, workspace_of

ENTRIES = {
    "segment": "Segment non-perfusion",
    "correct": "Correct non-perfusion",
    "review": "Review queue",
    "batch": "Batch",
}


def choose_entry(qtbot, tab):
    """Choose an entry of the menu, as napari does on a click."""
    get_app_model().commands.execute_command(f"napari-npa.{tab}").result()
    qtbot.wait(20)


def docks(viewer):
    """All docks of the plugin that a user sees."""
    found = viewer.window._qt_window.findChildren(QDockWidget)
    return [dock for dock in found if isinstance(dock.widget(), Workspace)]


def test_every_entry_of_the_menu_opens_its_tab_of_one_dock(shown, viewer, qtbot):
    choose_entry(qtbot, "segment")
    workspace = workspace_of(viewer)
    (first,) = docks(viewer)
    viewer.window._qt_window.resizeDocks([first], [420], Qt.Orientation.Horizontal)
    qtbot.wait(50)
    width = first.width()
    for tab in (*ENTRIES, "correct", "correct"):
        choose_entry(qtbot, tab)
        (dock,) = docks(viewer)
        assert dock.isVisible()
        assert dock.windowTitle() == dock.title.title.text() == NAME
        assert dock.widget() is workspace
        assert workspace.current is workspace.panels[tab]
        assert workspace.current.isVisible()
        assert dock.width() == width


def test_an_entry_of_the_menu_shows_a_hidden_dock_again(shown, viewer, qtbot):
    choose_entry(qtbot, "segment")
    (dock,) = docks(viewer)
    dock.close()  # as napari's button "hide this panel" does
    assert not workspace_of(viewer).isVisible()
    choose_entry(qtbot, "segment")
    assert workspace_of(viewer).isVisible()


def test_a_dock_that_floats_stays_where_it_is(shown, viewer, qtbot):
    choose_entry(qtbot, "segment")
    docks(viewer)[0].setFloating(True)
    qtbot.wait(50)
    choose_entry(qtbot, "batch")
    assert docks(viewer)[0].isFloating()
    assert workspace_of(viewer).current is workspace_of(viewer).panels["batch"]


@pytest.mark.parametrize("tab", ENTRIES)
def test_code_that_opens_a_panel_by_its_name_gets_its_tab(viewer, qtbot, tab):
    others = [name for at, name in ENTRIES.items() if at != tab]
    for name in (*others, ENTRIES[tab]):
        panel = open_tab(viewer, name)
    assert type(panel) is TABS[tab][2]
    assert len(docks(viewer)) == 1
    qtbot.waitUntil(lambda: not any(panel.jobs for panel in workspace_of(viewer).panels.values()))


def test_after_a_run_the_next_step_is_offered(shown, viewer, panel, image, qtbot):
    assert not panel.correct.isVisible()
    click(qtbot, panel.run)
    qtbot.waitUntil(lambda: panel.run_job is None, timeout=20_000)
    click(qtbot, panel.correct)
    corrector = workspace_of(viewer).current
    assert type(corrector) is TABS["correct"][2]
    assert corrector.result is panel.result is not None
    qtbot.waitUntil(lambda: not corrector.jobs, timeout=20_000)
