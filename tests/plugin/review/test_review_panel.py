"""What a user does with a folder of angiograms, with the mouse."""

import json
import threading
import time

import numpy as np
import pytest
import tifffile
from napari.layers import Image
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFileDialog, QMessageBox

from drawing import TINY_CANVASES, draw_round_angiogram
from gestures import bar_of, close_dock, notifications, open_tab
from napari_npa.io.angiogram import read_angiogram
from napari_npa.io.names import APPROVALS
from napari_npa.models.networks import UNetConfig, VGGUNet
from napari_npa.models.weights import save_model
from napari_npa.plugin.layers.open import layer_of
from napari_npa.plugin.layers.result_layers import results_of
from napari_npa.plugin.qt.keys import REVIEW_KEYS
from napari_npa.plugin.qt.model_choice import KeptSegmenter
from napari_npa.plugin.review import panel as review_panel
from napari_npa.plugin.review.preparation import Found, Opened
from napari_npa.plugin.review.reviewed_image import ReviewedImage
from napari_npa.review.queue import ReviewQueue
from saving import visible

REVIEW = "Review queue"


@pytest.fixture
def folder(tmp_path):
    """Three small angiograms."""
    folder = tmp_path / "images"
    folder.mkdir()
    for seed, name in enumerate("abc"):
        tifffile.imwrite(folder / f"{name}.tif", draw_round_angiogram(160, seed))
    return folder


@pytest.fixture
def review(viewer, qtbot, tiny_model, runs):
    """The panel, docked, with the tiny model."""
    review = open_tab(viewer, REVIEW)
    settle(qtbot, review)
    review.models.choose_file(tiny_model)
    yield review
    runs.go.set()
    settle(qtbot, review)


@pytest.fixture
def opened(review, folder, output, qtbot):
    """The panel with the folder open, all that runs in the background done."""
    open_folder(review, folder, output, qtbot)
    return review


def settle(qtbot, review):
    """Wait until nothing runs any more."""
    qtbot.waitUntil(lambda: not review.jobs and not review.preparer.jobs, timeout=30_000)


def open_folder(review, folder, output, qtbot):
    review.open_folder(folder, output)
    settle(qtbot, review)


def press(qtbot, review, button):
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    settle(qtbot, review)


def layers(viewer) -> list[str]:
    return [layer.name for layer in viewer.layers]


def marks(review) -> str:
    rows = range(review.list_model.rowCount())
    return "".join(review.list_model.index(row).data()[0] for row in rows)


def paint(viewer, row=80, column=80):
    """Change a patch of the non-perfusion mask, as an undoable edit; gives the mask."""
    npa = viewer.layers["NPA"]
    rows, columns = (part.ravel() for part in np.mgrid[row : row + 9, column : column + 9])
    npa.data_setitem((rows, columns), 1 - int(npa.data[row, column]))
    return npa.data != 0


def saved(output, name):
    return tifffile.imread(output / f"{name}_npa.tif") != 0


def test_a_folder_chosen_with_the_mouse_shows_its_first_image_segmented(
    shown, viewer, review, folder, qtbot, monkeypatch
):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    press(qtbot, review, review.choose_images)
    assert layers(viewer) == ["a", "Retina", "NPA"]
    assert review.count.text() == "1 of 3, 0 approved"
    assert marks(review) == "○○○"
    assert review.list.currentIndex().row() == 0
    assert review.list_model.index(0).data(Qt.ItemDataRole.FontRole).bold()
    assert review.queue.output == folder / review_panel.RESULTS
    assert notifications() == []


def test_the_segment_panel_follows(viewer, panel, opened, qtbot):
    result = results_of(viewer).of(viewer.layers["a"], viewer)
    assert panel.image is viewer.layers["a"]
    assert panel.result is result
    press(qtbot, opened, opened.next)
    assert panel.image is viewer.layers["b"]
    assert bar_of(viewer).save.isEnabled()


def test_next_shows_what_was_prepared_without_running_the_network(viewer, opened, runs, qtbot):
    runs.go.clear()
    before = runs.count
    qtbot.mouseClick(opened.next, Qt.MouseButton.LeftButton)
    assert layers(viewer) == ["b", "Retina", "NPA"]
    assert opened.count.text() == "2 of 3, 0 approved"
    qtbot.waitUntil(lambda: runs.count > before, timeout=20_000)  # of the third image
    assert layers(viewer) == ["b", "Retina", "NPA"]
    runs.go.set()
    settle(qtbot, opened)
    assert layers(viewer) == ["b", "Retina", "NPA"]


