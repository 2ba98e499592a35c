"""A batch that is killed or stopped loses nothing: run again, it ends as if nothing had been."""

import json
import os
import random
import signal
import sys
import time
from contextlib import suppress
from threading import Event

import pytest
import tifffile

from batch_folders import THRESHOLD, results, table, write_eye
from batch_program import started
from napari_npa.batch import BatchOptions, run_batch
from napari_npa.io.locking import LOCK
from napari_npa.io.writing import LEFT_BEHIND_SECONDS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

PATIENCE = 120
"""Seconds after which a process that does nothing is a failure."""


@pytest.fixture
def program(tiny_model, source, output):
    """Start the batch as a program; what is left at the end of the test is killed."""
    running = []

    def start(*options):
        arguments = [source, "--output", output, "--device", "cpu", "--recursive"]
        arguments += ["--model", tiny_model, "--threshold", THRESHOLD]
        running.append(started(*arguments, *options))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.join()


def wait_until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def manifest(output):
    try:
        return json.loads((output / "run.json").read_text("utf-8"))
    except FileNotFoundError:
        return {"status": "absent"}


def stamp(output):
    """Tells one writing of the manifest from another."""
    try:
        return (output / "run.json").stat().st_ino
    except FileNotFoundError:
        return None


def records(output):
    return len(list(output.rglob("*_npa.json")))


def assert_whole(output):
    """Nothing that can be seen is half-written, and the table tells only what is there."""
    for path in output.rglob("*.tif"):
        if not path.name.startswith("."):
            assert tifffile.imread(path).shape == (160, 160)
    for row in table(output):
        assert row["status"] == "ok"
        assert (output / f"{row['result']}_npa.json").exists()


def visible(output):
    return {name: content for name, content in results(output).items() if "/." not in f"/{name}"}


def hidden(output):
    found = {path for path in output.rglob(".*") if path.is_file()}
    return {path for path in found if path.name != LOCK}


def kill_and_resume(batch, program, source, output, tmp_path, images, kills):
    for seed in range(images - 3):
        write_eye(source / f"eye {seed:03}.tif", 100 + seed)
    assert batch(source, tmp_path / "undisturbed", "--recursive").exit_code == 0
    rng = random.Random(7)
    landed = 0
    while landed < kills:
        before, there = stamp(output), records(output)
        process = program("--workers", 2)
        wait_until(lambda: stamp(output) != before)  # noqa: B023 - waited for at once
        more = there + rng.randrange(4)
        wait_until(lambda: records(output) >= more)  # noqa: B023
        time.sleep(rng.uniform(0, 0.15))
        was_running = process.is_alive()
        process.kill()
        process.join()
        assert_whole(output)
        assert records(output) < images, "all was done: more images are needed"
        landed += was_running and manifest(output)["status"] == "running"
        print(f"killed with {there} + {records(output) - there} of {images} images done")
    left = hidden(output)
    print(f"{landed} kills while running, {len(left)} hidden files left")
    process = program()
    process.join(PATIENCE)
    assert process.exitcode == 0
    assert manifest(output)["status"] == "finished"
    assert visible(output) == results(tmp_path / "undisturbed")

    # What the killed runs left half-written goes away, once it is surely not being written.
    assert hidden(output) == left
    keep = {output / ".keep.tif", output / f".{'0' * 32}.tif"}
    for path in left | keep:
        path.touch()
        os.utime(path, (0, time.time() - LEFT_BEHIND_SECONDS - 60))
    batch(source, output, "--recursive")
    assert hidden(output) == keep


def test_two_kills_leave_no_trace(batch, program, source, output, tmp_path):
    kill_and_resume(batch, program, source, output, tmp_path, images=60, kills=2)


@pytest.mark.slow
def test_twenty_kills_leave_no_trace(batch, program, source, output, tmp_path):
    kill_and_resume(batch, program, source, output, tmp_path, images=200, kills=20)


def test_ctrl_c_finishes_the_images_in_hand_and_the_next_run_the_rest(
    batch, program, source, output, tmp_path
):
    for seed in range(12):
        write_eye(source / f"eye {seed:03}.tif", 100 + seed)
    batch(source, tmp_path / "undisturbed", "--recursive")
    process = program()
    wait_until(lambda: records(output))
    os.kill(process.pid, signal.SIGINT)
    process.join(PATIENCE)
    assert process.exitcode == 130
    done = manifest(output)
    assert done["status"] == "stopped"
    assert 0 < len(table(output)) == records(output) == done["counts"]["ok"] < 15
    assert done["counts"]["not reached"] == 15 - records(output)
    assert batch(source, output, "--recursive").exit_code == 0
    assert manifest(output)["counts"]["done before"] == done["counts"]["ok"]
    assert results(output) == results(tmp_path / "undisturbed")


def test_a_second_ctrl_c_ends_at_once(program, source, output):
    write_eye(source / "large.tif", side=2000)
    process = program("--workers", 1)
    wait_until(lambda: records(output))
    with suppress(ProcessLookupError):
        while True:
            os.kill(process.pid, signal.SIGINT)
            time.sleep(0.01)
    process.join()
    assert process.exitcode == -signal.SIGINT


def test_an_event_stops_a_batch_too(tiny_model, source, output):
    stop = Event()
    options = BatchOptions(model=str(tiny_model))

    def run(**more):
        return run_batch(source, output, options, device="cpu", workers=1, recursive=True, **more)

    report = run(stop=stop, on_finished=lambda finished: stop.set())
    assert report.stopped
    assert 0 < len(report.rows) < 3
    assert not run().stopped
    assert len(table(output)) == 3


def test_an_error_of_the_caller_ends_the_batch_after_the_images_in_hand(tiny_model, source, output):
    for seed in range(9):
        write_eye(source / f"eye {seed:03}.tif", 100 + seed)

    def fail(finished):
        raise KeyboardInterrupt

    options = BatchOptions(model=str(tiny_model))
    with pytest.raises(KeyboardInterrupt):
        run_batch(source, output, options, device="cpu", workers=1, on_finished=fail)
    assert records(output) <= 2
