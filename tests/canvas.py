"""What the mouse does on the canvas, in pixels of a layer."""

from qtpy.QtCore import QPoint, Qt

from gestures import on_canvas


def move_to(qtbot, native, point):
    """Move the mouse, and wait until the window system has said so."""
    for nearer in (QPoint(2, 2), QPoint(0, 0)):
        qtbot.mouseMove(native, point + nearer)
        qtbot.wait(40)


def click_at(qtbot, viewer, layer, *places):
    """Click pixels one after the other, as one clicks the corners of a polygon."""
    native = viewer.window._qt_viewer.canvas.native
    for place in places:
        point = on_canvas(viewer, layer, *place)
        move_to(qtbot, native, point)
        qtbot.mouseClick(native, Qt.MouseButton.LeftButton, pos=point)
        qtbot.wait(20)


def double_click_at(qtbot, viewer, layer, place):
    """Click a pixel twice, which ends a polygon."""
    native = viewer.window._qt_viewer.canvas.native
    point = on_canvas(viewer, layer, *place)
    move_to(qtbot, native, point)
    qtbot.mouseClick(native, Qt.MouseButton.LeftButton, pos=point)
    qtbot.mouseDClick(native, Qt.MouseButton.LeftButton, pos=point)
    qtbot.wait(20)
