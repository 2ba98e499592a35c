"""What the doctor's work comes to, over all images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import numpy as np
from rich.table import Table
from robot_grader.grading import ARMS, BY_HAND, GOAL, OURS, Row
from robot_grader.hand import GRADER_SECONDS_PER_CM, HAND_CM

AFTER = (0, 1, 3, 5, 10, 30)
"""Actions after which Dice is told."""

LOWER_GOAL = 0.80

Course = list[Row]
"""All rows of one image and arm."""


def summary(rows: Sequence[Row]) -> tuple[Table | str, ...]:
    """Tables and lines to print."""
    courses = {key: list(rows) for key, rows in groupby(rows, lambda r: (r.arm, r.image))}
    by_arm = {arm.name: [c for (name, _), c in courses.items() if name == arm.name] for arm in ARMS}
    pairs = list(zip(by_arm[OURS], by_arm[BY_HAND], strict=True))
    return (
        dice_table(by_arm),
        goal_table(by_arm),
        *ratio_lines(pairs),
        *tool_lines(by_arm),
    )


def dice_table(by_arm: dict[str, list[Course]]) -> Table:
    """Dice after actions: median and mean."""
    images = len(by_arm[OURS])
    table = Table("arm", title=f"Dice after actions, median (mean), {images} images")
    for number in AFTER:
        table.add_column(str(number))
    for arm, courses in by_arm.items():
        table.add_row(arm, *(spread([dice_after(c, number) for c in courses]) for number in AFTER))
    return table


def goal_table(by_arm: dict[str, list[Course]]) -> Table:
    """Actions and seconds to Dice: medians of all images, never counted as more than any."""
    table = Table("arm", title="To Dice: median over all images; ∞ if fewer than half get there")
    for goal in (LOWER_GOAL, GOAL):
        table.add_column(f"actions to {goal:.2f}")
        table.add_column("reached")
    table.add_column(f"seconds to {GOAL:.2f}")
    table.add_column("at graders' pace")
    for arm, courses in by_arm.items():
        cells = []
        for goal in (LOWER_GOAL, GOAL):
            reached = [at_dice(c, goal) for c in courses]
            cells.append(f"{np.median([r.action if r else np.inf for r in reached]):g}")
            cells.append(f"{sum(r is not None for r in reached)}/{len(courses)}")
        reached = [at_dice(c, GOAL) for c in courses]
        for pace in (seconds, grader_seconds):
            cells.append(f"{np.median([pace(r) if r else np.inf for r in reached]):.0f}")
        table.add_row(arm, *cells)
    return table


def ratio_lines(pairs: Sequence[tuple[Course, Course]]) -> list[str]:
    """How many times as long it takes by hand, to the best Dice that both reached."""
    goals = [min(GOAL, best(ours), best(hand)) for ours, hand in pairs]
    lines = [
        f"To the best Dice that ours and by hand both reached (median {np.median(goals):.3f}):"
    ]
    for name, pace in (("a hand that never hesitates", seconds), ("graders' pace", grader_seconds)):
        ours, hand = (
            np.array(
                [pace(at_dice(pair[arm], goal)) for pair, goal in zip(pairs, goals, strict=True)]
            )
            for arm in (0, 1)
        )
        low, middle, high = np.percentile(hand / ours, (25, 50, 75))
        lines.append(
            f"  {name}: ours {np.median(ours):.0f} s, by hand {np.median(hand):.0f} s (medians); "
            f"by hand / ours {middle:.1f} times (quartiles {low:.1f} to {high:.1f}), "
            f"all images together {hand.sum() / ours.sum():.1f}"
        )
    return lines


def tool_lines(by_arm: dict[str, list[Course]]) -> list[str]:
    """How often each tool was used."""
    lines = []
    for arm, courses in by_arm.items():
        used = Counter(row.tool for course in courses for row in course[1:])
        lines.append(f"{arm}: " + ", ".join(f"{tool} {n}" for tool, n in used.most_common()))
    return lines


def spread(values: Sequence[float]) -> str:
    return f"{np.median(values):.3f} ({np.mean(values):.3f})"


def dice_after(course: Course, number: int) -> float:
    """Dice after a number of actions, or at the end if there were fewer."""
    return course[min(number, len(course) - 1)].dice


def best(course: Course) -> float:
    return course[-1].dice


def at_dice(course: Course, goal: float) -> Row | None:
    """First row that reaches a Dice."""
    return next((row for row in course if row.dice >= goal), None)


def seconds(row: Row) -> float:
    return row.seconds


def grader_seconds(row: Row) -> float:
    """Seconds if every line took as long as it takes trained graders."""
    return row.seconds + row.line_cm * (GRADER_SECONDS_PER_CM - HAND_CM)
