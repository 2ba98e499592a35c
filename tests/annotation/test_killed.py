"""An annotation that is killed at any moment is whole on disk."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from annotated import (
    IMAGE,
)
from napari_npa.annotation.file import decode
from napari_npa.annotation.store import AnnotationStore

ANNOTATOR = '''
import random, sys, time
from pathlib import Path
import numpy as np
from napari_npa.annotation.file import Annotation
from napari_npa.annotation.autosave import Autosaver
from napari_npa.annotation.store import AnnotationStore
from napari_npa.annotation.session import Session

SHAPE = (900, 1100)
IMAGE = "ab" * 32

def masks(number):
    """Masks after an edit: each second one changes the retina, the others the non-perfusion."""
    npa = np.random.default_rng((number + 1) // 2).random((90, 110)) > 0.5
    retina = np.random.default_rng(number // 2 + 10**6).random((90, 110)) > 0.2
    return [np.kron(mask, np.ones((10, 10), np.bool_)) for mask in (npa, retina)]

def annotate(folder, seed):
    pauses = random.Random(seed)
    session = Session("image", IMAGE, "whole", "", *masks(0))
    told = lambda sha256, outcome: print(outcome, flush=True)
    saver = Autosaver(AnnotationStore(Path(folder)), told)
    for number in range(1, 10_000):
        edits = session.record("brush", *masks(number), time.monotonic())
        assert session.number == number
        saver.submit(Annotation(session, 0.4))
        time.sleep(pauses.choice([0, 0, 0.002, 0.01]))
'''


def kill_while_annotating(folder, seed):
    """Kill a child that annotates; return the number of the last edit that it told."""
    chance = random.Random(seed)
    child = subprocess.Popen(
        [sys.executable, "-c", f"{ANNOTATOR}\nannotate(sys.argv[1], {seed})", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        first = child.stdout.readline()
        assert first.strip().isdigit()
        time.sleep(chance.uniform(0, 0.4))
        child.send_signal(signal.SIGKILL)
        # A line without its end was not told.
        told = [line for line in child.stdout.read().splitlines(keepends=True) if line[-1] == "\n"]
    assert child.returncode == -signal.SIGKILL
    return int(([first, *told])[-1])


def require_nothing_lost(folder, told):
    program = {}
    exec(ANNOTATOR, program)
    found = AnnotationStore(folder).load(IMAGE, program["SHAPE"])
    assert found.notes == ()
    session = found.session
    # There may be more: written, but killed before it could be told.
    assert told <= session.number
    npa, retina = program["masks"](session.number)
    assert session.npa.unpack().tobytes() == npa.tobytes()
    assert session.retina.unpack().tobytes() == retina.tobytes()
    last = session.edits[-1]
    which = ("npa", "retina").index(last.target)
    before, after = (program["masks"](session.number + step)[which] for step in (-1, 0))
    assert last.added == np.count_nonzero(after & ~before)
    assert last.removed == np.count_nonzero(before & ~after)
    assert last.isi == np.count_nonzero(npa & retina) / np.count_nonzero(retina)
    assert len(list(Path(folder).glob("[!.]*"))) == 1
    return session.number


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("seed", range(5))
def test_an_annotation_killed_at_any_moment_is_whole_on_disk(tmp_path, seed):
    require_nothing_lost(tmp_path, kill_while_annotating(tmp_path, seed))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("seed", range(100, 150))
def test_an_annotation_killed_fifty_times_is_whole_each_time(tmp_path, seed, record_property):
    told = kill_while_annotating(tmp_path, seed)
    record_property("told", told)
    record_property("on disk", require_nothing_lost(tmp_path, told))
    record_property("half written", len(list(tmp_path.glob(".*"))))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_two_annotators_of_one_image_killed_together_lose_nothing(tmp_path):
    with ThreadPoolExecutor(2) as pool:
        told = sorted(pool.map(lambda seed: kill_while_annotating(tmp_path, seed), (1, 2)))
    found = []
    for path in tmp_path.glob("[!.]*"):
        found.append(decode(path.read_bytes(), path).session.number)
    assert len(found) == 2
    assert all(number >= least for number, least in zip(sorted(found), told, strict=True))
