"""What the doctor changed is told from the masks alone, with the time it took."""

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

from napari_npa.annotation.packed_mask import PackedMask
from napari_npa.annotation.session import IDLE_SECONDS, ActiveTime, AnnotationError, Session
from napari_npa.imaging.field_of_view import ULTRA_WIDEFIELD
from napari_npa.io.angiogram import Angiogram
from napari_npa.io.masks import read_mask
from napari_npa.measure.ischemia import ischemic_index
from napari_npa.results.record import write_result
from napari_npa.segmentation.retina import Retina
from napari_npa.segmentation.segmenter import Segmentation

IMAGE = "ab" * 32
OTHER_IMAGE = "cd" * 32

MASKS = array_shapes(min_dims=2, max_dims=2, max_side=20).flatmap(
    lambda shape: st.lists(
        st.tuples(arrays(np.bool_, shape), arrays(np.bool_, shape)), min_size=2, max_size=5
    )
)


def session_of(npa, retina, **more):
    return Session("right eye.tif", IMAGE, "whole", "ef" * 32, npa, retina, **more)


def blank(shape=(8, 9)):
    return np.zeros(shape, np.bool_), np.ones(shape, np.bool_)


@given(mask=arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=20)))
def test_a_packed_mask_unpacks_to_itself(mask):
    packed = PackedMask.of(mask)
    assert packed.unpack().dtype == np.bool_
    assert np.array_equal(packed.unpack(), mask)
    assert packed.pixels() == mask.sum()
    assert packed == PackedMask.of(mask.copy())


def test_a_view_of_a_mask_is_packed_as_it_looks():
    mask = np.random.default_rng(0).random((31, 47)) > 0.5
    view = mask[::-2, 5:].T
    assert np.array_equal(PackedMask.of(view).unpack(), view)


def test_masks_of_another_shape_are_unequal_even_with_the_same_bits():
    assert PackedMask.of(np.ones((2, 8), np.bool_)) != PackedMask.of(np.ones((4, 4), np.bool_))


@pytest.mark.parametrize("mask", [np.zeros((4, 4), np.uint8), np.zeros((1, 4, 4), np.bool_)])
def test_only_boolean_masks_of_rows_and_columns_are_packed(mask):
    with pytest.raises(ValueError, match="bool"):
        PackedMask.of(mask)


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


@given(gaps=st.lists(st.floats(0, 3 * IDLE_SECONDS), max_size=30))
def test_active_time_is_the_sum_of_the_gaps_that_are_no_pauses(gaps):
    # Sixteenths of a second are exact in binary, so that the sums can be compared.
    gaps = [round(gap * 16) / 16 for gap in gaps]
    time = ActiveTime()
    now = 1000.0
    time.touch(now)
    for gap in gaps:
        now += gap
        time.touch(now)
    assert time.seconds == sum(gap for gap in gaps if gap <= 60)


def test_a_pause_of_just_a_minute_counts_and_a_longer_one_not_at_all():
    time = ActiveTime()
    time.touch(0.0)
    assert time.seconds == 0
    time.touch(60.0)
    assert time.seconds == 60
    time.touch(120.1)
    assert time.seconds == 60
    time.touch(121.1)
    assert time.seconds == pytest.approx(61)


def test_a_clock_that_goes_back_takes_no_time_away():
    time = ActiveTime()
    for now in (10.0, 5.0, 6.0):
        time.touch(now)
    assert time.seconds == 1


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


def segmentation_of(sha256):
    pixels = np.random.default_rng(0).random((8, 9), np.float32)
    return Segmentation(
        probability=pixels,
        imaged=Retina(ULTRA_WIDEFIELD, np.ones((8, 9), np.bool_), (slice(0, 8), slice(0, 9))),
        threshold=0.5,
        angiogram=Angiogram(pixels, "right eye.tif", sha256, notes=()),
        model="whole",
        model_sha256="ef" * 32,
        device="cpu",
    )


def test_the_saved_record_tells_the_session_and_the_session_comes_back_from_it(tmp_path):
    npa, retina = blank()
    session = session_of(npa, retina, who="reader 2")
    session.record("brush", ~npa, retina, 0.0)
    write_result(
        tmp_path,
        "right eye",
        segmentation_of(IMAGE),
        seconds=1.0,
        npa=session.npa.unpack(),
        retina=session.retina.unpack(),
        session=session.as_record(),
    )
    record = json.loads((tmp_path / "right eye_npa.json").read_text("utf-8"))
    again = Session.from_record(
        record["session"],
        read_mask(tmp_path / "right eye_npa.tif"),
        read_mask(tmp_path / "right eye_retina.tif"),
    )
    assert again.edits == session.edits
    assert again.npa == session.npa
    assert record["isi"] == session.edits[-1].isi


def test_a_result_without_a_session_has_none_in_its_record(tmp_path):
    write_result(tmp_path, "right eye", segmentation_of(IMAGE), seconds=1.0)
    assert "session" not in json.loads((tmp_path / "right eye_npa.json").read_text("utf-8"))


def test_the_session_of_another_image_is_not_saved_with_a_result(tmp_path):
    record = session_of(*blank()).as_record()
    with pytest.raises(AnnotationError, match="is not the image that was annotated"):
        write_result(
            tmp_path, "left eye", segmentation_of(OTHER_IMAGE), seconds=1.0, session=record
        )
    assert list(tmp_path.iterdir()) == []


def test_annotating_needs_no_torch():
    story = (
        "import sys\n"
        "from napari_npa.annotation import autosave, session, store\n"
        "print({'torch', 'napari', 'qtpy'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", story], capture_output=True, text=True)
    assert answer.stdout == "set()\n", answer.stderr
