"""Work off the GUI thread that is still going on when Qt, or the panel, is gone."""

import subprocess
import sys
import threading
from weakref import ref

import pytest

from napari_npa.plugin.qt.jobs import Job, Jobs

CLOSED_DURING_A_RUN = """
import sys, time
from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QApplication
from napari_npa.plugin.qt.jobs import Job, Jobs

def work(progress):
    for step in range(30):
        time.sleep(0.02)
        {step}

app = QApplication([])
jobs = Jobs()
job = Job(work)
jobs.start(job)
loop = QEventLoop()
job.on_progress.append(lambda done, total: loop.quit())
QTimer.singleShot(200, loop.quit)
loop.exec()
"""


FIRST_TWO_JOBS = """
import time
from qtpy.QtCore import QCoreApplication
from napari_npa.plugin.qt import gui_thread
from napari_npa.plugin.qt.jobs import Job, Jobs

class SlowToFind:
    @staticmethod
    def instance():
        time.sleep(0.2)  # the other job arrives meanwhile
        return QCoreApplication.instance()

app = QCoreApplication([])
gui_thread.QCoreApplication = SlowToFind
jobs, heard = Jobs(), []
for number in range(2):
    jobs.start(Job(lambda progress, number=number: number), heard.append)
until = time.monotonic() + 20
while jobs and time.monotonic() < until:
    app.processEvents()
assert sorted(heard) == [0, 1], heard
"""


def closed_during_a_run(step):
    """What is printed when Python ends while a job runs."""
    script = CLOSED_DURING_A_RUN.format(step=step)
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.mark.parametrize("step", ["progress(step, 30)", "pass"])
def test_closing_during_a_run_prints_nothing(qapp, step):
    assert closed_during_a_run(step) == ""


def test_an_error_of_work_that_outlives_napari_is_not_hidden(qapp):
    printed = closed_during_a_run("if step == 25: raise ValueError('the disk is full')")
    assert "ValueError: the disk is full" in printed


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), ValueError("wrong")])
def test_errors_of_the_work_arrive_and_are_the_same(qtbot, error):
    def work(progress):
        progress(1, 2)
        raise error

    job, heard = Job(work), []
    job.on_failure.append(heard.append)
    job.start()
    qtbot.waitUntil(lambda: job.is_done, timeout=10_000)
    assert heard == [error]


def test_an_abandoned_job_calls_nobody_and_lets_go(qtbot):
    class Panel:
        def take(self, result):
            heard.append(result)

    def work(progress):
        assert go.wait(10)

    heard, go, panel = [], threading.Event(), Panel()
    jobs, job, alive = Jobs(), Job(work), ref(panel)
    jobs.start(job, lambda result, panel=panel: panel.take(result))
    del panel
    assert alive() is not None
    jobs.abandon()
    assert alive() is None
    go.set()
    qtbot.waitUntil(lambda: job.is_done, timeout=10_000)
    assert heard == []


def test_a_job_is_over_though_a_panel_fails_with_its_result(qtbot):
    job, jobs = Job(lambda progress: 1), Jobs()
    with qtbot.capture_exceptions() as errors:
        jobs.start(job, lambda _: 1 / 0)
        qtbot.waitUntil(lambda: not jobs, timeout=10_000)
    assert job.is_done
    assert errors


def test_the_first_two_jobs_of_napari_are_both_heard_of(qapp):
    """Both ask for the way into the GUI thread at once, before there is one."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST_TWO_JOBS], capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
