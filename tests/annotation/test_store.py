"""Annotations are found by the hash of their image; damaged ones are put aside."""

from __future__ import annotations

import errno
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from annotated import (
    IMAGE,
    OTHER_IMAGE,
    SHAPE,
    annotation_after,
    disc,
    files_of,
    only_file_of,
    session_after,
)
from napari_npa import __version__
from napari_npa.annotation.file import MAGIC, Annotation
from napari_npa.annotation.pruning import ASIDE
from napari_npa.annotation.session import AnnotationError
from napari_npa.annotation.store import DATA_VARIABLE, AnnotationStore, annotations_folder
from napari_npa.errors import SaveError


@pytest.fixture
def store(tmp_path):
    return AnnotationStore(tmp_path / "annotations")


def test_an_image_never_annotated_has_no_annotation(store):
    assert store.load(IMAGE) is None
    store.discard(IMAGE)
    assert not store.folder.exists()


def test_an_annotation_comes_back_whole(store):
    session = session_after(7)
    session.who = "reader 2, Gießen"
    store.write(Annotation(session, 0.35, saved=True, folder=Path("results") / "spring"))
    found = store.load(IMAGE, SHAPE)
    assert found.session.as_record() == session.as_record()
    assert found.session.edits == session.edits
    assert found.session.npa == session.npa
    assert found.session.retina == session.retina
    assert found.session.id == session.id
    assert found.threshold == 0.35
    assert found.saved is True
    assert found.folder == Path("results") / "spring"
    assert found.software == __version__
    assert found.notes == ()


def test_no_name_of_the_image_is_in_the_store(store):
    annotation = annotation_after(2)
    store.write(annotation)
    path = only_file_of(store)
    assert "P012" not in path.name
    assert b"P012" not in path.read_bytes()
    assert "P012" not in str(store.load(IMAGE).session.as_record())


def test_further_edits_go_to_the_same_file(store):
    session = session_after(1)
    for radius in range(2, 6):
        store.write(Annotation(session, 0.4))
        session.record("grow", disc(radius), disc(18), float(radius))
    assert len(files_of(store)) == 1
    assert store.load(IMAGE).session.number == 4


def test_each_image_has_its_own_annotation(store):
    store.write(annotation_after(3))
    store.write(annotation_after(5, OTHER_IMAGE))
    assert store.load(IMAGE).session.number == 3
    assert store.load(OTHER_IMAGE).session.number == 5
    store.discard(IMAGE)
    assert store.load(IMAGE) is None
    assert store.load(OTHER_IMAGE).session.number == 5


def test_a_resumed_session_takes_the_place_of_the_one_before(store):
    store.write(annotation_after(3))
    session = store.load(IMAGE).session.resumed("P012_OD.tif", IMAGE, SHAPE)
    assert len(files_of(store)) == 1
    session.record("grow", disc(9), disc(18), 0.0)
    store.write(Annotation(session, 0.4))
    assert len(files_of(store)) == 1
    assert store.load(IMAGE).session.number == 4


def test_two_windows_with_one_image_keep_both_annotations(store):
    ours, theirs = annotation_after(3), annotation_after(5)
    store.write(ours)
    AnnotationStore(store.folder).write(theirs)
    store.write(ours)
    assert len(files_of(store)) == 2
    found = store.load(IMAGE)
    assert found.notes == ("1 more of this image, from other sessions, kept",)


def test_a_session_resumed_while_its_window_goes_on_removes_nothing_of_it(store):
    session = session_after(3)
    store.write(Annotation(session, 0.4))
    resumed = store.load(IMAGE).session.resumed("P012_OD.tif", IMAGE, SHAPE)
    session.record("grow", disc(10), disc(18), 20.0)
    store.write(Annotation(session, 0.4))
    resumed.record("grow", disc(11), disc(18), 20.0)
    store.write(Annotation(resumed, 0.4))
    assert len(files_of(store)) == 2


def test_what_was_not_saved_is_offered_before_what_was(store):
    store.write(annotation_after(3))
    store.write(annotation_after(5, saved=True))
    assert store.load(IMAGE).session.number == 3


