"""Correct the masks of a result: one class for the panel, Python and the shell."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, NamedTuple, get_args

from napari_npa.errors import NpaError
from napari_npa.refine.correction import Correction
from napari_npa.refine.proposal import NEUTRAL, Proposal
from napari_npa.refine.region import (
    Action,
    Region,
    box_region,
    polygon_region,
    window_around,
)
from napari_npa.refine.session_log import logged
from napari_npa.refine.tools import Sight, ToolId, tool_for
from napari_npa.types import TARGETS, Target

if TYPE_CHECKING:  # these import torch, which takes seconds: not before it is needed
    from numpy.typing import ArrayLike

    from napari_npa.models.weights import Model
    from napari_npa.refine.close_up import CloseUp
    from napari_npa.refine.tile import TileNetwork
    from napari_npa.results.result import Result
    from napari_npa.segmentation.retina import Retina
    from napari_npa.types import Progress


class Refiner:
    """Corrects results: set an image, then correct it as often as needed.

    Nothing is loaded before a tool needs it. The network, and what was computed of the last
    image, are kept for the next correction.

    Parameters
    ----------
    device
        ``auto`` (the fastest present), ``cuda``, ``mps`` or ``cpu``.
    model
        Weights of the tile network: a name of embedded ones, a file, or a loaded
        :class:`napari_npa.models.weights.Model`.

    Examples
    --------
    >>> refiner = Refiner()
    >>> refiner.set_image(Result.of(segment("eye.tif")))                 # doctest: +SKIP
    >>> refiner.correct(box=(90, 80, 180, 200), action="replace")        # doctest: +SKIP
    >>> refiner.adjust(0.6)                                              # doctest: +SKIP
    >>> result = refiner.correct(click=(300, 240))                       # doctest: +SKIP
    """

    def __init__(self, device: str = "auto", model: str | Path | Model = "tile") -> None:
        self.device = device
        self.model = model
        self._lock = RLock()  # a correction may be asked for while the image is being prepared
        self._network: TileNetwork | None = None
        self._looked: _Looked | None = None
        self._result: Result | None = None
        self._last: _Last | None = None

    # The two verbs

    def set_image(self, result: Result) -> None:
        """Correct a result from now on; nothing is computed yet.

        Parameters
        ----------
        result
            Masks to correct. What its automatic result found of the retina is not searched for
            again. Another result of the same angiogram costs nothing.
        """
        self._result = result
        self._last = None

    @property
    def result(self) -> Result:
        """The result as corrected so far.

        Raises
        ------
        RuntimeError
            There is none yet.
        """
        if self._result is None:
            raise RuntimeError("nothing to correct yet; call set_image first")
        return self._result

    def correct(
        self,
        *,
        box: tuple[float, float, float, float] | None = None,
        polygon: ArrayLike | None = None,
        regions: Sequence[Region] | None = None,
        click: tuple[float, float] | None = None,
        tool: ToolId | None = None,
        action: Action = "add",
        target: Target = "npa",
        sensitivity: float = NEUTRAL,
        progress: Progress | None = None,
    ) -> Result:
        """Correct a mask at one place; the next correction goes on from there.

        Parameters
        ----------
        box
            A rectangle: first row, first column, last row and last column, pixels; the last ones
            belong to it.
        polygon : (n, 2) array
            Rows and columns of corners, pixels; pixel centres are at whole numbers.
        regions
            Several shapes, corrected together.
        click
            Row and column to grow a region from.
        tool
            What finds what is looked for, see :data:`napari_npa.refine.TOOLS`; None: the tile
            network in a shape, growing around a click.
        action
            What is done inside the shape.
        target
            Which mask is corrected. Non-perfusion is found in the gradable retina only.
        sensitivity
            In [0, 1]; more finds more, 0.5 is the tool's own decision.
        progress
            Called with (done, total) by the network; what it raises ends the work and is
            passed on.

        Returns
        -------
        result
            With the corrected mask, a note and an edit in the session log. Its provenance stays
            that of the automatic masks.

        Raises
        ------
        ValueError
            Not exactly one place, or no such tool, action, target or sensitivity.
        NpaError
            The place is outside the image, or the tool could not look: see :meth:`find`.
        RuntimeError
            No image was set.
        """
        result = self.result
        if sum(place is not None for place in (box, polygon, regions, click)) != 1:
            raise ValueError("give exactly one place: box, polygon, regions or click")
        _require_sensitivity(sensitivity)
        shape = result.npa.shape
        if box is not None:
            regions = _one(box_region(box, shape))
        elif polygon is not None:
            regions = _one(polygon_region(polygon, shape))
        proposals = self.find(
            result,
            progress,
            regions=regions or (),
            click=click,
            tool=tool,
            action=action,
            target=target,
        )
        window = window_around(proposal.region for proposal in proposals)
        before = result.mask(target)[window]
        correction = Correction(proposals, action, before, window, sensitivity)
        name = tool or ("grow" if click is not None else "network")
        self._last = _Last(result, target, f"{name}: {action}", correction)
        self._result = self._last.outcome()
        return self._result

    def adjust(self, sensitivity: float) -> Result:
        """Make the last correction again with another sensitivity, without looking again.

        Parameters
        ----------
        sensitivity
            In [0, 1].

        Raises
        ------
        ValueError
            No such sensitivity.
        RuntimeError
            Nothing was corrected since the image was set.
        """
        if self._last is None:
            raise RuntimeError("no correction to adjust; call correct first")
        _require_sensitivity(sensitivity)
        self._last.correction.sensitivity = sensitivity
        self._result = self._last.outcome()
        return self._result

    # For a panel, whose layers hold the masks: these two may run in any thread

    def prepare(self, result: Result, progress: Progress | None = None) -> None:
        """Do what takes long before the first correction asks for it.

        Parameters
        ----------
        result
            What will be corrected.
        progress
            Called with (done, total); what it raises ends the work and is passed on.

        Raises
        ------
        DeviceError, WeightsError, RetinaError
            See :class:`napari_npa.refine.TileNetwork`.
        """
        self._loaded_network()
        if progress is not None:
            progress(1, 2)
        self._network_and_close_up(result)
        if progress is not None:
            progress(2, 2)

    def find(
        self,
        result: Result,
        progress: Progress | None = None,
        *,
        regions: Sequence[Region] = (),
        click: tuple[float, float] | None = None,
        tool: ToolId | None = None,
        action: Action = "add",
        target: Target = "npa",
    ) -> list[Proposal]:
        """Let a tool look, and change nothing.

        Parameters
        ----------
        result
            What is corrected; it need not be the one that was set.
        progress, regions, click, tool, action, target
            See :meth:`correct`; without a click there is at least one region.

        Returns
        -------
        proposals
            One for each region, in order, or one for the click.

        Raises
        ------
        ValueError
            No such tool, action or target.
        NpaError
            The place is outside the image.
        DeviceError, WeightsError, RetinaError
            The tool could not look, see :class:`napari_npa.refine.TileNetwork`.
        """
        _require("action", action, get_args(Action))
        _require("target", target, TARGETS)
        chosen = tool_for(tool, action, "shape" if click is None else "click")
        _require_place(result, regions, click)
        proposals = chosen.find(
            Sight(
                regions=regions,
                click=click,
                target=target,
                retina=result.retina,
                probability=None if result.automatic is None else result.automatic.probability,
                close_up=partial(self._close_up, result),
                network=partial(self._network_and_close_up, result),
                progress=progress,
            )
        )
        if target == "npa":
            return [proposal.within(result.retina) for proposal in proposals]
        return proposals

    # What is kept

    def _loaded_network(self) -> TileNetwork:
        from napari_npa.refine.tile import TileNetwork

        with self._lock:
            if self._network is None:
                self._network = TileNetwork(self.device, self.model)
            return self._network

    def _network_and_close_up(self, result: Result) -> tuple[TileNetwork, CloseUp]:
        network = self._loaded_network()
        with self._lock:
            return network, self._close_up(result, network.model.canvases).with_channels()

    def _close_up(self, result: Result, canvases: dict[str, int] | None = None) -> CloseUp:
        from napari_npa.refine.close_up import CANVASES, CloseUp
        from napari_npa.segmentation.retina import find_retina

        angiogram = result.angiogram
        with self._lock:
            if self._looked is None or self._looked.sha256 != angiogram.sha256:
                automatic = result.automatic
                retina = (
                    find_retina(
                        angiogram.pixels,
                        name=angiogram.name,
                        field_of_view=result.provenance.field_of_view or "auto",
                    )
                    if automatic is None
                    else automatic.imaged
                )
                self._looked = _Looked(angiogram.sha256, retina, {})
            retina, close_ups = self._looked.retina, self._looked.close_ups
            canvases = canvases or CANVASES
            side = canvases[retina.view.name]
            if side not in close_ups:
                close_ups[side] = CloseUp.of(angiogram, canvases, retina)
            return close_ups[side]


class _Looked(NamedTuple):
    """What is kept of the last image: its retina, and its close-ups by the canvas's side."""

    sha256: str
    retina: Retina
    close_ups: dict[int, CloseUp]