def test_only_one_image_ahead_is_prepared(viewer, opened, runs, qtbot):
    per_image = runs.count // 2
    assert runs.count == 2 * per_image
    press(qtbot, opened, opened.next)
    press(qtbot, opened, opened.next)
    assert runs.count == 3 * per_image
    assert not opened.next.isEnabled()


def test_what_was_prepared_is_dropped_when_the_queue_goes_elsewhere(
    viewer, review, folder, output, runs, qtbot
):
    runs.go.clear()
    review.open_folder(folder, output)
    qtbot.waitUntil(runs.waiting.is_set, timeout=20_000)
    assert layers(viewer) == ["a"]
    review.go_to(2)
    qtbot.waitUntil(lambda: layers(viewer) == ["c"], timeout=20_000)  # read at once
    runs.go.set()
    settle(qtbot, review)
    assert layers(viewer) == ["c", "Retina", "NPA"]
    result = results_of(viewer).of(viewer.layers["c"], viewer)
    assert result.segmentation.angiogram.name == "c.tif"
    assert notifications() == []


def test_an_edit_is_saved_on_the_way_to_the_next_and_shown_on_the_way_back(
    viewer, opened, output, qtbot
):
    automatic = viewer.layers["NPA"].data != 0
    corrected = paint(viewer)
    press(qtbot, opened, opened.next)
    assert layers(viewer) == ["b", "Retina", "NPA"]
    retina = tifffile.imread(output / "a_retina.tif") != 0
    np.testing.assert_array_equal(saved(output, "a"), corrected & retina)
    assert marks(opened) == "✎○○"
    press(qtbot, opened, opened.previous)
    npa = viewer.layers["NPA"]
    np.testing.assert_array_equal(npa.data != 0, saved(output, "a"))
    assert "as saved" in opened.status.text()
    npa.undo()
    np.testing.assert_array_equal(npa.data != 0, automatic)


def test_what_is_painted_while_saving_is_saved_too(viewer, opened, output, qtbot, monkeypatch):
    go, save = threading.Event(), review_panel.save

    def slow(*arguments):
        assert go.wait(20)
        return save(*arguments)

    monkeypatch.setattr(review_panel, "save", slow)
    paint(viewer, 80, 80)
    qtbot.mouseClick(opened.next, Qt.MouseButton.LeftButton)
    assert not opened.next.isEnabled()
    assert layers(viewer)[0] == "a"
    opened.go_next()  # waits for nothing, does nothing
    corrected = paint(viewer, 60, 60)
    go.set()
    settle(qtbot, opened)
    assert layers(viewer)[0] == "b"
    retina = tifffile.imread(output / "a_retina.tif") != 0
    np.testing.assert_array_equal(saved(output, "a"), corrected & retina)


def test_nothing_is_written_for_an_image_that_was_only_looked_at(opened, output, qtbot):
    press(qtbot, opened, opened.next)
    assert [path.name for path in visible(output)] == [APPROVALS]


def test_approve_saves_marks_and_goes_on_to_the_next_to_do(viewer, opened, output, qtbot):
    press(qtbot, opened, opened.next)
    paint(viewer)
    press(qtbot, opened, opened.approve_button)
    assert (output / "b_npa.tif").exists()
    assert layers(viewer)[0] == "c"
    assert opened.count.text() == "3 of 3, 1 approved"
    assert marks(opened) == "○✓○"
    press(qtbot, opened, opened.approve_button)
    assert layers(viewer)[0] == "a"  # from the beginning again
    press(qtbot, opened, opened.approve_button)
    assert marks(opened) == "✓✓✓"
    assert "so is every other image" in opened.status.text()
    assert ReviewQueue(opened.queue.images[0].parent, output).approved == 3


def test_a_correction_withdraws_the_approval(viewer, opened, qtbot):
    press(qtbot, opened, opened.approve_button)
    press(qtbot, opened, opened.previous)
    assert marks(opened) == "✓○○"
    paint(viewer)
    press(qtbot, opened, opened.next_to_do)
    assert marks(opened) == "✎○○"


