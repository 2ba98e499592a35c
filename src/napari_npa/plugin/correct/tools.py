"""The tools of correction, run off the GUI thread on the image that is corrected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from napari_npa.refine import Proposal, Region
from napari_npa.types import Gray, Mask

if TYPE_CHECKING:  # torch is imported in the worker only: it takes seconds
    from napari_npa.io.angiogram import Angiogram
    from napari_npa.refine import CloseUp, TileNetwork
    from napari_npa.types import Progress, Target

TILE_TOOL = "Tile network"
SHAPE_TOOL = "The shape itself"
GROW_TOOL = "Grow"

TOOLS = {
    TILE_TOOL: "The tile network looks again inside the shape, at higher resolution.",
    SHAPE_TOOL: "All of the shape, whatever the image shows there.",
    "Threshold": "Darker than the level that best divides the shape's gray levels (Otsu).",
    "Local threshold": "Darker than its surroundings, where the shape is shaded.",
    "Active contour": "A line that shrinks from the shape onto the edges in it.",
    "Clustering": "Pixels in groups of like brightness and texture; the darker groups.",
    "Random walker": "Spreads from the darkest and the brightest places until both meet at edges.",
}
"""Ways to find non-perfusion inside a shape, as the panel names and explains them."""

TOOL_KEYS = {
    TILE_TOOL: "network",
    SHAPE_TOOL: "shape",
    "Threshold": "threshold",
    "Local threshold": "local threshold",
    "Active contour": "contour",
    "Clustering": "clusters",
    "Random walker": "walker",
}
"""Names of the tools in :mod:`napari_npa.refine`, by what the panel calls them."""


@dataclass(frozen=True, eq=False)
class Wish:
    """What the user asked for when a shape was finished or a pixel clicked.

    Attributes
    ----------
    angiogram
        Image that is corrected.
    tool
        One of :data:`TOOLS`, or :data:`GROW_TOOL`.
    target
        What is corrected.
    retina : (rows, columns) bool
        Gradable retina as it is now; non-perfusion is found in it only.
    regions
        Where to look.
    seed
        For growing: row and column that were clicked.
    probability : (rows, columns) float32
        Of non-perfusion, from the automatic result.
    """

    angiogram: Angiogram
    tool: str
    target: Target
    retina: Mask
    regions: list[Region]
    seed: tuple[int, int] | None
    probability: Gray


class CloseLook:
    """Tile network and close-up of the image of the last correction, kept for the next."""

    def __init__(self) -> None:
        self._lock = Lock()  # a click may come while the image is still being prepared
        self._network_for: tuple[str, str | Path] | None = None
        self._network: TileNetwork | None = None
        self._seen_for: str | None = None
        self._seen: CloseUp | None = None

    def prepare(
        self, angiogram: Angiogram, device: str, model: str | Path, progress: Progress
    ) -> tuple[TileNetwork, CloseUp]:
        """Load the network and scale the image, unless that has been done; slow, for a worker.

        Raises
        ------
        DeviceError, WeightsError, RetinaError
            See :class:`napari_npa.refine.TileNetwork`.
        """
        from napari_npa.refine import TileNetwork

        with self._lock:
            if self._network is None or self._network_for != (device, model):
                self._network, self._network_for = TileNetwork(device, model), (device, model)
                self._seen = None  # its canvas may be another
            if self._seen is None or self._seen_for != angiogram.sha256:
                self._seen, self._seen_for = self._network.look(angiogram), angiogram.sha256
            return self._network, self._seen

    def propose(
        self, wish: Wish, device: str, model: str | Path, progress: Progress
    ) -> list[Proposal]:
        """Do what was wished; slow, for a worker.

        Raises
        ------
        NpaError
            What kept the tool from it.
        """
        from napari_npa.refine import grow, propose

        network, seen = self.prepare(wish.angiogram, device, model, progress)
        if wish.seed is not None:
            return [grow(seen, wish.seed, retina=wish.retina, probability=wish.probability)]
        return propose(
            TOOL_KEYS[wish.tool],
            network,
            seen,
            wish.regions,
            retina=wish.retina,
            target=wish.target,
            progress=progress,
        )
