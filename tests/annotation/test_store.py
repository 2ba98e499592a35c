"""No edit is lost: not by a crash, a full disk, a damaged file, or a second window."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_npa import __version__
from napari_npa.annotation import pruning
from napari_npa.annotation.autosave import Autosaver
from napari_npa.annotation.file import MAGIC, Annotation, NewerFormatError, decode, encode
from napari_npa.annotation.pruning import prune
from napari_npa.annotation.session import AnnotationError, Session
from napari_npa.annotation.store import AnnotationStore, annotations_folder
from napari_npa.errors import SaveError

IMAGE = "ab" * 32
OTHER_IMAGE = "cd" * 32
SHAPE = (40, 50)
DAY = 86_400


def disc(radius, shape=SHAPE):
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - shape[0] // 2) ** 2 + (columns - shape[1] // 2) ** 2 <= radius**2


def session_after(edits, image=IMAGE):
    """A session in which the non-perfusion grew to a disc with a radius of `edits` pixels."""
    session = Session("P012_OD.tif", image, "whole", "ef" * 32, disc(-1) & False, disc(18))
    for radius in range(1, edits + 1):
        session.record("grow", disc(radius), disc(18), float(radius))
    return session


def annotation_after(edits, image=IMAGE, **more):
    return Annotation(session_after(edits, image), threshold=0.4, **more)


@pytest.fixture
def store(tmp_path):
    return AnnotationStore(tmp_path / "annotations")


def files_of(store):
    return sorted(path.name for path in store.folder.iterdir())


def only_file_of(store):
    (path,) = store.folder.iterdir()
    return path


# The store


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


@given(
    masks=array_shapes(min_dims=2, max_dims=2, max_side=20).flatmap(
        lambda shape: st.tuples(*[arrays(np.bool_, shape)] * 4)
    ),
    threshold=st.floats(0.01, 1),
    saved=st.booleans(),
    who=st.text(),
)
@settings(deadline=None)
def test_what_is_decoded_is_byte_for_byte_what_was_encoded(masks, threshold, saved, who):
    session = Session("image", IMAGE, "whole", "", masks[0], masks[1], who=who)
    session.record("brush", masks[2], masks[3], 1.0)
    found = decode(encode(Annotation(session, threshold, saved)), "file")
    assert found.session.npa.unpack().tobytes() == masks[2].tobytes()
    assert found.session.retina.unpack().tobytes() == masks[3].tobytes()
    assert found.session.as_record() == session.as_record()
    assert (found.threshold, found.saved, found.session.who) == (threshold, saved, who)


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


# Damage


@pytest.mark.parametrize("size", [0, 1, len(MAGIC), 50, 60, 300, -1])
def test_a_file_cut_short_is_told_of_and_put_aside(store, size):
    store.write(annotation_after(3))
    path = only_file_of(store)
    whole = path.read_bytes()
    path.write_bytes(whole[:size])
    with pytest.raises(AnnotationError, match=r"is damaged .* put aside\. Go on from"):
        store.load(IMAGE)
    (aside,) = store.folder.iterdir()
    assert aside.suffix == ".damaged"
    assert aside.read_bytes() == whole[:size]
    assert store.load(IMAGE) is None


def test_any_flipped_bit_is_noticed():
    content = encode(annotation_after(3))
    generator = random.Random(0)
    for position in generator.sample(range(len(content)), 200):
        flipped = bytearray(content)
        flipped[position] ^= 1 << generator.randrange(8)
        with pytest.raises(AnnotationError, match="is damaged"):
            decode(bytes(flipped), "file")


@given(junk=st.binary(max_size=400))
def test_junk_is_never_taken_for_an_annotation(junk):
    digest = hashlib.sha256(junk).digest()
    for content in (junk, MAGIC + junk, MAGIC + digest + junk):
        with pytest.raises(AnnotationError):
            decode(content, "file")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"edits":3', b'"edits":4'),
        (b'"format":1', b'"format":"1"'),
        (b'"session":', b'"session_":'),
        (b'"session_id":"', b'"session_id":"../'),
        (b'"threshold":0.4', b'"threshold":null'),
        (b'"image_sha256":"ab', b'"image_sha256":"ac'),
        (b'"folder":null', b'"folder":[1]'),
        (b'{"format"', b"[" * 9000 + b'{"format"'),
    ],
)
def test_a_whole_file_of_another_program_is_refused(before, after):
    with pytest.raises(AnnotationError, match="is damaged or not an annotation"):
        decode(rewritten(encode(annotation_after(3)), before, after), "file")


def rewritten(content, before, after):
    """The file with something else in its summary, and the length and digest that fit."""
    start = len(MAGIC) + 32
    length = int.from_bytes(content[start : start + 4], "little")
    summary = content[start + 4 : start + 4 + length]
    assert before in summary
    summary = summary.replace(before, after)
    content = len(summary).to_bytes(4, "little") + summary + content[start + 4 + length :]
    return MAGIC + hashlib.sha256(content).digest() + content


def test_a_file_of_a_newer_version_stays_where_it_is(store):
    store.write(annotation_after(3))
    path = only_file_of(store)
    path.write_bytes(rewritten(path.read_bytes(), b'"format":1', b'"format":2'))
    with pytest.raises(NewerFormatError, match=r"newer version .* Update the program"):
        store.load(IMAGE)
    assert only_file_of(store) == path


def test_a_file_of_another_image_under_this_name_is_put_aside(store):
    store.write(annotation_after(3, OTHER_IMAGE))
    path = only_file_of(store)
    path.rename(path.with_name(path.name.replace(OTHER_IMAGE, IMAGE)))
    with pytest.raises(AnnotationError, match="is of another image; it was put aside"):
        store.load(IMAGE)
    assert only_file_of(store).suffix == ".damaged"


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


# Where, and how much


def test_annotations_are_among_the_data_of_the_user(monkeypatch, tmp_path):
    monkeypatch.delenv("NAPARI_NPA_DATA", raising=False)
    assert annotations_folder().name == "annotations"
    assert annotations_folder().parent.name == "napari-npa"
    monkeypatch.setenv("NAPARI_NPA_DATA", str(tmp_path))
    assert AnnotationStore().folder == tmp_path / "annotations"


def test_beyond_the_number_kept_the_oldest_saved_ones_go(store, monkeypatch):
    now = time.time()
    hashes = [f"{number:064x}" for number in range(6)]
    for age, sha256 in enumerate(hashes):
        annotation = annotation_after(1, sha256, saved=age != 5)
        store.write(annotation)
        written = now - age * DAY
        os.utime(store.path_of(annotation.session), (written, written))
    monkeypatch.setattr(pruning, "MOST_FILES", 3)
    prune(store.folder, now)
    kept = [sha256 for sha256 in hashes if store.load(sha256)]
    assert kept == [*hashes[:3], hashes[5]]  # the oldest was never saved
    prune(store.folder, now + 91 * DAY)
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
    half = store.folder / ".0123.annotation"
    half.write_bytes(MAGIC)
    prune(store.folder, time.time() + DAY / 2)
    assert half.exists()
    prune(store.folder, time.time() + 2 * DAY)
    assert not half.exists()
    assert len(files_of(store)) == 2


# The disk refuses


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
    for folder in (store.folder, *store.folder.parents[:3]):
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


# The autosaver


class Reports(list):
    """What the autosaver told, as (hash, number or error)."""

    def __call__(self, sha256, outcome):
        self.append((sha256, outcome))


class HeldStore(AnnotationStore):
    """A store on a slow disk: nothing is written before `go` is set."""

    def __init__(self, folder):
        super().__init__(folder)
        self.go, self.begun, self.written = Event(), Event(), []

    def write(self, annotation):
        self.begun.set()
        assert self.go.wait(10)
        super().write(annotation)
        self.written.append(annotation.session.number)


@pytest.fixture
def reports():
    return Reports()


@pytest.fixture
def held(tmp_path):
    return HeldStore(tmp_path / "annotations")


@pytest.fixture
def saver(store, reports):
    saver = Autosaver(store, reports)
    yield saver
    saver.close(5)


def test_what_is_submitted_is_soon_on_disk_and_told(store, saver, reports):
    saver.submit(annotation_after(3))
    assert saver.flush(5)
    assert reports == [(IMAGE, 3)]
    assert store.load(IMAGE).session.number == 3


def test_of_several_that_wait_for_one_session_only_the_latest_is_written(held, reports):
    saver = Autosaver(held, reports)
    session = session_after(1)
    saver.submit(Annotation(session, 0.4))
    assert held.begun.wait(5)
    for radius in range(2, 7):
        session.record("grow", disc(radius), disc(18), float(radius))
        saver.submit(Annotation(session, 0.4))
    other = annotation_after(2, OTHER_IMAGE)
    saver.submit(other)
    held.go.set()
    assert saver.close(5)
    assert reports == [(IMAGE, 1), (IMAGE, 6), (OTHER_IMAGE, 2)]
    assert held.load(IMAGE).session.number == 6


def test_edits_after_the_submission_are_not_half_in_it(held, reports):
    saver = Autosaver(held, reports)
    session = session_after(3)
    saver.submit(Annotation(session, 0.4))
    session.record("grow", disc(10), disc(18), 20.0)
    held.go.set()
    assert saver.close(5)
    found = held.load(IMAGE).session
    assert found.number == 3
    assert np.array_equal(found.npa.unpack(), disc(3))


def test_a_flush_does_not_wait_for_ever(held):
    saver = Autosaver(held)
    saver.submit(annotation_after(1))
    assert saver.flush(0.05) is False
    held.go.set()
    assert saver.close(5) is True


@pytest.mark.parametrize("by", ["the next edit", "another image", "a flush"])
def test_what_a_full_disk_refused_is_written_once_there_is_room(
    store, saver, reports, monkeypatch, by
):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    session = session_after(3)
    monkeypatch.setattr(os, "fsync", refuse)
    saver.submit(Annotation(session, 0.4))
    assert saver.flush(5) is False
    assert all(isinstance(outcome, SaveError) for _, outcome in reports)
    assert "disk full" in reports[0][1].reason
    monkeypatch.undo()
    number = 3
    if by == "the next edit":
        session.record("grow", disc(10), disc(18), 20.0)
        saver.submit(Annotation(session, 0.4))
        number = 4
    if by == "another image":
        saver.submit(annotation_after(1, OTHER_IMAGE))
    assert saver.flush(5) is True
    assert (IMAGE, number) in reports
    assert store.load(IMAGE).session.number == number


def test_a_discarded_annotation_does_not_come_back_from_the_queue(held):
    saver = Autosaver(held)
    annotation = annotation_after(3)
    saver.submit(annotation)
    assert held.begun.wait(5)
    saver.submit(annotation)
    saver.discard(IMAGE)
    held.go.set()
    assert saver.flush(5)
    assert held.load(IMAGE) is None
    saver.submit(annotation_after(1))
    assert saver.close(5)
    assert held.load(IMAGE).session.number == 1


def test_a_removal_that_was_refused_takes_no_later_work_with_it(store, reports, monkeypatch):
    def refuse(sha256):
        raise SaveError(sha256, "could not be removed", "Close other programs.")

    monkeypatch.setattr(store, "discard", refuse)
    saver = Autosaver(store, reports)
    saver.discard(IMAGE)
    assert saver.flush(5)
    monkeypatch.undo()
    saver.submit(annotation_after(2))
    assert saver.close(5)
    assert [type(outcome) for _, outcome in reports] == [SaveError, int]
    assert store.load(IMAGE).session.number == 2


def test_no_error_ends_the_writing(store, monkeypatch, caplog):
    told = []

    def report(sha256, outcome):
        told.append(outcome)
        raise RuntimeError("the panel is gone")

    saver = Autosaver(store, report)
    monkeypatch.setattr("napari_npa.annotation.store.encode", lambda annotation: 1 / 0)
    saver.submit(annotation_after(1))
    assert saver.flush(5) is False
    monkeypatch.undo()
    saver.submit(annotation_after(2, OTHER_IMAGE))
    assert saver.close(5) is True
    assert "ZeroDivisionError" in str(told[0])
    assert told[-2:] == [1, 2]
    assert "P012" not in caplog.text


def test_a_closed_saver_takes_nothing_more(store):
    saver = Autosaver(store)
    assert saver.close(5)
    with pytest.raises(ValueError, match="closed"):
        saver.submit(annotation_after(1))


def test_a_save_by_the_user_is_remembered(store, saver):
    annotation = annotation_after(3)
    saver.submit(annotation)
    saver.submit(replace(annotation, saved=True, folder=Path("results")))
    assert saver.flush(5)
    found = store.load(IMAGE)
    assert (found.saved, found.folder) == (True, Path("results"))


# Killed

DOCTOR = '''
import random, sys, time
from pathlib import Path
import numpy as np
from napari_npa.annotation.file import Annotation
from napari_npa.annotation.autosave import Autosaver
from napari_npa.annotation.store import AnnotationStore
from napari_npa.annotation.session import Session

SHAPE = (900, 1100)
IMAGE = "ab" * 32

def masks(number):
    """Masks after an edit: each second one changes the retina, the others the non-perfusion."""
    npa = np.random.default_rng((number + 1) // 2).random((90, 110)) > 0.5
    retina = np.random.default_rng(number // 2 + 10**6).random((90, 110)) > 0.2
    return [np.kron(mask, np.ones((10, 10), np.bool_)) for mask in (npa, retina)]

def annotate(folder, seed):
    pauses = random.Random(seed)
    session = Session("image", IMAGE, "whole", "", *masks(0))
    told = lambda sha256, outcome: print(outcome, flush=True)
    saver = Autosaver(AnnotationStore(Path(folder)), told)
    for number in range(1, 10_000):
        edits = session.record("brush", *masks(number), time.monotonic())
        assert session.number == number
        saver.submit(Annotation(session, 0.4))
        time.sleep(pauses.choice([0, 0, 0.002, 0.01]))
'''


def kill_while_annotating(folder, seed):
    """Kill a child that annotates; return the number of the last edit that it told."""
    chance = random.Random(seed)
    child = subprocess.Popen(
        [sys.executable, "-c", f"{DOCTOR}\nannotate(sys.argv[1], {seed})", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        first = child.stdout.readline()
        assert first.strip().isdigit()
        time.sleep(chance.uniform(0, 0.4))
        child.send_signal(signal.SIGKILL)
        # A line without its end was not told.
        told = [line for line in child.stdout.read().splitlines(keepends=True) if line[-1] == "\n"]
    assert child.returncode == -signal.SIGKILL
    return int(([first, *told])[-1])


def require_nothing_lost(folder, told):
    doctor = {}
    exec(DOCTOR, doctor)
    found = AnnotationStore(folder).load(IMAGE, doctor["SHAPE"])
    assert found.notes == ()
    session = found.session
    # There may be more: written, but killed before it could be told.
    assert told <= session.number
    npa, retina = doctor["masks"](session.number)
    assert session.npa.unpack().tobytes() == npa.tobytes()
    assert session.retina.unpack().tobytes() == retina.tobytes()
    last = session.edits[-1]
    which = ("npa", "retina").index(last.target)
    before, after = (doctor["masks"](session.number + step)[which] for step in (-1, 0))
    assert last.added == np.count_nonzero(after & ~before)
    assert last.removed == np.count_nonzero(before & ~after)
    assert last.isi == np.count_nonzero(npa & retina) / np.count_nonzero(retina)
    assert len(list(Path(folder).glob("[!.]*"))) == 1
    return session.number


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("seed", range(5))
def test_an_annotation_killed_at_any_moment_is_whole_on_disk(tmp_path, seed):
    require_nothing_lost(tmp_path, kill_while_annotating(tmp_path, seed))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("seed", range(100, 150))
def test_an_annotation_killed_fifty_times_is_whole_each_time(tmp_path, seed, record_property):
    told = kill_while_annotating(tmp_path, seed)
    record_property("told", told)
    record_property("on disk", require_nothing_lost(tmp_path, told))
    record_property("half written", len(list(tmp_path.glob(".*"))))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_two_doctors_at_one_image_killed_together_lose_nothing(tmp_path):
    with ThreadPoolExecutor(2) as pool:
        told = sorted(pool.map(lambda seed: kill_while_annotating(tmp_path, seed), (1, 2)))
    found = []
    for path in tmp_path.glob("[!.]*"):
        found.append(decode(path.read_bytes(), path).session.number)
    assert len(found) == 2
    assert all(number >= least for number, least in zip(sorted(found), told, strict=True))
