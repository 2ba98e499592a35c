"""Work off the GUI thread that is still going on when Qt, or the panel, is gone."""

import subprocess
import sys

import pytest
from qtpy.compat import isalive

from napari_npa.errors import Cancelled
from napari_npa.plugin.jobs import Job

CLOSED_DURING_A_RUN = """
import sys, time
from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QApplication
from napari_npa.plugin.jobs import Job, Jobs

def work(progress):
    for step in range(30):
        time.sleep(0.02)
        {step}

app = QApplication([])
jobs = Jobs()
job = Job(work)
jobs.start(job)
loop = QEventLoop()
job.progressed.connect(loop.quit)
QTimer.singleShot(200, loop.quit)
loop.exec()
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

    job = Job(work)
    with qtbot.waitSignal(job.failed, timeout=10_000) as told:
        job.start()
    assert told.args == [error]


def test_a_report_to_a_deleted_job_stops_the_work(qtbot):
    def work(progress):
        job.deleteLater()
        while isalive(job):
            pass
        with pytest.raises(Cancelled):
            progress(1, 2)
        stopped.append(True)

    job, stopped = Job(work), []
    job.start()
    qtbot.waitUntil(lambda: bool(stopped), timeout=10_000)
