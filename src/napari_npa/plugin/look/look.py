"""How the non-perfused areas look: filled or outlined, and how opaque; remembered."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_npa.plugin.look.outline import outline_pixels
from napari_npa.plugin.qt.remembered import remember, remembered

if TYPE_CHECKING:
    from napari.layers import Labels

OPACITY = 0.4
"""Until the user chooses another, vessels can be seen through the areas."""


@dataclass(frozen=True)
class Look:
    """Look of the layer of non-perfusion.

    Attributes
    ----------
    outlined
        Whether only the outlines of the areas are shown.
    opacity
        Of the fill or the outline, 0 to 1.
    """

    outlined: bool = False
    opacity: float = OPACITY

    @classmethod
    def last(cls) -> Look:
        """Look that the user chose last."""
        look = cls(outlined=remembered("look/outlined") == "true")
        with suppress(ValueError):  # nothing remembered, or edited by hand
            opacity = float(remembered("look/opacity"))
            return replace(look, opacity=min(max(opacity, 0.0), 1.0))
        return look

    @classmethod
    def of(cls, layer: Labels) -> Look:
        """Look that a layer has."""
        return cls(layer.contour > 0, float(layer.opacity))

    def give(self, layer: Labels) -> None:
        """Give this look to a layer."""
        layer.contour = outline_pixels(layer.data.shape) if self.outlined else 0
        layer.opacity = self.opacity

    def remember(self) -> None:
        """Give this look to the layers of later results, too."""
        remember("look/outlined", "true" if self.outlined else "false")
        remember("look/opacity", f"{self.opacity:.2f}")
