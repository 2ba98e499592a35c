"""Options that several commands have."""

from pathlib import Path
from typing import Annotated, Literal

import typer

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
    float | None, typer.Option(min=0.01, max=1, help="Probability to call a pixel non-perfused.")
]
Probability = Annotated[bool, typer.Option(help="Write probability maps too.")]
Replace = Annotated[
    bool,
    typer.Option(
        "--replace", help="Replace a corrected or approved result, or files that are not ours."
    ),
]
