"""What napari calls for an entry of its menu: each opens a tab of the one dock."""

from __future__ import annotations

from typing import ClassVar

from napari.viewer import Viewer
from qtpy.QtWidgets import QWidget

from napari_npa.plugin.dock.workspace import TabId, Workspace, workspace_of


class _Entry(QWidget):
    """A class, as napari wants it for a widget with a viewer; to call it gives the workspace.

    napari docks whatever an entry gives. A workspace that is docked already leaves its dock, and
    takes its place again in the new one.
    """

    tab: ClassVar[TabId]

    def __new__(cls, napari_viewer: Viewer) -> Workspace:  # type: ignore[misc]
        """Give the workspace of a viewer, its tab in front, to be docked."""
        # add_plugin_dock_widget passes a proxy, whose layers are not the layers themselves.
        viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        workspace = workspace_of(viewer)
        if workspace is None:
            workspace = Workspace(viewer)
        else:
            workspace.leave_dock()
        workspace.open(cls.tab)
        return workspace

    def __init__(self, napari_viewer: Viewer) -> None:
        """Tell napari that the entry takes a viewer; never called."""


class SegmentEntry(_Entry):
    """Opens the tab that segments."""

    tab = "segment"


class CorrectEntry(_Entry):
    """Opens the tab that corrects."""

    tab = "correct"


class ReviewEntry(_Entry):
    """Opens the tab that goes through a folder."""

    tab = "review"


class BatchEntry(_Entry):
    """Opens the tab that segments a folder."""

    tab = "batch"
