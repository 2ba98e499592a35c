"""A simulated doctor: actions and seconds to a good mask, with our tools and by hand.

    python benchmarks/robot_grader.py --images DIR --masks DIR --output FILE.csv [--retinas]
        [--whole WEIGHTS] [--tile WEIGHTS] [--limit N] [--seed S] [--pace graders|sure]

Masks are ``<stem>_npa.*``, with ``--retinas`` also ``<stem>_retina.*``: the gradable retina that
the doctor settled on beforehand, to which the tools keep and within which is compared, in all
arms alike. Without it the tools keep to the retina that was found automatically, and the whole
image is compared.

The robot knows the true mask. It uses it to decide where to work, with which tool, and which
position of a slider looks best; every change of the mask is what the tool itself gives. Only a
line drawn by hand follows the true border, with a hand's wobble. Of what could be done about the
few largest errors it takes what brings most Dice a second, as planned; what then really happens
differs from the plan (another wobble, the network's run on the very region), and is undone, at
its cost, if the mask got worse. It ends at Dice 0.90 or after 30 actions.

Three arms: *ours*, all tools of the panels; *network + brush*, the large network's result with
its threshold, then by hand; *by hand*, from a blank mask. By hand means napari's brush, eraser,
and polygon: a closed line is filled, or cleared. A shift-click takes away what grows from it.

What seconds are made of; the constants are in ``robot_grader/hand.py``:

- Pointing, clicking, thinking: the keystroke-level model (Card, Moran and Newell 1980).
- Drawing: a hand that follows a border within a millimetre either way on a screen on which the
  image is 27 cm high, at 2 cm a second (steering law), or zoomed in: more centimetres, less
  wobble in the image.
- Deciding where the border runs, which is most of the work by hand: trained graders take 297 s an
  image (domain facts), the doctors of the source 1776 s, with the source's tools 180 s. With
  ``--pace graders`` each centimetre drawn takes what follows from 297 s, see
  :data:`robot_grader.hand.DECIDE_CM`; with ``--pace sure`` nothing, a bound that no person
  reaches: a hand that never wonders, as the robot knows the truth.
- Checking: the automatic result's outline, a fixation for each centimetre.
- Waiting for the network: as on a processor without accelerator.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from robot_grader.case import cases
from robot_grader.grading import ARMS, grade, write_rows
from robot_grader.hand import DECIDE_CM
from robot_grader.summary import summary

from napari_npa import Segmenter
from napari_npa.refine import TileNetwork


def main(arguments: list[str] | None = None) -> None:
    """Grade, write the table, print the summary."""
    asked = parser().parse_args(arguments)
    segmenter = Segmenter(asked.device, asked.whole)
    network = TileNetwork(asked.device, asked.tile)
    console = Console(width=120)
    rows, left_out = [], []
    decide_cm = DECIDE_CM[asked.pace]
    folders = asked.images, asked.masks
    for case in cases(*folders, segmenter, network, asked.retinas, decide_cm, asked.limit):
        if case.too_little:
            left_out.append(case.image)
            continue
        for arm in ARMS:
            rows += grade(case, arm, asked.seed)
            last = rows[-1]
            told = f"{last.action} actions, Dice {last.dice:.3f}, {last.seconds:.0f} s"
            console.print(f"{case.image}, {arm.name}: {told}", highlight=False)
        write_rows(asked.output, rows)
    if not rows:
        raise SystemExit(f"no image of {asked.images} has non-perfusion in a mask of {asked.masks}")
    for shown in summary(rows):
        console.print(shown, highlight=False)
    console.print(f"Left out, with next to no non-perfusion: {len(left_out)} {left_out}")


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--masks", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="CSV, a row an action")
    parser.add_argument("--retinas", action="store_true", help="use <stem>_retina.* of the masks")
    parser.add_argument("--whole", default="whole", help="weights of the large network")
    parser.add_argument("--tile", default="tile", help="weights of the tile network")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--limit", type=int, help="so many images at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pace", choices=DECIDE_CM, default="graders", help="of lines by hand")
    return parser


if __name__ == "__main__":
    main()
