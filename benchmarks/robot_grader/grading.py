"""The doctor at work: one action after the other, the most rewarding first."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, fields
from io import StringIO
from pathlib import Path
from zlib import crc32

import numpy as np

from napari_npa.io.writing import write_text
from robot_grader.board import Board
from robot_grader.case import Case
from robot_grader.hand import AUTOMATIC, CHECK_CM, FIRST_LOOK, LOOK, POINT, PRESS, UNDO
from robot_grader.tools import (
    Plan,
    Tools,
    Wrong,
    by_assistants,
    by_brush,
    by_growing,
    by_line,
    by_network,
    by_shape_itself,
    by_threshold,
)

GOAL = 0.90
"""Dice at which the doctor is satisfied."""

ACTIONS = 30
"""The doctor gives up after so many."""

LEAST_GAIN = 0.001
"""Dice for which no action is worth while."""

PATIENCE = 20.0
"""Seconds that each action counts more when the next is chosen: nobody mends an image in a
hundred tiny steps because each pays well by the second. In every arm (measured with ours on eight
images: 0 to 40, less than 15 takes more actions and ends lower)."""


@dataclass(frozen=True)
class Arm:
    """With what a doctor works.

    Attributes
    ----------
    automatic
        The large network's result comes first.
    manners
        Choices of tools; the doctor is practised enough to take the best for each image.
    """

    name: str
    automatic: bool
    manners: tuple[tuple[Tools, ...], ...]


OURS = "ours"
NETWORK_BRUSH = "network + brush"
BY_HAND = "by hand"

ASSISTED = (by_threshold, by_network, by_assistants, by_growing, by_shape_itself, by_line)

# With and without the brush: who takes what pays best at the moment may paint a large area with
# it and then mend its border, where a line around it would have been faster.
ARMS = (
    Arm(OURS, True, ((*ASSISTED, by_brush), ASSISTED)),
    Arm(NETWORK_BRUSH, True, ((by_threshold, by_line, by_brush), (by_threshold, by_line))),
    Arm(BY_HAND, False, ((by_line, by_brush), (by_line,))),
)


@dataclass(frozen=True)
class Row:
    """The mask after an action; after none, number 0.

    Attributes
    ----------
    seconds, line_cm
        So far: how long it took, and how much was drawn by hand, unzoomed.
    """

    image: str
    arm: str
    action: int
    tool: str
    dice: float
    seconds: float
    line_cm: float


def grade(case: Case, arm: Arm, seed: int) -> list[Row]:
    """Correct one image, in the manner that is the fastest, or gets farthest."""
    courses = [corrected_by(case, arm, tools, seed) for tools in arm.manners]
    return min(courses, key=lambda rows: (-min(rows[-1].dice, GOAL), rows[-1].seconds))


def corrected_by(case: Case, arm: Arm, tools: tuple[Tools, ...], seed: int) -> list[Row]:
    """Correct one image with some tools."""
    mask = case.automatic if arm.automatic else np.zeros_like(case.truth)
    board = Board(mask, case.truth, case.judged)
    seconds, cm = FIRST_LOOK, 0.0
    if arm.automatic:
        seconds += AUTOMATIC + CHECK_CM * case.screen.outline_cm(mask)
    rows = [Row(case.image, arm.name, 0, "start", board.dice, seconds, cm)]
    settings: tuple[str, ...] = ()
    refused: set[str] = set()
    while board.dice < GOAL and len(rows) <= ACTIONS:
        number = len(rows)
        rng = np.random.default_rng([seed, crc32(case.image.encode()), number])
        plan = chosen(case, tools, board, settings, refused, rng)
        done = plan.do(board, rng) if plan else None
        if plan is None or done is None:
            break
        seconds += preparation(plan, settings) + done.seconds
        cm += done.cm
        settings, name = plan.settings, plan.tool
        if board.dice_after(done.change) >= board.dice:
            board.make(done.change)
            refused.clear()
        else:
            refused.add(where(plan))
            seconds, name = seconds + UNDO, f"{name}, undone"
        rows.append(Row(case.image, arm.name, number, name, board.dice, seconds, cm))
    return rows


def chosen(
    case: Case,
    tools: tuple[Tools, ...],
    board: Board,
    settings: tuple[str, ...],
    refused: set[str],
    rng: np.random.Generator,
) -> Plan | None:
    """What is expected to bring most Dice a second."""
    wrong = Wrong.of(board)
    best, most = None, 0.0
    for plans in tools:
        for plan in plans(case, board, wrong, rng):
            foreseen = board.dice_after(plan.foreseen.change)
            seconds = preparation(plan, settings) + plan.foreseen.seconds
            rate = (min(foreseen, GOAL) - board.dice) / (seconds + PATIENCE)
            worth = foreseen - board.dice >= LEAST_GAIN
            if worth and rate > most and where(plan) not in refused:
                best, most = plan, rate
    return best


def preparation(plan: Plan, settings: tuple[str, ...]) -> float:
    """Seconds to look, and to choose on the panel what is not chosen yet."""
    return LOOK + (POINT + PRESS) * len(set(plan.settings) - set(settings))


def where(plan: Plan) -> str:
    """Names an action and its place, not to try the same again at once."""
    return f"{plan.tool} {plan.foreseen.change.window}"


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write the table."""
    table = StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow([field.name for field in fields(Row)])
    for r in rows:
        figures = (f"{r.dice:.5f}", f"{r.seconds:.1f}", f"{r.line_cm:.1f}")
        writer.writerow([r.image, r.arm, r.action, r.tool, *figures])
    write_text(path, table.getvalue())
