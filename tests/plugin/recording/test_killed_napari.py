"""napari is killed at any moment of somebody's work: what was finished is kept and offered."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tifffile

from annotating_program import lost
from drawing import draw_round_angiogram

PROGRAM = Path(__file__).parents[2] / "annotating_program.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs SIGKILL, and Xvfb")
@pytest.mark.parametrize("seed", range(8))
def test_what_was_finished_when_napari_was_killed_is_kept_and_offered(tmp_path, tiny_model, seed):
    for at, name in enumerate(["left.tif", "right.tif"]):
        tifffile.imwrite(tmp_path / name, draw_round_angiogram(160, at))
    data = tmp_path / "data"
    child = subprocess.Popen(
        [sys.executable, str(PROGRAM), str(tmp_path), str(tiny_model), str(seed)],
        env=os.environ | {"NAPARI_NPA_DATA": str(data), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        first = child.stdout.readline()
        assert first, "the program has ended"
        time.sleep(random.Random(seed).uniform(1, 8))
        assert child.poll() is None
        killed_at = time.monotonic()
        child.send_signal(signal.SIGKILL)
        lines = [first, *child.stdout.readlines()]
    assert child.returncode == -signal.SIGKILL
    assert lost(lines, killed_at, data) == []
