"""Texts of the review panel: its line of status, and a question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QMessageBox, QWidget

from napari_npa.errors import RetinaError
from napari_npa.plugin.qt.messages import tell

if TYPE_CHECKING:
    from napari_npa.annotation.file import Summary
    from napari_npa.plugin.review.preparation import Found, Prepared

CAN_BE_MARKED = "Press Ungradable if no part of it can be judged."

NO_PART = "Can no part of '{name}' be judged? It is then done, without masks and index."

LOSES_MASKS = "The masks of this image are removed, your corrections too."

UNREADABLE = "It is marked as unreadable; Next to do passes over it."

LEFT_OUT = (
    "from an earlier session, not saved then, are kept on this computer and are not in the masks "
    "that are shown ('Go on with them' puts them in)."
)

ALL_DONE = "Done, and so is every other image of the folder."


def line_of_found(prepared: Prepared, found: Found, *, shown: bool) -> str:
    """Text about a result; `shown` is False if it was dropped."""
    name = prepared.queue.images[prepared.at].name
    if not shown:
        return f"'{name}' was removed, changed or segmented meanwhile: result dropped."
    if found.warning is not None:
        return tell(found.warning)
    lines = [*found.segmentation.notes]
    if found.saved is not None:
        lines.insert(0, "Masks as saved; Ctrl+Z in each shows the automatic ones.")
    elif prepared.queue.is_ungradable(prepared.at):
        lines.insert(0, f"'{name}' is marked as ungradable; Approve takes that back.")
    return "\n".join(lines)


def line_of_error(prepared: Prepared, error: Exception) -> str:
    """Text about an image that could not be read or segmented."""
    if prepared.is_unreadable:
        return f"{tell(error)}\n{UNREADABLE}"
    if not isinstance(error, RetinaError):
        return tell(error)
    if prepared.queue.is_ungradable(prepared.at):
        return f"'{prepared.queue.images[prepared.at].name}' is marked as ungradable."
    return f"{tell(error)}\n{CAN_BE_MARKED}"


def line_of_failed_save(error: Exception) -> str:
    """Text about masks that could not be written."""
    line = f"{tell(error)}\nThe image stays open: nothing was lost."
    return f"{line} {CAN_BE_MARKED}" if isinstance(error, RetinaError) else line


def is_ungradable(panel: QWidget, name: str, loses_masks: bool) -> bool:
    """Ask whether no part of an image can be judged, and its masks may be removed."""
    yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
    question = "\n".join([NO_PART.format(name=name), *[LOSES_MASKS] * loses_masks])
    return bool(QMessageBox.question(panel, "Ungradable", question, yes | no, no) == yes)


def may_leave_work(panel: QWidget, kept: list[Summary], question: str) -> bool:
    """Ask whether an image may be judged without the corrections that were kept of it."""
    edits = sum(summary.edits for summary in kept)
    counted = "1 correction" if edits == 1 else f"{edits} corrections"
    yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
    text = f"{counted} of this image {LEFT_OUT} {question}"
    return bool(QMessageBox.question(panel, "Kept corrections", text, yes | no, no) == yes)