def test_a_restart_resumes_at_the_same_image_with_the_corrected_masks(
    viewer, opened, folder, output, qtbot
):
    press(qtbot, opened, opened.next)
    paint(viewer)
    press(qtbot, opened, opened.approve_button)
    press(qtbot, opened, opened.previous)
    close_dock(qtbot, viewer)
    viewer.layers.clear()
    again = open_tab(viewer, REVIEW)
    settle(qtbot, again)
    again.models.choose_file(opened.model)
    open_folder(again, folder, output, qtbot)
    assert layers(viewer) == ["b", "Retina", "NPA"]
    assert again.count.text() == "2 of 3, 1 approved"
    np.testing.assert_array_equal(viewer.layers["NPA"].data != 0, saved(output, "b"))


def test_masks_of_another_image_of_that_name_are_not_shown(viewer, opened, folder, output, qtbot):
    press(qtbot, opened, opened.approve_button)
    tifffile.imwrite(folder / "a.tif", draw_round_angiogram(160, 7))
    press(qtbot, opened, opened.previous)
    assert marks(opened) == "○○○"
    np.testing.assert_array_equal(
        viewer.layers["NPA"].data != 0,
        results_of(viewer).of(viewer.layers["a"], viewer).segmentation.npa,
    )
    before = saved(output, "a")
    paint(viewer)
    press(qtbot, opened, opened.next)
    np.testing.assert_array_equal(saved(output, "a"), before)
    assert len(list(output.glob("a_*_npa.tif"))) == 1


def test_an_unreadable_file_gets_a_line_and_can_be_skipped(viewer, review, folder, output, qtbot):
    (folder / "b.tif").write_bytes(b"II*\0 and then nothing")
    open_folder(review, folder, output, qtbot)
    assert notifications() == []  # not before it is opened
    press(qtbot, review, review.next)
    (line,) = notifications()
    assert line.startswith("'b.tif' ")
    assert review.status.text().startswith(line)
    assert "marked as unreadable" in review.status.text()
    assert layers(viewer) == []
    assert not review.approve_button.isEnabled()
    assert marks(review) == "○✗○"
    assert review.count.text() == "2 of 3, 0 approved, 1 unreadable"
    tip = review.list_model.index(1).data(Qt.ItemDataRole.ToolTipRole)
    assert tip == f"b.tif: unreadable, present image\n{line}"
    press(qtbot, review, review.next)
    assert layers(viewer) == ["c", "Retina", "NPA"]


def test_what_is_to_do_passes_over_an_unreadable_file_until_the_file_changes(
    viewer, review, folder, output, qtbot
):
    (folder / "b.tif").write_bytes(b"nonsense")
    open_folder(review, folder, output, qtbot)
    press(qtbot, review, review.approve_button)
    assert marks(review) == "✓✗○"
    press(qtbot, review, review.next_to_do)
    assert layers(viewer) == ["c", "Retina", "NPA"]
    press(qtbot, review, review.approve_button)
    assert "every other image" in review.status.text()
    open_folder(review, folder, output, qtbot)
    assert marks(review) == "✓✗✓"
    tifffile.imwrite(folder / "b.tif", draw_round_angiogram(160, 7))
    open_folder(review, folder, output, qtbot)
    assert marks(review) == "✓○✓"


def write_noise(path):
    """An image in which there is nothing to judge."""
    noise = np.random.default_rng(0).integers(0, 3, (160, 160)).astype(np.uint8)
    noise[::16, ::16] = 255  # white, so that it is no dim angiogram
    tifffile.imwrite(path, noise)


def test_an_image_without_retina_is_shown_and_can_be_skipped(viewer, review, folder, output, qtbot):
    write_noise(folder / "a.tif")
    open_folder(review, folder, output, qtbot)
    assert layers(viewer) == ["a"]
    assert "'a.tif' " in review.status.text()
    assert "Press Ungradable" in review.status.text()
    assert not review.approve_button.isEnabled()
    press(qtbot, review, review.next)
    assert layers(viewer) == ["b", "Retina", "NPA"]
    assert not (output / "a_npa.json").exists()


