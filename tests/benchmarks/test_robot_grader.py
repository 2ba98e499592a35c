"""The simulated doctor of benchmarks/robot_grader.py."""

from __future__ import annotations

import csv
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from itertools import groupby
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from drawing import draw_round_angiogram
from napari_npa.measure.agreement import compare

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SIDE = 160


@pytest.fixture(scope="module")
def robot():
    """Modules of the robot, by name; the command itself under an empty name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        spec = spec_from_file_location("robot_command", BENCHMARKS / "robot_grader.py")
        command = module_from_spec(spec)
        spec.loader.exec_module(command)
        yield lambda name="": import_module(f"robot_grader.{name}") if name else command


@pytest.fixture(scope="module")
def eye(tmp_path_factory) -> Path:
    """Folder of a drawn eye with a round dark area, and an eye without."""
    folder = tmp_path_factory.mktemp("eyes")
    image = draw_round_angiogram(SIDE)
    dark = disc((60, 90), 22)
    image[dark] = image[dark] // 3
    iio.imwrite(folder / "eye.png", image)
    iio.imwrite(folder / "eye_npa.png", np.uint8(dark) * 255)
    iio.imwrite(folder / "well.png", draw_round_angiogram(SIDE, seed=1))
    iio.imwrite(folder / "well_npa.png", np.zeros((SIDE, SIDE), np.uint8))
    return folder


def disc(centre: tuple[int, int], radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return np.hypot(rows - centre[0], columns - centre[1]) <= radius


def graded(robot, eye: Path, tiny_model: Path, name: str) -> list[dict[str, str]]:
    table = eye / name
    folders = ["--images", str(eye), "--masks", str(eye), "--output", str(table)]
    robot().main([*folders, "--whole", str(tiny_model), "--tile", str(tiny_model)])
    return list(csv.DictReader(table.read_text().splitlines()))


def test_each_arm_is_told_action_by_action_and_never_gets_worse(robot, eye, tiny_model, capsys):
    rows = graded(robot, eye, tiny_model, "first.csv")
    columns = ["image", "arm", "action", "tool", "dice", "seconds", "line_cm"]
    assert list(rows[0]) == columns
    assert {row["image"] for row in rows} == {"eye"}
    arms = {arm: list(course) for arm, course in groupby(rows, lambda row: row["arm"])}
    assert list(arms) == ["ours", "network + brush", "by hand"]
    for course in arms.values():
        assert [int(row["action"]) for row in course] == list(range(len(course)))
        dices = [float(row["dice"]) for row in course]
        assert dices == sorted(dices)
        seconds = [float(row["seconds"]) for row in course]
        assert (np.diff(seconds) > 0).all()
        assert len(course) <= 31
        assert max(dices[:-1], default=0) < 0.9, "the doctor stops at the goal"
    assert float(arms["by hand"][0]["dice"]) == 0
    assert float(arms["by hand"][-1]["dice"]) >= 0.9
    told = capsys.readouterr().out
    assert "1 ['well']" in told
    assert "by hand / ours" in told


def test_the_same_seed_gives_the_same_table(robot, eye, tiny_model, monkeypatch):
    monkeypatch.setattr(robot("grading"), "ACTIONS", 3)
    first = graded(robot, eye, tiny_model, "second.csv")
    assert graded(robot, eye, tiny_model, "third.csv") == first


def test_dice_after_a_change_is_that_of_the_changed_mask(robot):
    board_module = robot("board")
    truth, mask, judged = disc((60, 90), 22), disc((70, 90), 20), disc((80, 80), 30)
    board = board_module.Board(mask, truth, judged)
    window = (slice(40, 70), slice(60, 120))
    change = board_module.Change(window, disc((55, 95), 12)[window])
    assert board.dice == compare(mask, truth, judged).dice
    after = mask.copy()
    after[window] = change.after
    assert board.dice_after(change) == compare(after, truth, judged).dice
    board.make(change)
    np.testing.assert_array_equal(board.mask, after)
    assert board.dice == compare(after, truth, judged).dice


@pytest.mark.parametrize("zoom", [1.0, 2.5])
def test_a_line_by_hand_follows_the_border_and_takes_its_time(robot, zoom):
    hand, errors = robot("hand"), robot("errors")
    wanted = disc((70, 90), 40)
    part = errors.Part((slice(0, SIDE), slice(0, SIDE)), wanted)
    screen = hand.Screen((SIDE, SIDE), decide_cm=4.0)
    drawn = screen.outline(part, zoom, np.random.default_rng(0))
    filled = np.zeros_like(wanted)
    filled[drawn.region.window] = drawn.region.inside
    assert compare(filled, wanted).dice > 0.95
    # The circumference on a screen of 27 cm, by a contour of pixels that is a little longer.
    assert 2 * np.pi * 40 / SIDE * 27 == pytest.approx(drawn.cm, rel=0.08)
    assert drawn.seconds > drawn.cm * (zoom * 0.5 + 4)


def test_a_hand_strays_half_a_millimetre_on_the_screen(robot):
    screen = robot("hand").Screen((1024, 1024), decide_cm=0.0)
    path = np.zeros((4000, 2))
    strayed = screen.wobbling(path, 0.3, 2.5, np.random.default_rng(0)).std()
    assert strayed == pytest.approx(0.05 * 1024 / 27 / 2.5, rel=0.1)


def test_a_stroke_runs_along_the_middle_and_is_as_wide_as_the_brush(robot):
    hand, errors = robot("hand"), robot("errors")
    bar = np.zeros((SIDE, SIDE), np.bool_)
    bar[78:83, 40:100] = True
    path = hand.medial(errors.connected_parts(bar)[0])
    assert np.ptp(path[:, 1]) > 50
    assert (np.abs(path[:, 0] - 80) <= 2).all()
    region = (
        hand.Screen((SIDE, SIDE), 0.0).stroke(path, 1 / 40, 1.0, np.random.default_rng(0)).region
    )
    painted = region.inside.sum(axis=0).max()
    assert 6 <= painted <= 14, "a radius of 4 pixels, and a hand that wobbles"
