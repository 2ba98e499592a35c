"""The bar that offers to go on with an annotation that was kept of an image."""

from __future__ import annotations

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_npa.annotation.file import Annotation, Summary


class RecoveryBar(QWidget):
    """A line of text and two buttons; visible only while there is something to offer."""

    restore_wanted = Signal()
    discard_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.offered: Annotation | Summary | None = None
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.line.setToolTip("Corrections of this image that were kept on this computer.")
        self.restore = QPushButton("Go on with them")
        self.restore.setToolTip(
            "Segment the image, then put the corrected masks in place; Ctrl+Z in each layer shows\n"
            "the automatic result."
        )
        self.discard = QPushButton("Discard")
        self.discard.setToolTip("Delete the corrections kept on this computer; saved files stay.")
        self.restore.clicked.connect(self.restore_wanted)
        self.discard.clicked.connect(self.discard_wanted)
        buttons = QHBoxLayout()
        buttons.addWidget(self.restore)
        buttons.addWidget(self.discard)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line)
        layout.addLayout(buttons)
        self.withdraw()

    def offer(self, annotation: Annotation, name: str) -> None:
        """Offer an annotation of the open image."""
        edits, verb = _counted(annotation.session.number)
        where = f"saved in {annotation.folder}" if annotation.saved else "not saved"
        self._show(annotation, f"{edits} of '{name}' {verb} {where}.")

    def offer_file(self, summary: Summary) -> None:
        """Offer to open the image of an unsaved annotation."""
        assert summary.source is not None
        edits, verb = _counted(summary.edits)
        self._show(summary, f"{edits} of '{summary.source.name}' {verb} not saved the last time.")

    def withdraw(self) -> None:
        """Offer nothing."""
        self.offered = None
        self.hide()

    def _show(self, offered: Annotation | Summary, line: str) -> None:
        self.offered = offered
        self.line.setText(line)
        self.show()


def _counted(edits: int) -> tuple[str, str]:
    """Number of corrections in words, and the verb that goes with it."""
    return ("1 correction", "was") if edits == 1 else (f"{edits} corrections", "were")