def test_an_ungradable_image_is_done_and_stays_so_after_a_restart(
    viewer, review, folder, output, qtbot, answers
):
    write_noise(folder / "a.tif")
    open_folder(review, folder, output, qtbot)
    answers.append(QMessageBox.StandardButton.Yes)
    press(qtbot, review, review.ungradable_button)
    assert layers(viewer) == ["b", "Retina", "NPA"]
    assert review.count.text() == "2 of 3, 1 approved"
    assert marks(review) == "⊘○○"
    record = json.loads((output / "a_npa.json").read_text())
    assert (record["status"], record["isi"], record["edited"]) == ("ungradable", None, True)
    assert not list(output.glob("a_*.tif"))
    assert ReviewQueue(folder, output).approved == 1
    notification_manager.records.clear()
    open_folder(review, folder, output, qtbot)
    assert marks(review) == "⊘○○"
    tip = review.list_model.index(0).data(Qt.ItemDataRole.ToolTipRole)
    assert tip == "a.tif: ungradable"
    press(qtbot, review, review.previous)
    assert review.status.text() == "'a.tif' is marked as ungradable."
    assert notifications() == []


def test_masks_saved_earlier_of_an_ungradable_image_are_removed_when_the_user_agrees(
    viewer, opened, output, qtbot, answers
):
    press(qtbot, opened, opened.approve_button)
    press(qtbot, opened, opened.previous)
    answers.append(QMessageBox.StandardButton.No)
    press(qtbot, opened, opened.ungradable_button)
    assert (layers(viewer)[0], marks(opened)) == ("a", "✓○○")
    assert (output / "a_npa.tif").exists()
    answers.append(QMessageBox.StandardButton.Yes)
    press(qtbot, opened, opened.ungradable_button)
    assert (layers(viewer)[0], marks(opened)) == ("b", "⊘○○")
    assert sorted(path.name for path in visible(output)) == ["a_npa.json", APPROVALS]


def test_approving_takes_the_grade_ungradable_back(viewer, opened, output, qtbot, answers):
    answers.append(QMessageBox.StandardButton.Yes)
    press(qtbot, opened, opened.ungradable_button)
    press(qtbot, opened, opened.previous)
    assert "is marked as ungradable" in opened.status.text()
    press(qtbot, opened, opened.next)
    assert marks(opened) == "⊘○○"
    press(qtbot, opened, opened.previous)
    press(qtbot, opened, opened.approve_button)
    assert marks(opened) == "✓○○"
    assert json.loads((output / "a_npa.json").read_text())["isi"] is not None
    assert (output / "a_npa.tif").exists()


def test_an_emptied_retina_is_not_approved_but_can_be_marked(
    viewer, opened, output, qtbot, answers
):
    retina = viewer.layers["Retina"]
    retina.data_setitem(np.nonzero(retina.data), 0)
    for button in (opened.approve_button, opened.next):
        press(qtbot, opened, button)
        assert "no gradable retina" in opened.status.text()
        assert "Press Ungradable" in opened.status.text()
        assert layers(viewer)[0] == "a"
    answers.append(QMessageBox.StandardButton.Yes)
    press(qtbot, opened, opened.ungradable_button)
    assert marks(opened) == "⊘○○"
    assert layers(viewer)[0] == "b"


def test_the_grade_ungradable_is_told_when_it_cannot_be_written(
    viewer, opened, output, qtbot, answers
):
    output.rename(output.with_name("moved"))
    output.write_text("a file where the folder was")
    answers.append(QMessageBox.StandardButton.Yes)
    press(qtbot, opened, opened.ungradable_button)
    assert "nothing was lost" in opened.status.text()
    assert (layers(viewer)[0], marks(opened)) == ("a", "○○○")


@pytest.fixture
def other_model(tmp_path):
    """Another untrained network."""
    network = VGGUNet(UNetConfig(decoder=(8, 8, 8, 8))).eval()
    path = tmp_path / "other.safetensors"
    save_model(path, network, canvases=TINY_CANVASES, threshold=0.5)
    return path


def model_of(viewer, name):
    return results_of(viewer).of(viewer.layers[name], viewer).segmentation.model


