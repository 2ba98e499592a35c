"""The bar that offers to go on with corrections that were kept on this computer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_npa.annotation.file import Summary


class RecoveryBar(QWidget):
    """A line of text, a list and two buttons; visible only while there is something to offer."""

    restore_wanted = Signal()
    discard_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[str, str] = {}
        self.line = QLabel()
        self.line.setWordWrap(True)
        self.line.setToolTip("Corrections that were kept on this computer.")
        self.choice = QComboBox()
        self.choice.setToolTip("All corrections that were kept, those of the open image first.")
        self.choice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.restore = QPushButton("Go on with them")
        self.restore.setToolTip(
            "Open and segment the image if necessary, then put the corrected masks in place;\n"
            "Ctrl+Z in each layer shows the masks of before."
        )
        self.discard = QPushButton("Discard…")
        self.discard.setToolTip(
            "Delete these corrections from this computer, after a question; saved files stay."
        )
        self.choice.currentIndexChanged.connect(self._show)
        self.restore.clicked.connect(self.restore_wanted)
        self.discard.clicked.connect(self.discard_wanted)
        self._lay_out()
        self.offer([], "", "")

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.restore)
        buttons.addWidget(self.discard)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(9, 4, 9, 4)
        layout.addWidget(self.line)
        layout.addWidget(self.choice)
        layout.addLayout(buttons)

    @property
    def offered(self) -> Summary | None:
        """What the buttons are about; None: nothing is offered."""
        chosen: Summary | None = self.choice.currentData()
        return chosen

    def offer(self, kept: Sequence[Summary], image_sha256: str, name: str) -> None:
        """Offer annotations; what was chosen of them stays chosen.

        Parameters
        ----------
        kept
            All that can be gone on with, in order.
        image_sha256, name
            Hash and name of the open image; empty: none is open.
        """
        before = self.offered
        self._names = {image_sha256: name}
        self.choice.blockSignals(True)
        self.choice.clear()
        for summary in kept:
            self.choice.addItem(self._in_words(summary), summary)
            if before is not None and summary.session_id == before.session_id:
                self.choice.setCurrentIndex(self.choice.count() - 1)
        self.choice.blockSignals(False)
        self.choice.setVisible(len(kept) > 1)
        self._show()

    def may_discard(self) -> bool:
        """Ask whether the offered annotation may be deleted."""
        assert self.offered is not None
        yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
        question = f"Delete these corrections for good?\n\n{self._in_words(self.offered)}"
        return bool(QMessageBox.question(self, "Discard", question, yes | no, no) == yes)

    def _show(self) -> None:
        offered = self.offered
        self.setVisible(offered is not None)
        if offered is not None:
            more = self.choice.count() - 1
            also = f" {more} more {'are' if more > 1 else 'is'} in the list." * (more > 0)
            self.line.setText(f"{self._in_words(offered)}.{also}")

    def _in_words(self, summary: Summary) -> str:
        edits = f"{summary.edits} correction{'s' * (summary.edits != 1)}"
        name = self._names.get(summary.image_sha256, "")
        if not name:
            name = summary.source.name if summary.source else "an image that was not in a file"
        if summary.frame:
            name = f"{name}, frame {summary.frame + 1}"
        where = f"saved in {summary.folder}" if summary.saved else "not saved"
        return f"{edits} of '{name}'{_when(summary.written)}, {where}"


def _when(written: str) -> str:
    """Local date and time of a file, in words; empty if unknown."""
    try:
        return f" of {datetime.fromisoformat(written).astimezone():%d %b %Y, %H:%M}"
    except ValueError:
        return ""
