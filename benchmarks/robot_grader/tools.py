"""What a doctor could do next, with which gain and in which time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from skimage.measure import approximate_polygon
from skimage.morphology import convex_hull_image

from napari_npa.imaging.raster import eroded
from napari_npa.refine import (
    NEUTRAL,
    Action,
    Proposal,
    Region,
    corrected,
    polygon_region,
    shape_itself,
)
from robot_grader.board import Board, Change
from robot_grader.case import ASSISTANTS, Case
from robot_grader.errors import (
    MARGIN,
    Part,
    connected_parts,
    largest_parts,
    part_at,
    wider,
)
from robot_grader.hand import (
    BRUSHES,
    CORNER,
    EVERYWHERE_WAIT,
    GROW_WAIT,
    NETWORK_WAIT,
    POINT,
    PRESS,
    STRAIGHT_CM,
    WATCH,
    WOBBLE_CM,
    ZOOMS,
    Drawn,
    Screen,
    medial,
)

SLIDER = (0.1, 0.25, NEUTRAL, 0.75, 0.9)
"""Sensitivities that are looked at while the slider is dragged."""

THRESHOLDS = (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Thresholds of the automatic result that are looked at while its slider is dragged."""

WIDEST = 0.5
"""A frame around a whole area is not wider than this, sides of the image."""

CORNERS = 10
"""Most corners of a polygon that is clicked around a place."""

Rng = np.random.Generator


class Done(NamedTuple):
    """What an action did, how long its lines are, and seconds that they take."""

    change: Change
    cm: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Plan:
    """An action as it is foreseen.

    Attributes
    ----------
    tool
        Its name in the table.
    settings
        Of the panel; each that is not set yet takes a click.
    foreseen
        What it would do.
    do
        Do it: with a hand that wobbles otherwise, and the network run on this region.
    """

    tool: str
    settings: tuple[str, ...]
    foreseen: Done
    do: Callable[[Board, Rng], Done | None]


class Frame(NamedTuple):
    """A region, by how it is drawn and how long that takes."""

    shape: str
    region: Region
    seconds: float


Tools = Callable[[Case, Board, "Wrong", Rng], Iterator[Plan]]


class Wrong(NamedTuple):
    """Largest places where the mask is wrong: thick ones, and as they hang together."""

    missed: list[Part]
    extra: list[Part]
    missed_whole: list[Part]
    extra_whole: list[Part]

    @classmethod
    def of(cls, board: Board) -> Wrong:
        missed = board.truth & ~board.mask & board.judged
        extra = board.mask & ~board.truth & board.judged
        return cls(
            largest_parts(missed),
            largest_parts(extra),
            connected_parts(missed),
            connected_parts(extra),
        )


def by_network(case: Case, board: Board, wrong: Wrong, rng: Rng) -> Iterator[Plan]:
    """Frame a place, and let the tile network look again, or clear it."""
    for part in (*wrong.missed, *wrong.extra):
        for frame in frames(case.screen, board, part):
            yield from network_plans(case, board, frame)
            yield removing(board, frame)


def by_assistants(case: Case, board: Board, wrong: Wrong, rng: Rng) -> Iterator[Plan]:
    """Frame the largest places, and let gray levels decide."""
    for part in (*wrong.missed[:1], *wrong.extra[:1]):
        for frame in frames(case.screen, board, part):
            if frame.shape == "rectangle":
                for name in ASSISTANTS:
                    proposal = case.assisted(name, frame.region)
                    yield from framed_plans(
                        board, frame, name, proposal, lambda found=proposal: found
                    )


def by_growing(case: Case, board: Board, wrong: Wrong, rng: Rng) -> Iterator[Plan]:
    """Click on a missed area, shift-click on one that is too much."""
    for parts, action in ((wrong.missed, "add"), (wrong.extra, "remove")):
        for part in parts:
            seed = part.centre
            if not case.retina[seed]:
                continue
            seconds = POINT + PRESS + GROW_WAIT + PRESS * (action == "remove")
            tool = "grow" if action == "add" else "grow, take away"
            proposal = case.grown(seed)
            for dragged in (False, True):
                yield growing(board, tool, proposal, action, seconds, dragged)


