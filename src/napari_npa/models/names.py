"""Names of the networks that come with the package; imports no torch."""

from __future__ import annotations

WHOLE = "whole"
"""Weights that look at whole images."""

TILE = "tile"
"""Weights that look at parts of an image, and at whole ultra-widefield images."""

RETINA = "retina"
"""Weights that find the gradable retina, which all others rely on."""

AUTO = "auto"
"""Not weights but a choice between them: each where it is the better one (see docs/evidence.md),
`whole` on 55° frames and `tile` on ultra-widefield images."""


def is_auto(model: object) -> bool:
    """Tell whether the choice between the embedded networks is left to the program.

    The choice was once called ``whole``; scripts that still say so get the same results.
    """
    return model in (AUTO, WHOLE)
