"""Load masks…: masks from files, or of a saved result, come into the layers and can be undone."""

import numpy as np
import pytest
import tifffile
from napari._app_model import get_app_model
from qtpy.QtWidgets import QFileDialog, QMessageBox

from drawing import draw_round_angiogram
from gestures import bar_of, click, notifications

YES, NO = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No

COMMAND = "napari-npa.load_masks"


@pytest.fixture
def choose(monkeypatch):
    """Choose a file in the dialogue that comes."""

    def chosen(path):
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))

    return chosen


@pytest.fixture
def result(viewer, panel, tmp_path, qtbot):
    """A segmented image from a file."""
    tifffile.imwrite(tmp_path / "OD_03.tif", draw_round_angiogram(160))
    viewer.open(tmp_path / "OD_03.tif", plugin="napari-npa")
    click(qtbot, panel.run)
    qtbot.waitUntil(lambda: panel.run_job is None and not panel.jobs, timeout=20_000)
    return panel.result


@pytest.fixture
def drawn():
    """A mask somebody drew, (rows, columns) bool."""
    mask = np.zeros((160, 160), bool)
    mask[60:80, 70:100] = True
    return mask


def load(viewer):
    """What the entry of the menu does."""
    get_app_model().commands.execute_command(COMMAND).result()


def told(qtbot, start):
    qtbot.waitUntil(lambda: any(line.startswith(start) for line in notifications()), timeout=5000)


@pytest.mark.parametrize(
    ("name", "target", "other"),
    [
        ("graded by B.png", "npa", "retina"),
        ("OD_03_npa.tif", "npa", "retina"),
        ("x_retina.tif", "retina", "npa"),
    ],
)
def test_a_mask_goes_into_its_layer_as_one_edit_that_can_be_undone(
    name, target, other, viewer, panel, result, drawn, choose, tmp_path, qtbot
):
    path = tmp_path / "from a colleague" / name
    path.parent.mkdir()
    tifffile.imwrite(path, 255 * drawn.astype(np.uint8))
    choose(path)
    before = {each: result.layer(each).data != 0 for each in ("npa", "retina")}
    load(viewer)
    told(qtbot, f"'{name}' is in ")
    np.testing.assert_array_equal(result.layer(target).data != 0, drawn)
    np.testing.assert_array_equal(result.layer(other).data != 0, before[other])
    assert panel.annotations.session.edits[-1].tool == "masks loaded"
    result.layer(target).undo()
    np.testing.assert_array_equal(result.layer(target).data != 0, before[target])


def test_a_saved_result_of_the_image_gives_both_masks_and_is_saved_again_without_a_question(
    viewer, panel, result, drawn, choose, tmp_path, qtbot, monkeypatch
):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "out"))
    automatic = result.masks()
    retina = np.ones((160, 160), bool)
    result.put(drawn, retina)
    panel.annotations.record("by hand")
    bar = bar_of(viewer)
    click(qtbot, bar.save)
    qtbot.waitUntil(lambda: not bar.jobs, timeout=20_000)
    result.put(*automatic)
    result.basis = ""  # as in another napari, which has not seen that result
    choose(tmp_path / "out" / "OD_03_npa.json")
    load(viewer)
    told(qtbot, "'OD_03_npa.json' is in 'NPA' and 'Retina' now")
    for found, expected in zip(result.masks(), (drawn, retina), strict=True):
        np.testing.assert_array_equal(found, expected)
    click(qtbot, bar.save)
    qtbot.waitUntil(lambda: not bar.jobs, timeout=20_000)
    assert "Saved in" in bar.status.text()


@pytest.mark.parametrize(("answer", "is_loaded"), [(YES, True), (NO, False)])
def test_masks_of_another_image_are_loaded_only_after_a_question(
    answer, is_loaded, viewer, panel, result, drawn, choose, tmp_path, answers, qtbot, monkeypatch
):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "out"))
    bar = bar_of(viewer)
    click(qtbot, bar.save)
    qtbot.waitUntil(lambda: not bar.jobs, timeout=20_000)
    tifffile.imwrite(tmp_path / "OS_17.tif", draw_round_angiogram(160, 5))
    viewer.open(tmp_path / "OS_17.tif", plugin="napari-npa")
    click(qtbot, panel.run)
    qtbot.waitUntil(lambda: panel.run_job is None and not panel.jobs, timeout=20_000)
    panel.result.put(drawn, panel.result.masks()[1])
    panel.annotations.record("by hand")
    edits = panel.annotations.session.number
    answers.append(answer)
    choose(tmp_path / "out" / "OD_03_npa.tif")
    load(viewer)
    qtbot.waitUntil(lambda: not answers, timeout=5000)
    assert (panel.annotations.session.number > edits) == is_loaded
    assert bool((panel.result.masks()[0] == drawn).all()) != is_loaded


def test_a_mask_of_another_size_is_refused(viewer, result, choose, tmp_path, qtbot):
    tifffile.imwrite(tmp_path / "small.tif", np.eye(80, dtype=np.uint8))
    choose(tmp_path / "small.tif")
    before = result.masks()
    load(viewer)
    told(qtbot, "'small.tif' has 80 x 80 pixels instead of 160 x 160")
    np.testing.assert_array_equal(result.masks(), before)


def test_without_a_result_the_remedy_is_told(viewer, panel, round_angiogram, choose, tmp_path):
    viewer.add_image(round_angiogram)
    load(viewer)
    assert notifications() == [
        "Press Run first: masks are loaded into the result of the image on screen."
    ]


def test_the_button_in_the_tab_loads_masks_too(
    viewer, panel, result, drawn, choose, tmp_path, qtbot
):
    tifffile.imwrite(tmp_path / "drawn.tif", 255 * drawn.astype(np.uint8))
    choose(tmp_path / "drawn.tif")
    assert not panel.load_masks.isHidden()
    panel.load_masks.click()
    told(qtbot, "'drawn.tif' is in 'NPA' now")
    np.testing.assert_array_equal(result.masks()[0], drawn)
