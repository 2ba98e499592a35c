"""What the doctor's work comes to, over all images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import numpy as np
from rich.table import Table

from robot_grader.grading import ARMS, BY_HAND, GOAL, NETWORK_BRUSH, OURS, Row

AFTER = (0, 1, 3, 5, 10, 30)
"""Actions after which Dice is told."""

LOWER_GOAL = 0.80

Course = list[Row]
"""All rows of one image and arm."""


def summary(rows: Sequence[Row]) -> tuple[Table | str, ...]:
    """Tables and lines to print."""
    courses = {key: list(rows) for key, rows in groupby(rows, lambda r: (r.arm, r.image))}
    by_arm = {arm.name: [c for (name, _), c in courses.items() if name == arm.name] for arm in ARMS}
    return (
        dice_table(by_arm),
        goal_table(by_arm),
        *(
            ratio_line(list(zip(by_arm[OURS], by_arm[other], strict=True)), other)
            for other in (BY_HAND, NETWORK_BRUSH)
        ),
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
    """Actions and seconds to Dice: medians; an image that never gets there counts as infinite."""
    table = Table("arm", title="To Dice: median over all images; ∞ if fewer than half get there")
    for goal in (LOWER_GOAL, GOAL):
        table.add_column(f"actions to {goal:.2f}")
        table.add_column("reached")
    table.add_column(f"seconds to {GOAL:.2f}")
    for arm, courses in by_arm.items():
        cells = []
        for goal in (LOWER_GOAL, GOAL):
            reached = [at_dice(c, goal) for c in courses]
            cells.append(middle([r.action if r else np.inf for r in reached]))
            cells.append(f"{sum(r is not None for r in reached)}/{len(courses)}")
        reached = [at_dice(c, GOAL) for c in courses]
        cells.append(middle([round(r.seconds) if r else np.inf for r in reached]))
        table.add_row(arm, *cells)
    return table


def ratio_line(pairs: Sequence[tuple[Course, Course]], other: str) -> str:
    """How many times as long another arm takes, to the best Dice that both reached."""
    goals = [min(GOAL, *(course[-1].dice for course in pair)) for pair in pairs]
    ours, theirs = (
        np.array([at_dice(p[arm], g).seconds for p, g in zip(pairs, goals, strict=True)])
        for arm in (0, 1)
    )
    low, middle, high = np.percentile(theirs / ours, (25, 50, 75))
    return (
        f"To the best Dice that ours and {other} both reach, at most {GOAL:.2f} (median "
        f"{np.median(goals):.3f}): ours {np.median(ours):.0f} s, {other} {np.median(theirs):.0f} s "
        f"(medians; means {ours.mean():.0f}, {theirs.mean():.0f}); {other} / ours {middle:.1f} "
        f"(median; quartiles {low:.1f} to {high:.1f}), all images together "
        f"{theirs.sum() / ours.sum():.1f}"
    )


def tool_lines(by_arm: dict[str, list[Course]]) -> list[str]:
    """How often each tool was used."""
    lines = []
    for arm, courses in by_arm.items():
        used = Counter(row.tool for course in courses for row in course[1:])
        lines.append(f"{arm}: " + ", ".join(f"{tool} {n}" for tool, n in used.most_common()))
    return lines


def middle(values: Sequence[float]) -> str:
    """Median as a text; actions may end in a half."""
    median = float(np.median(values))
    return "∞" if np.isinf(median) else f"{median:.0f}" if median > AFTER[-1] else f"{median:g}"


def spread(values: Sequence[float]) -> str:
    return f"{np.median(values):.3f} ({np.mean(values):.3f})"


def dice_after(course: Course, number: int) -> float:
    """Dice after a number of actions, or at the end if there were fewer."""
    return course[min(number, len(course) - 1)].dice


def at_dice(course: Course, goal: float) -> Row | None:
    """First row that reaches a Dice."""
    return next((row for row in course if row.dice >= goal), None)
