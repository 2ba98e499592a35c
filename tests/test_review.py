"""A folder of angiograms looked through in order, with what is done kept between sessions."""

import json
import threading
from time import perf_counter

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from drawing import draw_round_angiogram
from napari_npa import Segmenter
from napari_npa.errors import AngiogramError, NpaError, SaveError, TrainingError
from napari_npa.results import write_result, write_ungradable
from napari_npa.review import KEPT, ReviewQueue
from napari_npa.writing import write_json

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
def output(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


def record(output, base, image, sha256, edited=True):
    """The record that results.write_result leaves, as far as the queue reads it."""
    path = output / f"{base}_npa.json"
    content = {
        "image": {"name": image, "sha256": sha256},
        "edited": edited,
        "threshold": 0.25,
        "model": {"name": "whole", "sha256": "m"},
    }
    write_json(path, content)
    return path


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
    write_result(output, "a", segmentation, seconds=1, npa=segmentation.npa)
    queue = ReviewQueue(images, output)
    assert states(queue) == ["edited", "to do", "to do"]
    saved = queue.saved_result(0, segmentation.angiogram.sha256)
    assert saved.threshold == segmentation.threshold
    assert saved.model_sha256 == segmentation.model_sha256
    np.testing.assert_array_equal(tifffile.imread(saved.npa) != 0, segmentation.npa)
    np.testing.assert_array_equal(tifffile.imread(saved.retina) != 0, segmentation.retina)


def test_an_ungradable_image_has_a_record_without_index_and_masks(images, output, tiny_model):
    tifffile.imwrite(images / "a.tif", draw_round_angiogram(160))
    segmentation = Segmenter("cpu", tiny_model).segment(images / "a.tif")
    write_result(output, "a", segmentation, seconds=1, probability=True)
    write_result(output, "b", segmentation, seconds=1)
    sha256 = segmentation.angiogram.sha256
    written = write_ungradable(output, "a", segmentation.angiogram)
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
    write_result(output, "a", segmentation, seconds=1)
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
    write_json(output / KEPT, {"position": "a.tif", "approved": {"a.tif": SHA["a"]}})
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
        (output / KEPT).write_bytes(content.encode("latin1"))
        queue = ReviewQueue(images, output)
        aside = f"review_damaged_{number}.json"
        assert isinstance(queue.warning, NpaError)
        assert "'review.json' is damaged" in str(queue.warning)
        assert aside in str(queue.warning)
        assert (output / aside).read_bytes() == content.encode("latin1")
        assert not (output / KEPT).exists()
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
    with pytest.raises(TrainingError, match="'nowhere' cannot be read"):
        ReviewQueue(tmp_path / "nowhere", output)
    (output / KEPT).mkdir()
    with pytest.raises(NpaError, match=r"'review.json' cannot be read"):
        ReviewQueue(images, output)


def test_storing_makes_the_folder_or_says_why_not(images, tmp_path):
    ReviewQueue(images, tmp_path / "new" / "results").store()
    kept = json.loads((tmp_path / "new" / "results" / KEPT).read_text())
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
    assert [path.name for path in output.iterdir()] == [KEPT]


def test_ten_thousand_images_are_listed_in_a_second(tmp_path):
    images, output = tmp_path / "images", tmp_path / "results"
    images.mkdir()
    output.mkdir()
    names = [f"eye_{number:05}" for number in range(10_000)]
    for name in names:
        (images / f"{name}.tif").touch()
        for ending in ("npa.tif", "retina.tif", "overlay.png", "npa.json"):
            (output / f"{name}_{ending}").touch()
    approved = {f"{name}.tif": SHA["a"] for name in names[:9000]}
    write_json(output / KEPT, {"position": "eye_05000.tif", "approved": approved})
    started = perf_counter()
    queue = ReviewQueue(images, output)
    assert (queue.position, queue.approved, queue.state(9999)) == (5000, 9000, "to do")
    assert perf_counter() - started < 1


@given(st.lists(st.tuples(st.sampled_from(["saved", "approve", "opened"]), st.integers(0, 2))))
def test_whatever_is_done_a_restart_tells_the_same(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("review")
    for name in "abc":
        (folder / f"{name}.tif").touch()
    queue = ReviewQueue(folder, folder)
    for verb, at in steps:
        name = "abc"[at]
        if verb == "saved":
            queue.saved(at, record(folder, name, f"{name}.tif", SHA[name]))
        else:
            getattr(queue, verb)(at, SHA[name])
        queue.go_to(at)
    queue.store()
    again = ReviewQueue(folder, folder)
    assert (states(again), again.position) == (states(queue), queue.position)
    assert again.approved == states(again).count("approved")