def test_another_model_is_used_for_what_is_not_shown_yet(viewer, opened, other_model, qtbot):
    before = viewer.layers["NPA"]
    opened.models.choose_file(other_model)
    settle(qtbot, opened)
    assert viewer.layers["NPA"] is before
    assert model_of(viewer, "a") == "tiny.safetensors"
    press(qtbot, opened, opened.next)  # "b" was prepared with the first model
    assert model_of(viewer, "b") == "other.safetensors"
    press(qtbot, opened, opened.previous)
    assert model_of(viewer, "a") == "other.safetensors"


def test_a_model_chosen_during_a_run_is_the_one_whose_result_is_shown(
    viewer, review, folder, output, runs, other_model, qtbot
):
    runs.go.clear()
    review.open_folder(folder, output)
    qtbot.waitUntil(runs.waiting.is_set, timeout=20_000)
    review.models.choose_file(other_model)
    runs.go.set()
    settle(qtbot, review)
    assert layers(viewer) == ["a", "Retina", "NPA"]
    assert model_of(viewer, "a") == "other.safetensors"
    assert notifications() == []


def test_weights_that_cannot_be_read_are_told_and_others_chosen_instead(
    viewer, opened, tiny_model, qtbot, tmp_path
):
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    opened.models.choose_file(tmp_path / "bad.safetensors")
    settle(qtbot, opened)
    press(qtbot, opened, opened.next)
    assert layers(viewer) == ["b"]
    assert "'bad.safetensors' " in opened.status.text()
    opened.models.choose_file(tiny_model)
    settle(qtbot, opened)
    assert layers(viewer) == ["b", "Retina", "NPA"]


def test_two_scales_are_asked_for_in_the_panel(opened, qtbot, monkeypatch):
    asked, get = [], KeptSegmenter.get
    monkeypatch.setattr(
        KeptSegmenter,
        "get",
        lambda self, device, model, mode: asked.append(mode) or get(self, device, model, "whole"),
    )
    opened.modes.setChecked(True)
    settle(qtbot, opened)
    assert asked == ["two-scale"]  # the image ahead
    opened.modes.setChecked(False)
    settle(qtbot, opened)
    assert asked == ["two-scale", "whole"]


def test_the_keys_stand_in_the_panel(review):
    for key in REVIEW_KEYS:
        assert key in review.keys.text()
    for key, button in (
        ("Shift+N", review.next),
        ("Shift+B", review.previous),
        ("Shift+Y", review.approve_button),
    ):
        assert key in button.toolTip()


def test_layers_stay_when_their_masks_cannot_be_saved(viewer, opened, output, qtbot, tmp_path):
    corrected = paint(viewer)
    output.rename(tmp_path / "moved")
    output.write_text("a file where the folder was")
    for button in (opened.next, opened.approve_button, opened.next_to_do):
        press(qtbot, opened, button)
        assert layers(viewer) == ["a", "Retina", "NPA"]
        np.testing.assert_array_equal(viewer.layers["NPA"].data != 0, corrected)
        assert "nothing was lost" in opened.status.text()
        assert opened.count.text() == "1 of 3, 0 approved"
    assert len(notifications()) == 3
    output.unlink()
    press(qtbot, opened, opened.next)
    assert layers(viewer)[0] == "b"
    assert (output / "a_npa.tif").exists()


def test_another_folder_is_opened_only_after_the_masks_are_saved(
    viewer, opened, output, qtbot, tmp_path
):
    paint(viewer)
    other = tmp_path / "other"
    other.mkdir()
    tifffile.imwrite(other / "z.tif", draw_round_angiogram(160, 5))
    open_folder(opened, other, tmp_path / "other_results", qtbot)
    assert (output / "a_npa.tif").exists()
    assert layers(viewer) == ["z", "Retina", "NPA"]
    assert opened.count.text() == "1 of 1, 0 approved"


def test_a_folder_without_angiograms_is_told_and_leaves_the_queue(viewer, opened, qtbot, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    open_folder(opened, empty, empty, qtbot)
    assert "'empty' holds no angiogram" in opened.status.text()
    assert notifications() == [opened.status.text()]
    assert layers(viewer) == ["a", "Retina", "NPA"]
    assert opened.next.isEnabled()


def test_results_go_to_the_folder_that_is_chosen(viewer, opened, qtbot, tmp_path, monkeypatch):
    chosen = tmp_path / "chosen"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(chosen))
    press(qtbot, opened, opened.choose_output)
    press(qtbot, opened, opened.approve_button)
    assert (chosen / "a_npa.tif").exists()
    assert str(chosen) in opened.output_folder.text()


