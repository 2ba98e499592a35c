"""Names of the networks that come with the package; imports no torch."""

from __future__ import annotations

from pathlib import Path

EMBEDDED = Path(__file__).parent / "weights"
"""Folder of the weights that come with the package."""

WHOLE = "whole"
"""Weights that look at whole images."""

TILE = "tile"
"""Weights that look at parts of an image, and at whole ultra-widefield images."""

RETINA = "retina"
"""Weights that find the gradable retina, which all others rely on."""

AUTO = "auto"
"""Not weights but a choice between them: each where it is the better one (see docs/evidence.md),
`whole` on 55° frames and `tile` on ultra-widefield images."""


TITLES = {AUTO: "Automatic", WHOLE: "Whole image", TILE: "Close-up", RETINA: "Gradable retina"}
"""What people read in place of the names, which files and the command line keep."""


def embedded_models() -> list[str]:
    """List the names of the weights for non-perfusion that come with the package."""
    return sorted({path.stem for path in EMBEDDED.glob("*.safetensors")} - {RETINA})


def offered_models() -> list[str]:
    """List the models to choose from, the automatic choice first, instead of its parts."""
    return [AUTO, *(name for name in embedded_models() if name not in (WHOLE, TILE))]


def is_auto(model: object) -> bool:
    """Tell whether the choice between the embedded networks is left to the program.

    The choice was once called ``whole``; scripts that still say so get the same results.
    """
    return model in (AUTO, WHOLE)
