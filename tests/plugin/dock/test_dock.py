"""One dock with four tabs: every entry of the menu leads to its tab, and nothing is too wide."""

import pytest
from napari._app_model import get_app_model
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QDockWidget

from gestures import click, open_tab
from napari_npa.plugin.dock.workspace import NAME, TABS, Workspace, workspace_of

ENTRIES = {
    "segment": "Segment non-perfusion",
    "correct": "Correct non-perfusion",
    "review": "Review queue",
    "batch": "Batch",
}

MOST_WIDTH = 350
"""Least width that a tab may ask for, pixels: a quarter of a small laptop's screen."""


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


LONG = "P002_OS_of_the_late_phase_" * 8


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_laptop_shows_every_tab_beside_the_image(shown, viewer, panel, image, qtbot, theme):
    viewer.theme = theme
    image.name = LONG
    click(qtbot, panel.run)
    qtbot.waitUntil(lambda: panel.run_job is None, timeout=20_000)
    workspace, window = workspace_of(viewer), viewer.window._qt_window
    window.resize(1366, 768)
    for tab in TABS:
        current = workspace.open(tab)
        qtbot.waitUntil(lambda current=current: not current.jobs, timeout=20_000)
        current.status.setText(f"Saved in /{LONG}/{LONG}.tif")
        workspace.bar.status.setText(f"Saved in /{LONG}/{LONG}.tif")
        qtbot.wait(50)
        least = current.minimumSizeHint().width()
        assert least <= MOST_WIDTH, (tab, least)
        for shown_always in (workspace.bar.index.index, workspace.bar.save):
            assert not shown_always.visibleRegion().isEmpty()
            assert shown_always.visibleRegion().boundingRect().width() == shown_always.width()
    assert (window.width(), window.height()) == (1366, 768)
    assert window.minimumSizeHint().height() < 700
    assert workspace.width() <= MOST_WIDTH + 10
    assert viewer.window._qt_viewer.canvas.native.width() > 600


def test_letters_typed_after_run_reach_the_image_and_no_line_of_text(
    shown, viewer, panel, bar, image, qtbot
):
    viewer.window._qt_window.activateWindow()
    panel.run.setFocus()
    qtbot.waitUntil(panel.run.hasFocus, timeout=5000)
    click(qtbot, panel.run)
    focused = QApplication.focusWidget()
    assert focused is viewer.window._qt_viewer.canvas.native
    qtbot.keyClicks(focused, "grader")
    qtbot.waitUntil(lambda: panel.run_job is None, timeout=20_000)
    assert bar.who.text() == ""
    assert QApplication.focusWidget() is focused


def test_tab_goes_through_the_controls_from_above(shown, viewer, panel, image, qtbot):
    viewer.window._qt_window.activateWindow()
    order = [panel.open, panel.models, panel.modes, panel.run]
    order[0].setFocus()
    qtbot.waitUntil(order[0].hasFocus, timeout=5000)
    visited = []
    for _ in range(8):
        visited.append(QApplication.focusWidget())
        qtbot.keyClick(visited[-1], Qt.Key.Key_Tab)
    places = [visited.index(control) for control in order]
    assert places == sorted(places)


def test_the_control_in_focus_is_framed(shown, viewer, panel, image, qtbot):
    viewer.window._qt_window.activateWindow()
    before = panel.run.grab().toImage()
    panel.run.setFocus()
    qtbot.waitUntil(panel.run.hasFocus, timeout=5000)
    qtbot.wait(50)
    assert panel.run.grab().toImage() != before
    assert panel.run.grab().toImage().pixelColor(20, 1).name() == "#2f7fd0"
