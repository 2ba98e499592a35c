"""The mouse wheel scrolls a panel, and changes no value on the way."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QAbstractSlider, QAbstractSpinBox, QComboBox, QScrollBar, QWidget


class _WheelPasser(QObject):
    """Passes the turns of the wheel over a control on to what is around it."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Take the wheel from a control."""
        if event.type() != QEvent.Type.Wheel:
            return False
        event.ignore()
        return True


def let_wheel_scroll(panel: QWidget) -> None:
    """Keep the wheel from changing the sliders and boxes of a panel, also those in focus.

    Somebody who scrolls a panel passes over its controls. A threshold or a model that changes
    with that goes unseen, and with it the index.
    """
    passer = _WheelPasser(panel)
    for control in panel.findChildren(QWidget):
        changes = isinstance(control, QAbstractSlider | QAbstractSpinBox | QComboBox)
        if changes and not isinstance(control, QScrollBar):
            control.installEventFilter(passer)
