"""Save… asks before it replaces what a person corrected, or a file of somebody else."""

import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QFileDialog, QMessageBox

from gestures import click, notifications

YES, NO = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "study"
    folder.mkdir()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    return folder


@pytest.fixture
def segmented(panel, image, qtbot):
    click(qtbot, panel.run)
    qtbot.waitUntil(lambda: panel.run_job is None and not panel.jobs, timeout=20_000)
    return panel


def save(qtbot, bar):
    click(qtbot, bar.save)
    qtbot.waitUntil(lambda: not bar.jobs, timeout=20_000)


def correct(panel, value):
    rows, columns = np.mgrid[60:90, 60:90].reshape(2, -1)
    panel.result.npa.data_setitem((rows, columns), value)


def test_a_result_saved_twice_from_the_panel_needs_no_question(segmented, bar, folder, qtbot):
    correct(segmented, 1)
    save(qtbot, bar)
    correct(segmented, 0)
    save(qtbot, bar)
    assert tifffile.imread(folder / "eye_npa.tif")[60:90, 60:90].sum() == 0


@pytest.mark.parametrize(("answer", "kept"), [(NO, True), (YES, False)])
def test_a_graders_mask_is_replaced_only_after_a_question(
    segmented, bar, folder, answers, qtbot, answer, kept
):
    theirs = folder / "eye_npa.tif"
    tifffile.imwrite(theirs, np.ones((160, 160), np.uint8))
    before = theirs.read_bytes()
    answers.append(answer)
    save(qtbot, bar)
    assert (theirs.read_bytes() == before) is kept
    assert (folder / "eye_npa.json").exists() is not kept
    assert notifications() == []
    assert bar.status.text().startswith("Not saved." if kept else "Saved in")


@pytest.mark.parametrize(("answer", "kept"), [(NO, True), (YES, False)])
def test_somebody_elses_correction_is_replaced_only_after_a_question(
    segmented, bar, folder, answers, qtbot, answer, kept
):
    correct(segmented, 1)
    save(qtbot, bar)
    before = (folder / "eye_npa.tif").read_bytes()
    segmented.result.basis = ""  # as in another napari, which has not seen that result
    correct(segmented, 0)
    answers.append(answer)
    save(qtbot, bar)
    assert ((folder / "eye_npa.tif").read_bytes() == before) is kept
