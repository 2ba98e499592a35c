"""What a user does and reads, for the tests of the panels."""

from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from vispy.util import keys


def notifications() -> list[str]:
    """Messages that napari has shown since the test began."""
    return [record.message for record in notification_manager.records]


def click(qtbot, button):
    """Press a button with the mouse."""
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def press_key(viewer, key, *modifiers):
    """Press a key with the canvas in focus."""
    scene = viewer.window._qt_viewer.canvas._scene_canvas
    scene.events.key_press(key=keys.Key(key), modifiers=list(modifiers))


def close_dock(qtbot, viewer, panel):
    """Close a panel as the × of its dock does, and wait until it is deleted."""
    deleted = []
    panel.destroyed.connect(lambda: deleted.append(True))
    viewer.window.remove_dock_widget(panel)
    qtbot.waitUntil(lambda: bool(deleted), timeout=20_000)
