"""Control that chooses the kind of field of view, and tells which one was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QComboBox, QSizePolicy

if TYPE_CHECKING:
    from napari_npa.types import FieldChoice, FieldName

TITLES: dict[FieldName, str] = {"55": "55° camera", "uwfa": "ultra-widefield"}
"""What clinicians call the kinds of field of view."""

AUTOMATIC = "Automatic"


class FieldOfViewBox(QComboBox):
    """Automatic, a camera's field of about 55°, or ultra-widefield."""

    def __init__(self) -> None:
        super().__init__()
        self.setToolTip(
            "What the image shows. 'Automatic' tells it by the outline of the field, and shows\n"
            "what it took the image for; choose, and run again, if that is wrong."
        )
        self.addItem(AUTOMATIC, "auto")
        for name, title in TITLES.items():
            self.addItem(title.capitalize(), name)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    @property
    def choice(self) -> FieldChoice:
        """Name of the kind that was chosen, or ``auto``."""
        name: FieldChoice = self.currentData()
        return name

    def tell(self, found: FieldName | None) -> None:
        """Show as which kind the image was judged; None: it was not yet."""
        self.setItemText(0, AUTOMATIC if found is None else f"Auto: {TITLES[found]}")
