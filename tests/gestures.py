"""What a user does and reads, for the tests of the panels."""

from napari.utils.notifications import notification_manager
from qtpy.QtCore import QPoint, Qt
from vispy.util import keys

from napari_npa.plugin.dock.workspace import workspace_of


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


def open_tab(viewer, name):
    """Choose an entry of the plugin's menu; gives the panel in the tab that it opens."""
    _, workspace = viewer.window.add_plugin_dock_widget("napari-npa", name)
    return workspace.current


def bar_of(viewer):
    """The bar below the tabs."""
    return workspace_of(viewer).bar


def close_dock(qtbot, viewer):
    """Close the dock as its × does, and wait until it is deleted."""
    deleted = []
    workspace = workspace_of(viewer)
    workspace.destroyed.connect(lambda: deleted.append(True))
    viewer.window.remove_dock_widget(workspace)
    qtbot.waitUntil(lambda: bool(deleted), timeout=20_000)


def on_canvas(viewer, layer, row, column):
    """Where a pixel of a layer is on the canvas, Qt pixels."""
    canvas = viewer.window._qt_viewer.canvas
    transform = canvas.view.scene.transform
    world = layer.data_to_world((row, column))
    place = transform.map([world[1], world[0], 0, 1])
    return QPoint(round(float(place[0] / place[3])), round(float(place[1] / place[3])))


def drag(qtbot, viewer, layer, *places, modifier=Qt.KeyboardModifier.NoModifier):
    """Press at the first pixel, move over the others, release at the last."""
    native = viewer.window._qt_viewer.canvas.native
    points = [on_canvas(viewer, layer, *place) for place in places]
    button = Qt.MouseButton.LeftButton
    qtbot.mouseMove(native, points[0])
    qtbot.mousePress(native, button, modifier, points[0])
    for point in points[1:]:
        qtbot.mouseMove(native, point)
        qtbot.wait(20)
    qtbot.mouseRelease(native, button, modifier, points[-1])
    qtbot.wait(20)