def test_subfolders_are_gone_through_when_wanted(shown, viewer, opened, folder, output, qtbot):
    (folder / "sub").mkdir()
    tifffile.imwrite(folder / "sub" / "c.tif", draw_round_angiogram(160, 4))
    press(qtbot, opened, opened.next)
    press(qtbot, opened, opened.approve_button)
    press(qtbot, opened, opened.previous)
    corrected = paint(viewer)  # withdraws the approval, not saved yet
    click_box(qtbot, opened)
    assert opened.count.text() == "2 of 4, 0 approved"
    assert marks(opened) == "○✎○○"
    np.testing.assert_array_equal(viewer.layers["NPA"].data != 0, saved(output, "b"))
    assert (saved(output, "b") & ~corrected).sum() == 0
    opened.go_to(3)
    settle(qtbot, opened)
    assert opened.list_model.index(3).data() == "○  sub/c.tif"
    paint(viewer)
    press(qtbot, opened, opened.approve_button)
    assert not (output / "c_npa.tif").exists()
    assert saved(output / "sub", "c").shape == (160, 160)
    opened.go_to(3)
    settle(qtbot, opened)
    assert layers(viewer) == ["c", "Retina", "NPA"]
    assert "as saved" in opened.status.text()
    click_box(qtbot, opened)
    assert opened.count.text() == "3 of 3, 0 approved"
    click_box(qtbot, opened)
    assert marks(opened) == "○✎○✓"
    assert json.loads((output / APPROVALS).read_text())["approved"].keys() == {"sub/c.tif"}
    assert notifications() == []