def test_many_writers_of_one_session_leave_one_whole_file(store):
    annotations = [annotation_after(n) for n in range(1, 9)]
    for annotation in annotations:
        annotation.session.id = annotations[0].session.id
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store.write, annotations))
    assert len(files_of(store)) == 1
    found = store.load(IMAGE).session
    assert np.array_equal(found.npa.unpack(), disc(found.number))


@pytest.mark.parametrize("size", [0, 1, len(MAGIC), 50, 60, 300, -1])
def test_a_file_cut_short_is_told_of_and_put_aside(store, size):
    store.write(annotation_after(3))
    path = only_file_of(store)
    whole = path.read_bytes()
    path.write_bytes(whole[:size])
    with pytest.raises(AnnotationError, match="put aside"):
        store.load(IMAGE)
    (aside,) = store.folder.iterdir()
    assert aside.suffix == ASIDE
    assert aside.read_bytes() == whole[:size]
    assert store.load(IMAGE) is None


def test_a_file_of_another_image_under_this_name_is_put_aside(store):
    store.write(annotation_after(3, OTHER_IMAGE))
    path = only_file_of(store)
    path.rename(path.with_name(path.name.replace(OTHER_IMAGE, IMAGE)))
    with pytest.raises(AnnotationError, match="is of another image; it was put aside"):
        store.load(IMAGE)
    assert only_file_of(store).suffix == ASIDE


def test_an_annotation_of_another_shape_is_refused_and_kept(store):
    store.write(annotation_after(3))
    with pytest.raises(AnnotationError, match="40 x 50 pixels, not 50 x 40"):
        store.load(IMAGE, (50, 40))
    assert store.load(IMAGE, SHAPE).session.number == 3


def test_behind_a_damaged_file_an_older_annotation_is_found(store):
    store.write(annotation_after(3))
    older = only_file_of(store)
    os.utime(older, (1, 1))
    store.write(annotation_after(5))
    (newer,) = set(store.folder.iterdir()) - {older}
    newer.write_bytes(newer.read_bytes()[:-1])
    found = store.load(IMAGE)
    assert found.session.number == 3
    assert "damaged" in found.notes[0]
    assert len(files_of(store)) == 2


@pytest.mark.parametrize("sha256", ["", "../" * 22, "AB" * 32, "ab" * 31])
def test_what_is_no_hash_never_becomes_a_file_name(store, sha256):
    with pytest.raises(ValueError, match="hexadecimal"):
        store.load(sha256)
    with pytest.raises(ValueError, match="hexadecimal"):
        store.write(annotation_after(1, sha256))


def test_annotations_are_among_the_data_of_the_user(monkeypatch, tmp_path):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    assert annotations_folder().name == "annotations"
    assert annotations_folder().parent.name == "napari-npa"
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    assert AnnotationStore().folder == tmp_path / "annotations"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_copy_before(store, monkeypatch, step):
    session = session_after(3)
    store.write(Annotation(session, 0.4))

    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, refuse)
    session.record("grow", disc(10), disc(18), 20.0)
    with pytest.raises(SaveError, match=r"copy .* disk full\. Save the result now"):
        store.write(Annotation(session, 0.4))
    monkeypatch.undo()
    assert len(files_of(store)) == 1
    assert store.load(IMAGE).session.number == 3


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such permission on Windows")
def test_a_read_only_folder_is_said_in_plain_words_and_can_be_read(store):
    annotation = annotation_after(3)
    store.write(annotation)
    # Root may write everywhere, and nobody may not even enter the folders above.
    user = os.geteuid()
    for folder in (store.folder, *store.folder.parents[:4]):
        folder.chmod(folder.stat().st_mode | 0o055)
    store.folder.chmod(0o555)
    try:
        if user == 0:
            os.seteuid(65534)
        with pytest.raises(SaveError, match="no permission to write there"):
            store.write(annotation)
        with pytest.raises(SaveError, match="could not be removed"):
            store.discard(IMAGE)
        assert store.load(IMAGE).session.number == 3
    finally:
        os.seteuid(user)
        store.folder.chmod(0o700)
