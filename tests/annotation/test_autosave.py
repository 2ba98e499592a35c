"""The latest state of every annotation gets to the disk, whatever the disk refuses."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from annotated import (
    IMAGE,
    OTHER_IMAGE,
    annotation_after,
    disc,
    session_after,
)
from napari_npa.annotation.autosave import Autosaver
from napari_npa.annotation.file import Annotation
from napari_npa.annotation.store import AnnotationStore
from napari_npa.errors import SaveError


@pytest.fixture
def store(tmp_path):
    return AnnotationStore(tmp_path / "annotations")


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
    def refuse(sha256, session_id):
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
