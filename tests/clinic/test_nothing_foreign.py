"""No command connects to anything, or starts another program."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import tifffile

from batch_folders import write_eye

PROGRAM = Path(__file__).with_name("watched_program.py")


def watched(commands):
    """What the commands did beyond their own process."""
    words = json.dumps([[str(word) for word in command] for command in commands])
    ended = subprocess.run([sys.executable, PROGRAM, words], stdout=subprocess.PIPE, check=True)
    return json.loads(ended.stdout)


def test_no_command_connects_or_starts_a_program(tmp_path, tiny_model):
    eyes, out, model = tmp_path / "eyes", tmp_path / "out", ("--model", tiny_model)
    eye = write_eye(eyes / "a.tif")
    # A decoder that guesses by the content would start Ghostscript on this one.
    (eyes / "b.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\nshowpage\n")
    here = ("--device", "cpu")
    graded = tmp_path / "graded"
    graded.mkdir()
    mask = np.zeros(tifffile.imread(eye).shape, np.uint8)
    mask[20:40, 20:40] = 1
    tifffile.imwrite(graded / "a.tif", mask)
    predicted = tmp_path / "predicted"
    predicted.mkdir()
    tifffile.imwrite(predicted / "a_npa.tif", mask)
    box = ("--rectangle", "20,20,60,60", "--tool", "threshold")
    commands = [
        ("info",),
        ("simulate", "--output", tmp_path / "made", "--size", "128", "--workers", "1"),
        ("segment", eye, "--output", out, *model, *here, "--threshold", "0.3"),
        ("refine", eye, "--masks", out, *box, *here),
        ("summary", out),
        ("evaluate", "--predictions", predicted, "--masks", graded, "--output", tmp_path / "t.csv"),
    ]
    assert watched(commands) == []
    (failure,) = watched([("batch", eyes, "--output", tmp_path / "batch", *model, *here)])
    assert failure.startswith("batch ended with 1")  # the PostScript is a failed row
