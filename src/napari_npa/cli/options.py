"""Options that several commands have, and what all refuse."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

MAY_BE_EMPTY = ("--attribution", "--patient-pattern")
"""Options whose value may be empty."""


class Commands(TyperGroup):
    """The commands; none takes an empty word for the folder that the shell is in."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - of any click
        """Refuse an empty value, as a shell gives for a variable that is not set."""
        for option, word in zip(["", *args], args, strict=False):
            name, sign, value = word.partition("=")
            if word.startswith("--") and sign:
                option, word = name, value
            if not word.strip() and option not in MAY_BE_EMPTY:
                ctx.fail(f"An empty value was given{f' for {option}' if option else ''}.")
        rest: list[str] = super().parse_args(ctx, args)
        return rest


def finite(value: float | None) -> float | None:
    """Refuse what is not a number: it would pass as being in any range."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} cannot be computed with")
    return value


Output = Annotated[Path, typer.Option(help="Folder for masks, overlays and the table.")]
Device = Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")]
ModelChoice = Annotated[
    str,
    typer.Option(
        "--model",
        help="auto: the embedded networks, each where it is the better one. Or a weights file.",
    ),
]
SegmentMode = Annotated[
    Literal["whole", "two-scale"] | None,
    typer.Option(
        "--mode",
        help="Look at ultra-widefield images once, or at twice the resolution too: that by "
        "default, unless --model names weights of your own.",
    ),
]
FieldOfView = Annotated[
    Literal["auto", "55", "uwfa"],
    typer.Option(
        "--field-of-view",
        help="What the images show: a camera's field of about 55°, or ultra-widefield. auto: told "
        "by the outline of the field, image by image.",
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        min=0.01, max=1, callback=finite, help="Probability to call a pixel non-perfused."
    ),
]
Probability = Annotated[bool, typer.Option(help="Write probability maps too.")]
Replace = Annotated[
    bool,
    typer.Option(
        "--replace", help="Replace a corrected or approved result, or files that are not ours."
    ),
]
