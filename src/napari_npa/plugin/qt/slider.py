"""A slider whose movements, by mouse or keys, have a beginning and an end."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QKeyEvent
from superqt import QDoubleSlider, QLabeledDoubleSlider
from superqt.utils import QSignalThrottler

MOVE_MS = 60
"""Least time between two announcements while the user drags."""

REST_MS = 100
"""A movement by keys or by typing has ended when nothing has changed for this long: more than the
time between two repetitions of a key that is held down."""

STEPS = {
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_Down: -1,
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_Up: 1,
    Qt.Key.Key_PageDown: -10,
    Qt.Key.Key_PageUp: 10,
}
"""Steps by which a key moves the value; Qt's own keys do not reach a slider of fractions."""


class Slider(QLabeledDoubleSlider):
    """Announces values now and then while it moves, and once that it rests.

    The value changes already as the mouse is pressed, before Qt calls the slider pressed: whoever
    takes that signal for the beginning sees one drag as two movements.
    """

    moved = Signal()
    """The value has changed; announced at most every :data:`MOVE_MS`."""

    rested = Signal()
    """The movement has ended; the last value was announced before."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._is_moving = False
        bar = self.findChild(QDoubleSlider)
        assert bar is not None
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFocusProxy(bar)
        bar.installEventFilter(self)
        self._moves = QSignalThrottler(parent=self)
        self._moves.setTimeout(MOVE_MS)
        self._moves.triggered.connect(self.moved)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(REST_MS)
        self._pause.timeout.connect(self.rest)
        self.valueChanged.connect(self._move)
        self.sliderPressed.connect(self._pause.stop)
        self.sliderReleased.connect(self.rest)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Move by the keys."""
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return False
        steps = STEPS.get(Qt.Key(event.key()))
        if steps is None:
            return False
        step: float = self.singleStep()  # type: ignore[no-untyped-call]
        self.setValue(round(self.value() + steps * step, self.decimals()))
        return True

    def rest(self) -> None:
        """End the movement, if there is one."""
        self._pause.stop()
        if self._is_moving:
            self._is_moving = False
            self._moves.flush()
            self.rested.emit()

    def _move(self) -> None:
        self._is_moving = True
        if not self.isSliderDown():
            self._pause.start()
        self._moves.throttle()