def by_shape_itself(case: Case, board: Board, wrong: Wrong, rng: Rng) -> Iterator[Plan]:
    """Lasso: all of the shape added, within the gradable retina, or cleared."""
    for drawing, value in outlines(case, board, wrong):
        action: Action = "add" if value else "remove"

        def do(
            board: Board, rng: Rng, drawing: Drawing = drawing, action: Action = action
        ) -> Done | None:
            drawn = drawing(rng)
            if drawn is None:
                return None
            proposal = shape_itself(drawn.region).within(case.retina)
            return Done(changed(board, proposal, action), drawn.cm, drawn.seconds)

        yield from planned(f"shape itself, {action}", ("lasso", "shape", action), do, board, rng)


def by_line(case: Case, board: Board, wrong: Wrong, rng: Rng) -> Iterator[Plan]:
    """By hand: a closed line that is filled, or cleared."""
    for drawing, value in outlines(case, board, wrong):
        kind = "paint" if value else "erase"
        yield from planned(f"line, {kind}", ("line", kind), filling(drawing, value), board, rng)


def by_brush(case: Case, board: Board, wrong: Wrong, rng: Rng) -> Iterator[Plan]:
    """By hand: a stroke of the brush or eraser along the middle of an error."""
    screen = case.screen
    groups = ((wrong.missed, True), (wrong.missed_whole, True))
    groups += ((wrong.extra, False), (wrong.extra_whole, False))
    for parts, value in groups:
        kind = "paint" if value else "erase"
        for part in parts:
            path = medial(part)
            for radius in BRUSHES:
                for zoom in ZOOMS:

                    def drawing(
                        rng: Rng,
                        path: np.ndarray = path,
                        radius: float = radius,
                        zoom: float = zoom,
                    ) -> Drawn | None:
                        return screen.stroke(path, radius, zoom, rng)

                    settings = ("brush", kind, f"radius {radius:.3f}")
                    do = filling(drawing, value)
                    yield from planned(f"brush, {kind}", settings, do, board, rng)


def by_threshold(case: Case, board: Board, wrong: Wrong, rng: Rng) -> Iterator[Plan]:
    """Drag the threshold of the automatic result, before anything was corrected."""
    everywhere = (slice(0, board.mask.shape[0]), slice(0, board.mask.shape[1]))
    if not np.array_equal(board.mask, case.automatic):
        return
    changes = [
        Change(everywhere, (case.result.probability >= np.float32(at)) & case.retina)
        for at in THRESHOLDS
    ]
    done = Done(max(changes, key=board.dice_after), 0.0, POINT + PRESS + WATCH)
    yield Plan("threshold", ("threshold",), done, lambda board, rng: done)


Drawing = Callable[[Rng], Drawn | None]


def filling(drawing: Drawing, value: bool) -> Callable[[Board, Rng], Done | None]:
    """Set or clear all that is drawn."""

    def do(board: Board, rng: Rng) -> Done | None:
        drawn = drawing(rng)
        if drawn is None:
            return None
        return Done(board.filled(drawn.region, value), drawn.cm, drawn.seconds)

    return do


def planned(
    tool: str,
    settings: tuple[str, ...],
    do: Callable[[Board, Rng], Done | None],
    board: Board,
    rng: Rng,
) -> Iterator[Plan]:
    """A drawing as one hand would do it; when it is done, it is another's."""
    foreseen = do(board, rng)
    if foreseen is not None:
        yield Plan(tool, settings, foreseen, do)


def outlines(case: Case, board: Board, wrong: Wrong) -> Iterator[tuple[Drawing, bool]]:
    """Closed lines around what is missed, around whole areas, and around what is too much."""
    screen = case.screen
    right, ground = board.mask & board.truth, ~board.mask & ~board.truth
    lesions = [part_at(board.truth, part.centre) for part in wrong.missed]
    for zoom in ZOOMS:
        slack = 3 * WOBBLE_CM * screen.pixels_per_cm / zoom
        wanted = [(part.reaching(right, slack), True) for part in wrong.missed]
        wanted += [(lesion, True) for lesion in lesions if lesion is not None]
        wanted += [(part.reaching(ground, slack), False) for part in wrong.extra]
        for part, value in wanted:
            yield (lambda rng, part=part, zoom=zoom: screen.outline(part, zoom, rng)), value


def frames(screen: Screen, board: Board, part: Part) -> Iterator[Frame]:
    """Rectangles around a place, the area that it belongs to, and everything; a polygon."""
    shape = board.mask.shape
    margin = round(MARGIN * max(shape))
    windows = [wider(part.window, margin, shape)]
    area = part_at(board.mask | board.truth, part.centre)
    if area is not None:
        widest = WIDEST * max(shape)
        window = wider(area.window, margin, shape)
        if max(span.stop - span.start for span in window) <= widest:
            windows.append(window)
    windows.append((slice(0, shape[0]), slice(0, shape[1])))
    for window in windows:
        inside = np.ones([span.stop - span.start for span in window], np.bool_)
        yield Frame("rectangle", Region(window, inside), 2 * POINT + PRESS)
    yield from clicked_polygon(screen, part, margin)


