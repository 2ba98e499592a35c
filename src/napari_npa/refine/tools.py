"""The registry of correction tools, which the panel, the shell and Python read.

Importing it is cheap: a tool imports torch or scikit-image when it is first used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from napari_npa.refine.classical import Method
    from napari_npa.refine.close_up import CloseUp
    from napari_npa.refine.proposal import Proposal
    from napari_npa.refine.region import Action, Region
    from napari_npa.refine.tile import TileNetwork
    from napari_npa.types import Gray, Mask, Progress, Target

ToolId = Literal[
    "network", "shape", "threshold", "local threshold", "contour", "clusters", "walker", "grow"
]
"""What records, the shell and Python call a tool."""


@dataclass(frozen=True, eq=False)
class Sight:
    """What a tool can see.

    Attributes
    ----------
    regions
        Where a tool that takes shapes looks.
    click
        Row and column at which a tool that takes a click starts.
    target
        What it looks for: non-perfusion, or the gradable retina.
    retina : (rows, columns) bool
        Gradable retina as it is now.
    probability : (rows, columns) float32
        Of non-perfusion, from the automatic result; None if that is not at hand.
    close_up
        Returns the angiogram at the scale of the tile network.
    network
        Loads the tile network and returns it with the close-up on its own canvas.
    progress
        Called with (done, total) by the network.
    """

    regions: Sequence[Region]
    click: tuple[float, float] | None
    target: Target
    retina: Mask
    probability: Gray | None
    close_up: Callable[[], CloseUp]
    network: Callable[[], tuple[TileNetwork, CloseUp]]
    progress: Progress | None = None


Find = Callable[[Sight], "list[Proposal]"]
"""Gives a proposal for each region, in order, or one for the click."""


@dataclass(frozen=True)
class Tool:
    """A tool of correction.

    Attributes
    ----------
    id
        Stays the same, whatever the tool is called on the screen.
    title
        Its name on the screen.
    explanation
        One line for a tooltip or for help.
    find
        Finds what is looked for.
    takes
        Where it looks: inside shapes, or around a click.
    needs_network
        Whether it loads the tile network.
    needs_image
        Whether it looks at the angiogram at all; that takes a while.
    """

    id: ToolId
    title: str
    explanation: str
    find: Find
    takes: Literal["shape", "click"] = "shape"
    needs_network: bool = False
    needs_image: bool = True


def _network(sight: Sight) -> list[Proposal]:
    network, close_up = sight.network()
    return network.propose(close_up, sight.regions, target=sight.target, progress=sight.progress)


def _shape(sight: Sight) -> list[Proposal]:
    from napari_npa.refine.proposal import shape_itself

    return [shape_itself(region) for region in sight.regions]


def _grow(sight: Sight) -> list[Proposal]:
    from napari_npa.refine.growing import grow

    assert sight.click is not None
    return [grow(sight.close_up(), sight.click, retina=sight.retina, probability=sight.probability)]


def _classical(name: str) -> Find:
    """Use a function of :mod:`napari_npa.refine.classical`."""

    def find(sight: Sight) -> list[Proposal]:
        method: Method = getattr(import_module("napari_npa.refine.classical"), name)
        bright = sight.target == "retina"
        return [method(sight.close_up(), region, bright=bright) for region in sight.regions]

    return find


_ALL = (
    Tool(
        "network",
        "Close-up",
        "A network looks at the inside of the shape again, at higher resolution.",
        _network,
        needs_network=True,
    ),
    Tool(
        "shape",
        "My outline",
        "All of the shape, whatever the image shows there.",
        _shape,
        needs_image=False,
    ),
    Tool(
        "threshold",
        "Threshold",
        "Darker than the level that best divides the shape's gray levels (Otsu).",
        _classical("threshold"),
    ),
    Tool(
        "local threshold",
        "Local threshold",
        "Darker than its surroundings, where the shape is shaded.",
        _classical("local_threshold"),
    ),
    Tool(
        "contour",
        "Active contour",
        "A line that shrinks from the shape onto the edges in it.",
        _classical("contour"),
    ),
    Tool(
        "clusters",
        "Clustering",
        "Pixels in groups of like brightness and texture; the darker groups.",
        _classical("clusters"),
    ),
    Tool(
        "walker",
        "Random walker",
        "Spreads from the darkest and the brightest places until both meet at edges.",
        _classical("walker"),
    ),
    Tool(
        "grow",
        "Grow by click",
        "The dark region around a click, up to vessels and never outside the gradable retina.",
        _grow,
        takes="click",
    ),
)

TOOLS: dict[ToolId, Tool] = {tool.id: tool for tool in _ALL}
"""Every tool by its id, in the order in which they are offered."""


def tool_for(tool: ToolId | None, action: Action, takes: Literal["shape", "click"]) -> Tool:
    """Choose the tool that finds what a correction needs.

    Parameters
    ----------
    tool
        As the user chose it; None: the tile network in a shape, growing around a click.
    action
        To remove the mask inside a shape, nothing has to be found: the shape itself is enough.
    takes
        Whether the place is a shape or a click.

    Raises
    ------
    ValueError
        There is no such tool, or it does not take such a place.
    """
    chosen = tool or ("network" if takes == "shape" else "grow")
    allowed = [known.id for known in _ALL if known.takes == takes]
    if chosen not in allowed:
        raise ValueError(f"tool is {chosen!r}; allowed with a {takes} are {', '.join(allowed)}")
    return TOOLS["shape" if action == "remove" and takes == "shape" else chosen]
