"""The widget in the dock: a tab for each task, and the bar that they share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from napari.viewer import Viewer
from qtpy.QtCore import QByteArray, QEvent, QTimer
from qtpy.QtWidgets import QApplication, QDockWidget, QTabWidget, QVBoxLayout, QWidget

from napari_npa.plugin.batch.panel import BatchPanel
from napari_npa.plugin.correct.panel import CorrectPanel
from napari_npa.plugin.dock.result_bar import ResultBar
from napari_npa.plugin.qt.panel import Panel
from napari_npa.plugin.recording.closing import guard_closing
from napari_npa.plugin.recording.recovery import Recovery
from napari_npa.plugin.recording.recovery_bar import RecoveryBar
from napari_npa.plugin.review.panel import ReviewPanel
from napari_npa.plugin.segment.panel import SegmentPanel

if TYPE_CHECKING:
    from napari_npa.annotation.file import Summary
    from napari_npa.plugin.review.wish import ReviewWish

TabId = Literal["segment", "correct", "review", "batch"]

NAME = "Retinal non-perfusion"
"""Title of the dock."""

TABS: dict[TabId, tuple[str, str, Callable[[Viewer], Panel]]] = {
    "segment": ("Segment", "Find the non-perfused areas of an angiogram.", SegmentPanel),
    "correct": ("Correct", "Correct the areas with the mouse.", CorrectPanel),
    "review": ("Review", "Go through a folder of angiograms, image by image.", ReviewPanel),
    "batch": ("Batch", "Segment a folder of angiograms, and look at its table.", BatchPanel),
}
"""Title, explanation and panel of each tab, in the order of the tabs."""

FOCUS = "".join(
    f"{kind}:focus {{ border: 2px solid #2f7fd0; }}"
    for kind in (
        "QPushButton",
        "QComboBox",
        "QLineEdit",
        "QCheckBox",
        "QSlider",
        "QAbstractItemView",
    )
)
"""Shows which control the keys go to, on napari's dark and light themes: 3 : 1 on either."""

TABS_STYLE = "QTabBar::tab { padding: 5px 10px; }"
"""napari's own leaves too little room above and below the titles."""

NOT_THERE = (
    "These corrections are of {}, which is not there. Open the image from wherever it is: they "
    "are found by its content."
)


