"""The store stays small, and unsaved work stays in it."""

from __future__ import annotations

import os
import time

import pytest

from annotated import (
    IMAGE,
    OTHER_IMAGE,
    annotation_after,
    files_of,
    only_file_of,
)
from napari_npa.annotation import pruning
from napari_npa.annotation.file import MAGIC
from napari_npa.annotation.pruning import DAY_SECONDS, SUFFIX, UNSAVED_DAYS, prune
from napari_npa.annotation.store import AnnotationStore


@pytest.fixture
def store(tmp_path):
    return AnnotationStore(tmp_path / "annotations")


def test_beyond_the_number_kept_the_oldest_saved_ones_go(store, monkeypatch):
    now = time.time()
    hashes = [f"{number:064x}" for number in range(6)]
    for age, sha256 in enumerate(hashes):
        annotation = annotation_after(1, sha256, saved=age != 5)
        store.write(annotation)
        written = now - age * DAY_SECONDS
        os.utime(store.path_of(annotation.session), (written, written))
    monkeypatch.setattr(pruning, "MOST_FILES", 3)
    prune(store.folder, now)
    kept = [sha256 for sha256 in hashes if store.load(sha256)]
    assert kept == [*hashes[:3], hashes[5]]  # the oldest was never saved
    prune(store.folder, now + (UNSAVED_DAYS + 1) * DAY_SECONDS)
    assert [sha256 for sha256 in hashes if store.load(sha256)] == hashes[:3]


def test_beyond_the_room_the_oldest_saved_ones_go(store, monkeypatch):
    now = time.time()
    for age, sha256 in enumerate([IMAGE, OTHER_IMAGE]):
        annotation = annotation_after(1, sha256, saved=True)
        store.write(annotation)
        os.utime(store.path_of(annotation.session), (now - age, now - age))
    monkeypatch.setattr(pruning, "MOST_BYTES", 1.5 * only_size(store, IMAGE))
    prune(store.folder, now)
    assert store.load(IMAGE)
    assert store.load(OTHER_IMAGE) is None


def only_size(store, sha256):
    (path,) = store.folder.glob(f"{sha256}*")
    return path.stat().st_size


def test_a_new_annotation_prunes_the_store(store, monkeypatch):
    monkeypatch.setattr(pruning, "MOST_FILES", 1)
    store.write(annotation_after(1, saved=True))
    os.utime(only_file_of(store), (1, 1))
    store.write(annotation_after(1, OTHER_IMAGE))
    assert only_file_of(store).name.startswith(OTHER_IMAGE)


def test_what_a_crash_left_half_written_goes_after_a_day_and_nothing_else(store):
    store.write(annotation_after(1))
    (store.folder / "notes of a colleague.txt").write_text("")
    half = store.folder / f".0123{SUFFIX}"
    half.write_bytes(MAGIC)
    prune(store.folder, time.time() + DAY_SECONDS / 2)
    assert half.exists()
    prune(store.folder, time.time() + 2 * DAY_SECONDS)
    assert not half.exists()
    assert len(files_of(store)) == 2