class _Last(NamedTuple):
    """The last correction, and what it was made of."""

    before: Result
    target: Target
    edit: str
    correction: Correction

    def outcome(self) -> Result:
        mask = self.correction.applied(self.before.mask(self.target))
        note = f"corrected by {self.edit}, sensitivity {self.correction.sensitivity:g}"
        return logged(self.before, self.before.corrected(self.target, mask, note), self.edit)


def _one(region: Region | None) -> list[Region]:
    return [] if region is None else [region]


def _require(what: str, value: str, allowed: Collection[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{what} is {value!r}; allowed are {', '.join(allowed)}")


def _require_sensitivity(sensitivity: float) -> None:
    if not 0 <= sensitivity <= 1:
        raise ValueError(f"sensitivity is {sensitivity}; allowed are numbers from 0 to 1")


def _require_place(
    result: Result, regions: Sequence[Region], click: tuple[float, float] | None
) -> None:
    rows, columns = result.npa.shape
    name = result.angiogram.name
    if click is None:
        if not regions:
            raise NpaError(
                name,
                f"has no pixel inside the shape; it is {rows} x {columns}",
                "Give rows and columns in pixels of the image.",
            )
    elif not (0 <= round(click[0]) < rows and 0 <= round(click[1]) < columns):
        raise NpaError(
            name,
            f"cannot be grown into from row {click[0]:g}, column {click[1]:g}; "
            f"it is {rows} x {columns}",
            "Give a place in the image.",
        )