def click_box(qtbot, review):
    """Click 'subfolders too', where its box is, not where its words end."""
    place = QPoint(10, review.recursive.height() // 2)
    qtbot.mouseClick(review.recursive, Qt.MouseButton.LeftButton, pos=place)
    settle(qtbot, review)


def test_a_folder_of_subfolders_opens_once_they_are_wanted(
    shown, viewer, review, folder, output, qtbot, answers
):
    open_folder(review, folder.parent, output, qtbot)
    assert "look into its subfolders too" in review.status.text()
    click_box(qtbot, review)
    assert review.queue.names == ("images/a.tif", "images/b.tif", "images/c.tif")
    answers.append(QMessageBox.StandardButton.Yes)
    press(qtbot, review, review.ungradable_button)
    assert (output / "images" / "a_npa.json").exists()
    assert marks(review) == "⊘○○"


def test_damaged_approvals_are_told_and_kept(viewer, review, folder, output, qtbot):
    output.mkdir()
    (output / APPROVALS).write_text("{")
    open_folder(review, folder, output, qtbot)
    (line,) = notifications()
    assert "'review.json' is damaged" in line
    assert (output / "review_damaged_1.json").read_text() == "{"
    assert layers(viewer) == ["a", "Retina", "NPA"]


def test_masks_that_cannot_be_read_are_told_and_not_approved_unseen(
    viewer, opened, output, qtbot, answers
):
    press(qtbot, opened, opened.approve_button)
    (output / "a_npa.tif").write_bytes(b"nonsense")
    press(qtbot, opened, opened.previous)
    (line,) = notifications()
    assert line.startswith("'a_npa.tif' ")
    press(qtbot, opened, opened.next)
    assert (output / "a_npa.tif").read_bytes() == b"nonsense"
    press(qtbot, opened, opened.previous)
    answers.append(QMessageBox.StandardButton.Yes)  # the result was approved
    press(qtbot, opened, opened.approve_button)
    assert saved(output, "a").shape == (160, 160)


def test_a_result_is_dropped_when_its_image_was_removed(
    viewer, review, folder, output, runs, qtbot
):
    runs.go.clear()
    review.open_folder(folder, output)
    qtbot.waitUntil(lambda: layers(viewer) == ["a"], timeout=20_000)
    viewer.layers.remove("a")
    runs.go.set()
    settle(qtbot, review)
    assert layers(viewer) == []
    assert "dropped" in review.status.text()
    review.go_to_row(review.list_model.index(0))
    settle(qtbot, review)
    assert layers(viewer) == ["a", "Retina", "NPA"]


def test_what_the_user_segmented_meanwhile_is_kept(viewer, panel, folder, qtbot):
    path = folder / "a.tif"
    angiogram = read_angiogram(path)
    image = ReviewedImage(Opened(angiogram, layer_of(angiogram, "a")), viewer)
    qtbot.mouseClick(panel.run, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.run_job is None, timeout=20_000)
    corrected = paint(viewer)
    late = Found(panel.result.segmentation, 1.0)
    assert not image.show(late)
    np.testing.assert_array_equal(viewer.layers["NPA"].data != 0, corrected)
    np.testing.assert_array_equal(image.unsaved().npa, corrected)


def test_orphaned_masks_are_saved_before_they_are_taken_away(viewer, opened, output, qtbot):
    corrected = paint(viewer)
    viewer.layers.remove("a")
    press(qtbot, opened, opened.next)
    retina = tifffile.imread(output / "a_retina.tif") != 0
    np.testing.assert_array_equal(saved(output, "a"), corrected & retina)
    assert layers(viewer) == ["b", "Retina", "NPA"]


def test_other_layers_of_the_viewer_stay(viewer, opened, qtbot):
    mine = viewer.add_layer(Image(np.zeros((5, 5)), name="mine"))
    press(qtbot, opened, opened.next)
    assert mine in viewer.layers
    assert "b" in layers(viewer)


def test_a_click_in_the_list_opens_that_image(shown, viewer, opened, qtbot):
    place = opened.list.visualRect(opened.list_model.index(2)).center()
    qtbot.mouseClick(opened.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    settle(qtbot, opened)
    assert layers(viewer) == ["c", "Retina", "NPA"]
    assert opened.count.text().startswith("3 of 3")


def test_controls_explain_themselves_and_work_only_when_they_can(review, folder, output, qtbot):
    later = (
        review.previous,
        review.next,
        review.next_to_do,
        review.approve_button,
        review.ungradable_button,
    )
    folders = (review.choose_images, review.choose_output, review.recursive)
    rest = (*folders, review.list, review.models, review.modes)
    for control in (*later, *rest):
        assert control.toolTip()
    assert not any(control.isEnabled() for control in later)
    actions = (review.go_next, review.go_previous, review.go_to_next_to_do, review.approve)
    for method in (*actions, review.mark_ungradable):
        method()  # a key pressed too early
    open_folder(review, folder, output, qtbot)
    assert [control.isEnabled() for control in later] == [False, True, True, True, True]
    assert "to do" in review.list_model.index(0).data(Qt.ItemDataRole.ToolTipRole)


def test_closing_the_panel_during_a_run_leaves_a_working_viewer(
    viewer, review, folder, output, runs, qtbot
):
    runs.go.clear()
    review.open_folder(folder, output)
    qtbot.waitUntil(runs.waiting.is_set, timeout=20_000)
    jobs = [*review.preparer.jobs.running]
    close_dock(qtbot, viewer)
    runs.go.set()
    qtbot.wait(200)
    assert jobs
    qtbot.waitUntil(lambda: all(job.is_done for job in jobs), timeout=20_000)
    viewer.add_image(np.zeros((20, 20)))
    viewer.layers.clear()
    for running in (review.jobs, review.preparer.jobs):
        running.running.clear()


@pytest.mark.slow
def test_ten_thousand_images_are_listed_without_a_stutter(shown, viewer, opened, tmp_path, qtbot):
    folder, first = tmp_path / "many", opened.queue.images[0]
    folder.mkdir()
    for number in range(10_000):
        (folder / f"eye_{number:05}.tif").hardlink_to(first)
    open_folder(opened, folder, tmp_path / "many_results", qtbot)
    press(qtbot, opened, opened.next)
    assert opened.count.text() == "2 of 10000, 0 approved"
    opened.queue.go_to(7000)
    started = time.perf_counter()
    opened.refresh()
    opened.list.repaint()
    assert time.perf_counter() - started < 0.5
    opened.queue.go_to(1)
