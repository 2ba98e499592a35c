"""A folder of angiograms looked through in order, with what is done kept between sessions."""

import json
import os
import threading
from time import perf_counter

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from drawing import draw_round_angiogram
from napari_npa import Segmenter
from napari_npa.errors import AngiogramError, NpaError, SaveError
from napari_npa.io.names import APPROVALS
from napari_npa.io.writing import write_json, write_mask
from napari_npa.results.folder import ResultFolder
from napari_npa.results.saved import SavedResult
from napari_npa.review.queue import ReviewQueue
from saving import save, save_corrected, visible

SHA = {"a": "a" * 64, "b": "b" * 64, "c": "c" * 64, "d": "d" * 64}


@pytest.fixture
def images(tmp_path):
    """A folder of a.tif, b.tif and c.tif, which are never opened."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("c.tif", "a.tif", "b.tif", "a_npa.tif", "notes.txt", ".b.tif"):
        (folder / name).touch()
    return folder


@pytest.fixture
def tree(images):
    """The same with subfolders, of which one holds an image of the name of another."""
    for name in ("sub/a.tif", "sub/deep/d.tif", "npa_results/a_npa.tif", "old/a_overlay.png"):
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        (images / name).touch()
    write_mask(images / "npa_results" / "a_npa.tif", np.eye(70, dtype=np.bool_))
    record(images, "old/a", "a.tif", SHA["a"])
    return images


TREE = ("a.tif", "b.tif", "c.tif", "sub/a.tif", "sub/deep/d.tif")


@pytest.fixture
def output(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


def record(output, base, image, sha256, edited=True):
    """The record that a ResultFolder leaves, as far as the queue reads it."""
    path = output / f"{base}_npa.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "image": {"name": image, "sha256": sha256},
        "edited": edited,
        "threshold": 0.25,
        "model": {"name": "whole", "sha256": "m"},
    }
    write_json(path, content)
    return SavedResult.at(output / base)


def states(queue):
    return [queue.state(at) for at in range(len(queue))]


def test_the_angiograms_of_a_folder_come_in_order_and_are_all_to_do(images, output):
    queue = ReviewQueue(images, output)
    assert [path.name for path in queue.images] == ["a.tif", "b.tif", "c.tif"]
    assert states(queue) == ["to do"] * 3
    assert (queue.position, queue.approved, queue.warning) == (0, 0, None)
    assert queue.present.name == "a.tif"


def test_records_tell_what_is_edited(images, output):
    record(output, "a", "a.tif", SHA["a"], edited=True)
    record(output, "b", "b.tif", SHA["b"], edited=False)
    (output / "c_npa.json").write_text("nonsense")
    assert states(ReviewQueue(images, output)) == ["edited", "to do", "to do"]


def test_a_record_written_by_the_package_is_understood(images, output, tiny_model):
    image = draw_round_angiogram(160)
    tifffile.imwrite(images / "a.tif", image)
    segmentation = Segmenter("cpu", tiny_model).segment(images / "a.tif")
    save_corrected(output, "a", segmentation)
    queue = ReviewQueue(images, output)
    assert states(queue) == ["edited", "to do", "to do"]
    saved = queue.saved_result(0, segmentation.angiogram.sha256)
    assert saved.record.threshold == segmentation.threshold
    assert saved.record.model.sha256 == segmentation.model_sha256
    np.testing.assert_array_equal(tifffile.imread(saved.npa) != 0, segmentation.npa)
    np.testing.assert_array_equal(tifffile.imread(saved.retina) != 0, segmentation.retina)


def test_an_ungradable_image_has_a_record_without_index_and_masks(images, output, tiny_model):
    tifffile.imwrite(images / "a.tif", draw_round_angiogram(160))
    segmentation = Segmenter("cpu", tiny_model).segment(images / "a.tif")
    save(output, "a", segmentation, probability=True)
    save(output, "b", segmentation)
    sha256 = segmentation.angiogram.sha256
    written = ResultFolder(output).save_ungradable(segmentation.angiogram, "a")
    queue = ReviewQueue(images, output)
    assert (queue.state(0), queue.is_ungradable(0)) == ("edited", True)
    queue.approve(0, sha256)
    queue.store()
    again = ReviewQueue(images, output)
    assert (again.state(0), again.is_ungradable(0), again.approved) == ("approved", True, 1)
    assert not again.is_ungradable(1)
    assert [path.name for path in sorted(output.glob("a_*"))] == ["a_npa.json"]
    assert len(list(output.glob("b_*"))) == 4  # of the other image nothing is removed
    (file,) = written.files
    record = json.loads(file.read_text("utf-8"))
    assert record["status"] == written.row.status == "ungradable"
    assert (record["isi"], record["npa_pixels"], record["retina_pixels"]) == (None, None, 0)
    assert record["image"]["sha256"] == sha256
    save(output, "a", segmentation)
    assert not ReviewQueue(images, output).is_ungradable(0)


def test_an_approval_and_the_position_outlast_a_restart(images, output):
    queue = ReviewQueue(images, output)
    queue.go_to(1)
    queue.opened(1, SHA["b"])
    queue.saved(1, record(output, "b", "b.tif", SHA["b"]))
    assert states(queue) == ["to do", "edited", "to do"]
    queue.approve(1, SHA["b"])
    queue.store()
    for again in (queue, ReviewQueue(images, output)):
        assert states(again) == ["to do", "approved", "to do"]
        assert (again.position, again.approved) == (1, 1)


def test_masks_saved_again_are_not_approved_any_more(images, output):
    queue = ReviewQueue(images, output)
    queue.saved(0, record(output, "a", "a.tif", SHA["a"]))
    queue.approve(0, SHA["a"])
    queue.saved(0, record(output, "a", "a.tif", SHA["a"]))
    assert queue.state(0) == "edited"


def test_a_file_that_has_become_another_image_is_to_do_once_it_is_opened(images, output):
    queue = ReviewQueue(images, output)
    queue.saved(0, record(output, "a", "a.tif", SHA["a"]))
    queue.approve(0, SHA["a"])
    queue.store()
    queue = ReviewQueue(images, output)
    assert queue.state(0) == "approved"
    queue.opened(0, SHA["d"])
    assert queue.state(0) == "to do"
    assert queue.saved_result(0, SHA["d"]) is None
    assert queue.approved == 0


def test_images_of_one_stem_have_each_their_own_state(images, output):
    (images / "a.png").touch()
    record(output, "a", "a.tif", SHA["a"])
    record(output, f"a_{SHA['d'][:8]}", "a.png", SHA["d"], edited=False)
    queue = ReviewQueue(images, output)
    assert [path.name for path in queue.images][:2] == ["a.png", "a.tif"]
    assert states(queue)[:2] == ["to do", "edited"]
    assert queue.saved_result(0, SHA["d"]).npa.name == "a_dddddddd_npa.tif"
    assert queue.saved_result(1, SHA["a"]).npa.name == "a_npa.tif"
    queue.opened(1, SHA["b"])
    assert queue.state(1) == "to do"


def test_an_approval_without_masks_is_none(images, output):
    write_json(output / APPROVALS, {"position": "a.tif", "approved": {"a.tif": SHA["a"]}})
    queue = ReviewQueue(images, output)
    assert queue.state(0) == "to do"
    assert queue.approved == 0


def test_moving_stops_at_both_ends(images, output):
    queue = ReviewQueue(images, output)
    assert queue.previous is None
    assert queue.next == 1
    queue.go_to(2)
    assert queue.previous == 1
    assert queue.next is None
    for nowhere in (-1, 3):
        with pytest.raises(IndexError, match="3 images"):
            queue.go_to(nowhere)


def test_next_to_do_starts_again_at_the_beginning_and_turns_to_the_edited_last(images, output):
    queue = ReviewQueue(images, output)
    queue.go_to(1)
    for at, name in enumerate("abc"):
        queue.saved(at, record(output, name, f"{name}.tif", SHA[name], edited=name != "a"))
    assert queue.next_to_do == 0
    queue.approve(0, SHA["a"])
    assert queue.next_to_do == 2
    queue.approve(2, SHA["c"])
    assert queue.next_to_do is None


@pytest.mark.parametrize(
    ("removed", "added", "present"),
    [("b.tif", None, "c.tif"), (None, "aa.tif", "b.tif"), ("b.tif", "z.tif", "c.tif")],
)
def test_files_that_come_and_go_leave_the_place(images, output, removed, added, present):
    queue = ReviewQueue(images, output)
    queue.go_to(1)
    queue.store()
    if removed:
        (images / removed).unlink()
    if added:
        (images / added).touch()
    assert ReviewQueue(images, output).present.name == present


def test_the_last_file_gone_leaves_the_one_before(images, output):
    queue = ReviewQueue(images, output)
    queue.go_to(2)
    queue.saved(2, record(output, "c", "c.tif", SHA["c"]))
    queue.approve(2, SHA["c"])
    queue.store()
    (images / "c.tif").unlink()
    without = ReviewQueue(images, output)
    assert (without.present.name, without.approved) == ("b.tif", 0)
    without.store()
    (images / "c.tif").touch()
    assert ReviewQueue(images, output).state(2) == "approved"


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"position": "a.tif"}', '{"position": 1, "approved": {}}', "\x80"]
)
def test_damaged_approvals_are_put_aside_and_told(images, output, content):
    for number in (1, 2):
        (output / APPROVALS).write_bytes(content.encode("latin1"))
        queue = ReviewQueue(images, output)
        aside = f"review_damaged_{number}.json"
        assert isinstance(queue.warning, NpaError)
        assert "'review.json' is damaged" in str(queue.warning)
        assert aside in str(queue.warning)
        assert (output / aside).read_bytes() == content.encode("latin1")
        assert not (output / APPROVALS).exists()
    assert states(queue) == ["to do"] * 3


def test_results_beside_the_images_are_not_angiograms(images):
    for name in ("a_overlay.png", "a_probability.tif", "x_overlay.png"):
        (images / name).touch()
    record(images, "a", "a.tif", SHA["a"])
    queue = ReviewQueue(images, images)
    assert [path.name for path in queue.images] == ["a.tif", "b.tif", "c.tif", "x_overlay.png"]


def test_a_folder_that_cannot_be_reviewed_is_told(tmp_path, output, images):
    with pytest.raises(AngiogramError, match="'results' holds no angiogram"):
        ReviewQueue(output, output)
    with pytest.raises(AngiogramError, match="'nowhere' is not a folder"):
        ReviewQueue(tmp_path / "nowhere", output)
    (output / APPROVALS).mkdir()
    with pytest.raises(NpaError, match=r"'review.json' cannot be read"):
        ReviewQueue(images, output)


def test_storing_makes_the_folder_or_says_why_not(images, tmp_path):
    ReviewQueue(images, tmp_path / "new" / "results").store()
    kept = json.loads((tmp_path / "new" / "results" / APPROVALS).read_text())
    assert kept == {"position": "a.tif", "approved": {}}
    with pytest.raises(SaveError, match="cannot be made"):
        ReviewQueue(images, images / "a.tif" / "results").store()


def test_stores_at_the_same_time_leave_the_last_state(images, output):
    queue = ReviewQueue(images, output)
    threads = []
    for at in (0, 1, 2, 1):
        queue.go_to(at)
        threads.append(threading.Thread(target=queue.store))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert ReviewQueue(images, output).position == 1
    assert [path.name for path in visible(output)] == [APPROVALS]


def test_a_tree_comes_folder_by_folder_with_results_in_the_same_subfolders(tree, output):
    queue = ReviewQueue(tree, tree / "npa_results", recursive=True)
    assert queue.names == TREE
    assert queue.images == tuple(tree / name for name in TREE)
    queue.go_to(4)
    assert queue.results == tree / "npa_results" / "sub" / "deep"
    assert ReviewQueue(tree, output).names == TREE[:3]


def test_images_of_one_name_in_two_folders_have_each_their_own_state(tree, output):
    record(output, "sub/a", "a.tif", SHA["a"])
    queue = ReviewQueue(tree, output, recursive=True)
    assert states(queue) == ["to do", "to do", "to do", "edited", "to do"]
    assert queue.saved_result(0, SHA["a"]) is None
    assert queue.saved_result(3, SHA["a"]).npa == output / "sub" / "a_npa.tif"
    queue.saved(0, record(output, "a", "a.tif", SHA["b"]))
    queue.approve(0, SHA["b"])
    assert states(queue) == ["approved", "to do", "to do", "edited", "to do"]


def test_a_review_of_a_tree_is_kept_in_one_file_and_resumed(tree, output):
    queue = ReviewQueue(tree, output, recursive=True)
    queue.go_to(3)
    queue.saved(3, record(output, f"sub/a_{SHA['a'][:8]}", "a.tif", SHA["a"]))
    queue.approve(3, SHA["a"])
    queue.store()
    kept = {"position": "sub/a.tif", "approved": {"sub/a.tif": SHA["a"]}}
    assert json.loads((output / APPROVALS).read_text()) == kept
    assert [path.name for path in visible(output / "sub")] == ["a_aaaaaaaa_npa.json"]
    again = ReviewQueue(tree, output, recursive=True)
    assert (again.present, again.state(3), again.approved) == (tree / "sub/a.tif", "approved", 1)


def test_a_review_of_the_folder_alone_goes_on_with_its_subfolders_and_back(tree, output):
    write_json(output / APPROVALS, {"position": "b.tif", "approved": {"a.tif": SHA["a"]}})
    record(output, "a", "a.tif", SHA["a"])
    queue = ReviewQueue(tree, output, recursive=True)
    assert (queue.position, queue.state(0), queue.approved) == (1, "approved", 1)
    queue.go_to(4)
    queue.saved(4, record(output, "sub/deep/d", "d.tif", SHA["d"]))
    queue.approve(4, SHA["d"])
    queue.store()
    flat = ReviewQueue(tree, output)
    assert (flat.present.name, flat.approved) == ("c.tif", 1)
    flat.store()
    assert ReviewQueue(tree, output, recursive=True).approved == 2


def approve_alone(tree, output):
    """Review the subfolder ``sub`` on its own."""
    sub = ReviewQueue(tree / "sub", output / "sub")
    sub.saved(0, record(output, "sub/a", "a.tif", SHA["a"]))
    sub.approve(0, SHA["a"])
    sub.store()
    return sub


def test_approvals_of_a_subfolder_reviewed_alone_hold_in_the_tree(tree, output):
    sub = approve_alone(tree, output)
    before = (output / "sub" / APPROVALS).read_bytes()
    queue = ReviewQueue(tree, output, recursive=True)
    assert (queue.state(3), queue.approved, queue.position) == ("approved", 1, 0)
    queue.store()
    assert (output / "sub" / APPROVALS).read_bytes() == before
    sub.saved(0, SavedResult.at(output / "sub" / "a"))  # withdrawn where it was given
    sub.store()
    assert ReviewQueue(tree, output, recursive=True).state(3) == "edited"


def test_an_approval_of_a_subfolder_can_be_withdrawn_and_given_in_the_tree(tree, output):
    approve_alone(tree, output)
    queue = ReviewQueue(tree, output, recursive=True)
    queue.saved(3, SavedResult.at(output / "sub" / "a"))
    for state in ("edited", "approved"):
        queue.store()
        assert ReviewQueue(tree, output, recursive=True).state(3) == state
        queue.approve(3, SHA["a"])
    assert ReviewQueue(tree / "sub", output / "sub").state(0) == "approved"


def test_of_two_files_that_tell_of_an_image_the_upper_one_counts(tree, output):
    middle, lower = output / "sub", output / "sub" / "deep"
    record(output, "sub/deep/d", "d.tif", SHA["d"])
    write_json(lower / APPROVALS, {"position": "d.tif", "approved": {"d.tif": SHA["d"]}})
    assert ReviewQueue(tree, output, recursive=True).state(4) == "approved"
    queue = ReviewQueue(tree / "sub", middle, recursive=True)
    assert queue.names == ("a.tif", "deep/d.tif")
    queue.saved(1, SavedResult.at(lower / "d"))
    queue.store()
    assert ReviewQueue(tree, output, recursive=True).state(4) == "edited"


def test_damaged_approvals_of_a_subfolder_are_put_aside_and_told(tree, output):
    (output / "sub").mkdir()
    (output / "sub" / APPROVALS).write_text("{")
    queue = ReviewQueue(tree, output, recursive=True)
    assert "'sub/review.json' is damaged" in str(queue.warning)
    assert (output / "sub" / "review_damaged_1.json").read_text() == "{"


def test_an_image_that_cannot_be_named_is_left_out_and_told(images, output):
    (images / os.fsdecode(b"\xff.tif")).touch()
    queue = ReviewQueue(images, output)
    assert queue.names == TREE[:3]
    assert "has a name that is not valid Unicode. It is left out" in str(queue.warning)


def test_a_folder_of_subfolders_is_told_how_to_be_reviewed(tmp_path, images, output):
    with pytest.raises(AngiogramError, match="look into its subfolders too"):
        ReviewQueue(tmp_path, output)
    names = [f"images/{name}" for name in TREE[:3]]
    assert list(ReviewQueue(tmp_path, output, recursive=True).names) == names


@pytest.mark.slow
@pytest.mark.parametrize("folders", [1, 2000])
def test_ten_thousand_images_are_listed_in_seconds(tmp_path, folders):
    images, output = tmp_path / "images", tmp_path / "results"
    names = [f"{number % folders:04}/eye_{number // folders:05}" for number in range(10_000)]
    for folder in {name.partition("/")[0] for name in names}:
        (images / folder).mkdir(parents=True)
        (output / folder).mkdir(parents=True)
    for name in names:
        (images / f"{name}.tif").touch()
        for ending in ("npa.tif", "retina.tif", "overlay.png", "npa.json"):
            (output / f"{name}_{ending}").touch()
    names.sort()
    approved = {f"{name}.tif": SHA["a"] for name in names[:9000]}
    write_json(output / APPROVALS, {"position": f"{names[5000]}.tif", "approved": approved})
    started = perf_counter()
    queue = ReviewQueue(images, output, recursive=True)
    assert (queue.position, queue.approved, queue.state(9999)) == (5000, 9000, "to do")
    assert perf_counter() - started < 5


@given(st.lists(st.tuples(st.sampled_from(["saved", "approve", "opened"]), st.integers(0, 2))))
@settings(deadline=None)
def test_whatever_is_done_a_restart_tells_the_same(tmp_path_factory, steps):
    folder, names = tmp_path_factory.mktemp("review"), ("a", "b", "sub/a")
    (folder / "sub").mkdir()
    for name in names:
        (folder / f"{name}.tif").touch()
    queue = ReviewQueue(folder, folder, recursive=True)
    for verb, at in steps:
        sha256 = SHA["abc"[at]]
        if verb == "saved":
            queue.saved(at, record(folder, names[at], f"{names[at][-1]}.tif", sha256))
        else:
            getattr(queue, verb)(at, sha256)
        queue.go_to(at)
    queue.store()
    again = ReviewQueue(folder, folder, recursive=True)
    assert (states(again), again.position) == (states(queue), queue.position)
    assert again.approved == states(again).count("approved")
