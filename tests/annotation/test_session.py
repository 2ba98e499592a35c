"""What a person changed is found from the masks alone, with the time it took."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from annotated import (
    IMAGE,
    OTHER_IMAGE,
)
from napari_npa.annotation.session import AnnotationError, Session
from napari_npa.measure.ischemia import ischemic_index

MASKS = array_shapes(min_dims=2, max_dims=2, max_side=20).flatmap(
    lambda shape: st.lists(
        st.tuples(arrays(np.bool_, shape), arrays(np.bool_, shape)), min_size=2, max_size=5
    )
)


def session_of(npa, retina, **more):
    return Session("right eye.tif", IMAGE, "whole", "ef" * 32, npa, retina, **more)


def blank(shape=(8, 9)):
    return np.zeros(shape, np.bool_), np.ones(shape, np.bool_)


@given(masks=MASKS)
@settings(deadline=None)
def test_added_and_removed_are_those_of_a_pixel_by_pixel_comparison(masks):
    session = session_of(*masks[0])
    for now, (before, after) in enumerate(pairwise(masks)):
        edits = {edit.target: edit for edit in session.record("brush", *after, now)}
        for target, old, new in zip(("npa", "retina"), before, after, strict=True):
            if np.array_equal(old, new):
                assert target not in edits
                continue
            assert edits[target].added == np.count_nonzero(new & ~old)
            assert edits[target].removed == np.count_nonzero(old & ~new)
            expected = ischemic_index(*after) if after[1].any() else None
            assert edits[target].isi == expected
        assert np.array_equal(session.npa.unpack(), after[0])
        assert np.array_equal(session.retina.unpack(), after[1])


def test_a_stroke_of_the_brush_is_one_edit_with_its_pixels_and_the_new_index():
    npa, retina = blank((10, 10))
    session = session_of(npa, retina)
    session.active.touch(100.0)
    npa[2:4, 0:5] = True
    at = datetime(2026, 3, 1, 14, 30, tzinfo=timezone(timedelta(hours=2)))
    (edit,) = session.record("brush", npa, retina, 107.5, at)
    assert (edit.tool, edit.target, edit.added, edit.removed) == ("brush", "npa", 10, 0)
    assert edit.isi == 0.1
    assert edit.seconds == 7.5
    assert edit.at == "2026-03-01T12:30:00.000+00:00"


def test_without_a_date_an_edit_is_of_now_in_utc():
    npa, retina = blank()
    (edit,) = session_of(npa, retina).record("brush", ~npa, retina, 0.0)
    at = datetime.fromisoformat(edit.at)
    assert at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)


def test_painting_into_the_masks_afterwards_does_not_change_what_was_recorded():
    npa, retina = blank()
    session = session_of(npa, retina)
    npa[0] = True
    retina[0] = False
    edits = session.record("lid", npa, retina, 0.0)
    assert [(edit.target, edit.added, edit.removed) for edit in edits] == [
        ("npa", 9, 0),
        ("retina", 0, 9),
    ]


def test_nothing_changed_is_no_edit_and_its_time_goes_to_the_next():
    npa, retina = blank()
    session = session_of(npa, retina)
    session.active.touch(0.0)
    assert session.record("brush", npa, retina, 10.0) == ()
    assert session.number == 0
    (edit,) = session.record("brush", ~npa, retina, 15.0)
    assert edit.seconds == 15.0


def test_an_undo_is_an_edit_of_its_own():
    npa, retina = blank()
    session = session_of(npa, retina)
    session.record("brush", ~npa, retina, 0.0)
    (edit,) = session.record("undo", npa, retina, 1.0)
    assert (edit.added, edit.removed) == (0, 72)
    assert session.number == 2
    assert np.array_equal(session.npa.unpack(), npa)


def test_time_of_an_action_that_changes_both_masks_counts_once():
    npa, retina = blank()
    session = session_of(npa, retina)
    session.active.touch(0.0)
    edits = session.record("lid", ~npa, ~retina, 4.0)
    assert [edit.seconds for edit in edits] == [4.0, 0.0]
    assert [edit.isi for edit in edits] == [None, None]


def test_masks_of_another_shape_are_refused_and_nothing_is_recorded():
    session = session_of(*blank())
    with pytest.raises(AnnotationError, match="8 x 9 pixels, not 9 x 8"):
        session.record("brush", *blank((9, 8)), 0.0)
    npa, retina = blank()
    with pytest.raises(AnnotationError, match=r"right eye\.tif"):
        session.record("brush", ~npa, retina[1:], 0.0)
    assert session.edits == ()
    assert session.npa.pixels() == 0


@given(masks=MASKS, gaps=st.lists(st.floats(0, 100), min_size=5, max_size=5), who=st.text())
@settings(max_examples=50, deadline=None)
def test_a_session_comes_back_from_its_record_and_its_masks(masks, gaps, who):
    session = session_of(*masks[0], who=who)
    now = 0.0
    session.active.touch(now)
    for gap, (npa, retina) in zip(gaps, masks[1:], strict=False):
        now += gap
        session.record("brush", npa, retina, now)
    text = json.dumps(session.as_record(), allow_nan=False)
    again = Session.from_record(json.loads(text), session.npa.unpack(), session.retina.unpack())
    assert again.edits == session.edits
    assert again.who == who
    assert json.dumps(again.as_record()) == text


@given(gaps=st.lists(st.floats(0, 100), min_size=1, max_size=40))
@settings(max_examples=50, deadline=None)
def test_rounding_loses_no_time_over_many_edits(gaps):
    npa, retina = blank((2, 2))
    session = session_of(npa, retina)
    now = 0.0
    session.active.touch(now)
    for gap in gaps:
        now += gap
        npa = ~npa
        session.record("brush", npa, retina, now)
    total = sum(edit.seconds for edit in session.edits)
    assert total == pytest.approx(session.active.seconds, abs=0.0011)


def test_a_record_holds_no_name_of_the_file():
    session = session_of(*blank())
    assert "right eye" not in json.dumps(session.as_record())
    assert session.as_record()["who"] == ""


def test_a_resumed_session_counts_on_without_the_time_in_between():
    npa, retina = blank()
    first = session_of(npa, retina)
    first.active.touch(0.0)
    first.record("brush", ~npa, retina, 5.0)
    second = first.resumed("right eye.tif", IMAGE, (8, 9))
    second.record("undo", npa, retina, 4000.0)
    second.active.touch(4003.0)
    assert [edit.seconds for edit in second.edits] == [5.0, 0.0]
    assert second.active.seconds == 8.0
    assert (first.number, first.active.seconds) == (1, 5.0)
    assert second.id != first.id
    assert second.continued == (first.id, 1)


def test_a_session_is_not_resumed_on_another_image():
    session = session_of(*blank())
    with pytest.raises(AnnotationError, match=r"'left eye.tif' is not the image"):
        session.resumed("left eye.tif", OTHER_IMAGE, (8, 9))
    with pytest.raises(AnnotationError, match="8 x 9 pixels, not 9 x 8"):
        session.resumed("right eye.tif", IMAGE, (9, 8))


def test_a_snapshot_stays_as_it_was():
    npa, retina = blank()
    session = session_of(npa, retina)
    still = session.snapshot()
    session.active.touch(0.0)
    session.record("brush", ~npa, retina, 3.0)
    assert (still.number, still.active.seconds, still.npa.pixels()) == (0, 0.0, 0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record.pop("edits"),
        lambda record: record.update(edits=[3]),
        lambda record: record.update(edits=None),
        lambda record: record["edits"][0].update(target="optic disc"),
        lambda record: record["edits"][0].update(added="many"),
        lambda record: record["edits"][0].pop("isi"),
        lambda record: record.update(model="whole"),
        lambda record: record.update(active_seconds=None),
        lambda record: record.update(shape=[8, 9, 1]),
        lambda record: record.update(shape=[9, 8]),
        lambda record: record.clear(),
    ],
)
def test_a_spoilt_record_is_refused_in_plain_words(spoil):
    npa, retina = blank()
    session = session_of(npa, retina)
    session.record("brush", ~npa, retina, 0.0)
    record = session.as_record()
    spoil(record)
    with pytest.raises(AnnotationError, match=r"'left eye.tif' (has no complete|was annotated)"):
        Session.from_record(record, npa, retina, image="left eye.tif")


def test_annotating_needs_no_torch():
    story = (
        "import sys\n"
        "from napari_npa.annotation import autosave, session, store\n"
        "print({'torch', 'napari', 'qtpy'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", story], capture_output=True, text=True)
    assert answer.stdout == "set()\n", answer.stderr