def clicked_polygon(screen: Screen, part: Part, margin: int) -> Iterator[Frame]:
    """Corners clicked loosely around a place."""
    around = part.reaching(np.ones(screen.shape, np.bool_), margin / 2)
    hull = convex_hull_image(around.mask)
    corners = np.argwhere(hull & ~eroded(np.pad(hull, 1), 1)[1:-1, 1:-1]).astype(float)
    angle = np.arctan2(*(corners - corners.mean(axis=0)).T)
    corners = corners[np.argsort(angle)]
    for tolerance in (margin / 4, margin / 2, margin):
        fewer = approximate_polygon(np.vstack([corners, corners[:1]]), tolerance)[:-1]
        if 3 <= len(fewer) <= CORNERS:
            placed = fewer + [span.start for span in around.window]
            region = polygon_region(placed, screen.shape)
            sides = np.hypot(*(placed - np.roll(placed, 1, axis=0)).T).sum()
            cm = float(sides) / screen.pixels_per_cm
            if region is not None:
                yield Frame("polygon", region, POINT + CORNER * len(fewer) + STRAIGHT_CM * cm)
            return


def network_plans(case: Case, board: Board, frame: Frame) -> Iterator[Plan]:
    """What the tile network is expected to do in a frame."""
    expected = Proposal(frame.region, case.glance[frame.region.window])
    yield from framed_plans(board, frame, "network", expected, lambda: case.looked(frame.region))


def framed_plans(
    board: Board, frame: Frame, finder: str, expected: Proposal, look: Callable[[], Proposal]
) -> Iterator[Plan]:
    """What is expected in a frame, with and without the slider; what is done, is by `look`."""
    share = frame.region.inside.size / board.mask.size
    wait = NETWORK_WAIT + EVERYWHERE_WAIT * share
    for action in ("replace", "add", "certain"):
        for dragged in (False, True):
            seconds = frame.seconds + wait + dragged * (POINT + PRESS + WATCH)
            name = f"{frame.shape}, {finder} {action}" + ", slider" * dragged

            def do(
                board: Board,
                rng: Rng,
                action: Action = action,
                dragged: bool = dragged,
                seconds: float = seconds,
            ) -> Done:
                return Done(best(board, look(), action, dragged), 0.0, seconds)

            foreseen = Done(best(board, expected, action, dragged), 0.0, seconds)
            yield Plan(name, (frame.shape, finder, action), foreseen, do)


def removing(board: Board, frame: Frame) -> Plan:
    """Clear the mask in a frame."""
    done = Done(board.filled(frame.region, False), 0.0, frame.seconds)
    settings = (frame.shape, "remove")
    return Plan(f"{frame.shape}, remove", settings, done, lambda board, rng: done)


def growing(
    board: Board, tool: str, proposal: Proposal, action: Action, seconds: float, dragged: bool
) -> Plan:
    """A click, and the slider or not."""
    seconds += dragged * (POINT + PRESS + WATCH)
    if action == "add":
        change = best(board, proposal, action, dragged)
    else:
        change = cleared(board, proposal, dragged)
    done = Done(change, 0.0, seconds)
    return Plan(tool + ", slider" * dragged, ("grow",), done, lambda board, rng: done)


def best(board: Board, proposal: Proposal, action: Action, dragged: bool) -> Change:
    """Change at the slider's position that looks best inside the region."""
    changes = [changed(board, proposal, action, at) for at in (SLIDER if dragged else (NEUTRAL,))]
    return max(changes, key=lambda c: board.dice_inside(c, proposal.region.inside))


def cleared(board: Board, proposal: Proposal, dragged: bool) -> Change:
    """Take away what grew."""
    found = [proposal.found(at) for at in (SLIDER if dragged else (NEUTRAL,))]
    changes = [board.filled(Region(proposal.region.window, f), False) for f in found]
    return max(changes, key=lambda c: board.dice_inside(c, proposal.region.inside))


def changed(board: Board, proposal: Proposal, action: Action, at: float = NEUTRAL) -> Change:
    """What applying a proposal gives, on its window."""
    region = proposal.region
    before = board.mask[region.window]
    return Change(region.window, corrected(before, proposal.found(at), region.inside, action))
