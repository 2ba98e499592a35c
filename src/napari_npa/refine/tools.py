"""Every tool of correction by its name: one function for the panel, Python and the shell."""

from __future__ import annotations

from collections.abc import Sequence

from napari_npa.refine.classical import ASSISTANTS
from napari_npa.refine.close_up import CloseUp
from napari_npa.refine.proposal import Proposal, shape_itself
from napari_npa.refine.region import Region
from napari_npa.refine.tile import TileNetwork
from napari_npa.types import Mask, Progress, Target

NETWORK, SHAPE = "network", "shape"

TOOLS = (NETWORK, SHAPE, *ASSISTANTS)
"""Names of the tools: the tile network, the shape itself, and the classical assistants."""


def propose(
    tool: str,
    network: TileNetwork,
    seen: CloseUp,
    regions: Sequence[Region],
    *,
    retina: Mask,
    target: Target = "npa",
    progress: Progress | None = None,
) -> list[Proposal]:
    """Let a tool look at regions.

    Parameters
    ----------
    tool
        One of :data:`TOOLS`.
    network
        Tile network; only run if it is the tool.
    seen
        The angiogram, as ``network.look`` returned it.
    regions
        Where to look.
    retina : (rows, columns) bool
        Gradable retina; non-perfusion is found in it only.
    target
        What is looked for: non-perfusion, or the gradable retina.
    progress
        Called with (done, total) by the network.

    Returns
    -------
    proposals
        One a region, in order.

    Raises
    ------
    ValueError
        No tool of that name.
    NpaError
        What kept the network from it, see :meth:`TileNetwork.propose`.
    """
    if tool == NETWORK:
        found = network.propose(seen, regions, target=target, progress=progress)
    elif tool == SHAPE:
        found = [shape_itself(region) for region in regions]
    elif tool in ASSISTANTS:
        find = ASSISTANTS[tool].find
        found = [find(seen, region, bright=target == "retina") for region in regions]
    else:
        raise ValueError(f"no tool is called {tool!r}; there are {', '.join(TOOLS)}")
    if target == "npa":
        return [proposal.within(retina) for proposal in found]
    return found