class Workspace(Panel):
    """Four tabs; the panel of a tab is made when the tab is first opened.

    Parameters
    ----------
    viewer
        Viewer that the panels work in.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.panels: dict[TabId, Panel] = {}
        self._place: QByteArray | None = None
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.timeout.connect(self._settle)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self._pages = {tab: QWidget() for tab in TABS}
        for at, (tab, page) in enumerate(self._pages.items()):
            layout = QVBoxLayout(page)
            layout.setContentsMargins(0, 0, 0, 0)
            title, explained, _ = TABS[tab]
            self.tabs.addTab(page, title)
            self.tabs.setTabToolTip(at, explained)
        guard_closing(viewer)
        self.recovery = RecoveryBar()
        self.recovery_of = Recovery(self.recovery, viewer, self)
        self.bar = ResultBar(viewer)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.recovery)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.bar)
        self.recovery_of.wanted.connect(self._show_kept)
        self.recovery_of.said.connect(self.bar.say)
        self.tabs.currentChanged.connect(self._fill)
        self.setStyleSheet(FOCUS + TABS_STYLE)

    def focusNextPrevChild(self, forward: bool) -> bool:  # noqa: N802 - Qt's name
        """Move the focus; from a control that was just disabled, to the image.

        Qt would give it to the next control, such as a line of text, into which the keys that are
        meant for the image would go.
        """
        focused = QApplication.focusWidget()
        if focused is None or focused.isEnabled():
            return super().focusNextPrevChild(forward)
        self.viewer.window._qt_viewer.canvas.native.setFocus()
        return True

    def open(self, tab: TabId) -> Panel:
        """Bring a tab to the front, and the dock with it.

        Returns
        -------
        panel
            The panel in the tab.
        """
        panel = self.panel(tab)
        self.tabs.setCurrentWidget(self._pages[tab])
        if isinstance(dock := self.parent(), QDockWidget):
            dock.show()
            dock.raise_()
        return panel

    @property
    def current(self) -> Panel:
        """The panel in front."""
        return self.panel(tuple(TABS)[self.tabs.currentIndex()])

    def panel(self, tab: TabId) -> Panel:
        """Panel of a tab; it is made if the tab was not open yet."""
        if tab not in self.panels:
            panel = self.panels[tab] = TABS[tab][2](self.viewer)
            self._listen(panel)
            layout = self._pages[tab].layout()
            assert layout is not None
            layout.addWidget(panel)
        return self.panels[tab]

    def _listen(self, panel: Panel) -> None:
        """Follow the ways that lead from one tab to another."""
        if isinstance(panel, SegmentPanel):
            panel.correct_wanted.connect(partial(self.open, "correct"))
        elif isinstance(panel, BatchPanel):
            panel.review_wanted.connect(self._review)

    def _review(self, wish: ReviewWish) -> None:
        review = self.open("review")
        assert isinstance(review, ReviewPanel)
        review.open_batch(wish)

    def _show_kept(self, kept: Summary) -> None:
        """Show the image of corrections that were kept, and its result: they are put over it."""
        review = self.panels.get("review")
        if isinstance(review, ReviewPanel) and review.go_to_file(kept.source):
            self.open("review")
            return
        segment = self.open("segment")
        assert isinstance(segment, SegmentPanel)
        if segment.image is not None and self.recovery_of.image_sha256 == kept.image_sha256:
            segment.run_soon()
        elif kept.source is not None and kept.source.exists():
            segment.open_and_run(kept.source, kept.frame)
        else:
            self.recovery_of.forget()
            self.bar.say(NOT_THERE.format(kept.source or "an image that was in no file"))

    def _fill(self, at: int) -> None:
        self.panel(tuple(TABS)[at])

    def clear_up(self) -> None:
        """Remove from the viewer what is of no use without the panels."""
        for panel in self.panels.values():
            panel.clear_up()

    def reset_choices(self, event: object = None) -> None:
        """List the image layers again; napari calls this when layers come, go or are renamed."""
        segment = self.panels.get("segment")
        if isinstance(segment, SegmentPanel):
            segment.reset_choices(event)

    # The dock

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Settle in a new dock, once napari is done with it."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange and isinstance(self.parent(), QDockWidget):
            self._settling.start()

    def leave_dock(self) -> None:
        """Leave the dock, since napari will put this widget into another; keep its place."""
        dock = self.parent()
        if isinstance(dock, QDockWidget):
            self._settle()
            self._place = self.viewer.window._qt_window.saveState()
            dock.setObjectName("")
            self.viewer.window.remove_dock_widget(self)

    def _settle(self) -> None:
        """Give the dock its title, and the place of the dock before.

        napari names a dock after the menu entry that opened it, and the next choice of that entry
        would hide the dock, whichever tab is open. Under another name, each entry opens its tab.
        """
        dock: Any = self.parent()  # napari's own kind of dock
        if dock is None:
            return
        dock.setObjectName(NAME)
        dock.setWindowTitle(NAME)
        with suppress(AttributeError):  # napari's own; without them a menu entry hides the dock
            docks = self.viewer.window._wrapped_dock_widgets
            docks.pop(dock.name, None)
            docks[NAME] = dock
            dock.name = NAME
            dock.title.title.setText(NAME)
        if self._place is not None:
            self.viewer.window._qt_window.restoreState(self._place)
            self._place = None
            dock.show()
            dock.raise_()


def workspace_of(viewer: Viewer) -> Workspace | None:
    """Workspace that is docked in a viewer, if there is one."""
    docked = viewer.window.dock_widgets.values()
    return next((widget for widget in docked if isinstance(widget, Workspace)), None)
