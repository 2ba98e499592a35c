"""Several programs write into one folder at once: nothing is lost, swapped or mixed."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from many_writers import result_of

from napari_npa.errors import AngiogramError, SaveError
from napari_npa.io import locking
from napari_npa.io.locking import LOCK, locked
from napari_npa.results.approvals import Approvals
from napari_npa.results.folder import ResultFolder
from napari_npa.results.saved import SavedResult

PROGRAM = Path(__file__).with_name("many_writers.py")


def start(folder, seed, name, times):
    arguments = [sys.executable, PROGRAM, folder, seed, name, times]
    return subprocess.Popen([str(part) for part in arguments], stdout=subprocess.PIPE)


def saved_in(folder):
    return [
        SavedResult.at(path.with_name(path.name.removesuffix("_npa.json")))
        for path in sorted(folder.glob("*_npa.json"))
    ]


def assert_whole(folder, seeds, name):
    """Each image has one result, whose record is that of its own masks, and one row."""
    results = {saved.sha256: saved for saved in saved_in(folder)}
    images = [result_of(seed, name) for seed in seeds]
    assert set(results) == {expected.angiogram.sha256 for expected in images}
    for expected in images:
        saved = results[expected.angiogram.sha256]
        assert saved.is_whole
        assert saved.record.replaces is None
        found = ResultFolder(folder).load(expected.angiogram)
        assert np.count_nonzero(found.npa != expected.npa) <= 64  # one row of it was turned
        assert saved.record.npa_pixels == np.count_nonzero(found.npa)
    rows = ResultFolder(folder).rows()
    assert sorted(row.result for row in rows) == sorted(
        saved.base.name for saved in results.values()
    )


def test_images_of_one_name_get_results_of_their_own(tmp_path):
    seeds = (1, 2, 3)
    programs = [start(tmp_path, seed, "eye.tif", 15) for seed in seeds]
    assert [program.communicate()[0] for program in programs] == [b"done\n"] * 3
    assert_whole(tmp_path, seeds, "eye.tif")


def test_two_that_save_one_image_leave_one_whole_result(tmp_path):
    programs = [start(tmp_path, 1, "eye.tif", 25) for _ in range(2)]
    assert [program.communicate()[0] for program in programs] == [b"done\n"] * 2
    assert_whole(tmp_path, [1], "eye.tif")


def test_a_reader_never_sees_a_mixture(tmp_path):
    program = start(tmp_path, 1, "eye.tif", 40)
    expected = result_of(1, "eye.tif")
    read = 0
    while program.poll() is None:
        if not (tmp_path / "eye_npa.json").exists():
            continue
        try:
            found = ResultFolder(tmp_path).load(expected.angiogram)
        except AngiogramError:  # it was being written
            continue
        assert not found.edited, "masks of one save beside the record of another"
        read += 1
    assert program.communicate()[0] == b"done\n"
    assert read


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(60))
def test_what_a_killed_save_leaves_is_whole_or_told_apart(tmp_path, moment):
    program = start(tmp_path, 1, "eye.tif", 10_000)
    while not (tmp_path / "eye_npa.json").exists():
        time.sleep(0.01)
    time.sleep(moment * 0.0037)
    program.kill()
    program.wait()
    saved = SavedResult.at(tmp_path / "eye")
    expected = result_of(1, "eye.tif")
    if saved.is_whole:
        assert not ResultFolder(tmp_path).load(expected.angiogram).edited
    else:
        assert saved.record.replaces is not None
        with pytest.raises(AngiogramError, match="not saved completely"):
            ResultFolder(tmp_path).load(expected.angiogram)
    assert ResultFolder(tmp_path).save(expected).is_whole  # and nothing stays locked


def test_reviews_of_two_people_keep_both_approvals(tmp_path):
    reviews = [Approvals(tmp_path) for _ in range(8)]

    def approve(number):
        for image in range(10):
            reviews[number].give(f"{number}-{image}.tif", f"{number}{image}")
            reviews[number].store()

    threads = [threading.Thread(target=approve, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = {f"{number}-{image}.tif" for number in range(8) for image in range(10)}
    assert all(name in Approvals(tmp_path) for name in names)


def test_the_lock_is_taken_again_within_and_kept_from_others(tmp_path, monkeypatch):
    monkeypatch.setattr(locking, "PATIENCE_SECONDS", 0.05)
    refused = []

    def enter():
        try:
            with locked(tmp_path):
                pass
        except SaveError as error:
            refused.append(error)

    with locked(tmp_path), locked(tmp_path):
        other = threading.Thread(target=enter)
        other.start()
        other.join()
    assert len(refused) == 1
    assert "another program" in str(refused[0])
    enter()
    assert len(refused) == 1


def test_a_folder_that_cannot_be_locked_is_used_all_the_same(tmp_path):
    (tmp_path / LOCK).mkdir()
    with locked(tmp_path):
        (tmp_path / "table.csv").touch()
