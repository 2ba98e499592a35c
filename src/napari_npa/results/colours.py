"""The colours of masks, on screen and in overlays; imports no torch.

Orange and blue differ for eyes that do not tell red from green, as one man in twelve has, and the
orange differs from every gray below it.
"""

from __future__ import annotations

NPA_COLOUR = (255, 159, 10)
"""Non-perfusion: red, green and blue, 0 to 255."""

NOT_COUNTED_COLOUR = (152, 152, 157)
"""Non-perfusion outside the gradable retina."""

RETINA_COLOUR = (86, 180, 233)
"""Gradable retina."""
