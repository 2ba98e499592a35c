"""What the panels remember from one session to the next."""

from __future__ import annotations

from qtpy.QtCore import QSettings

from napari_npa.annotation.store import annotations_folder

FILE = "panels.ini"
"""Beside the folder of annotations, among the data of this user."""


def remembered(key: str, default: str = "") -> str:
    """Return what was last remembered under a key."""
    return str(_settings().value(key, default))


def remember(key: str, value: str) -> None:
    """Remember a text under a key, for this user of this computer."""
    _settings().setValue(key, value)


def _settings() -> QSettings:
    # Not QSettings' own place: a test, or a study, may have its data elsewhere.
    return QSettings(str(annotations_folder().parent / FILE), QSettings.Format.IniFormat)
