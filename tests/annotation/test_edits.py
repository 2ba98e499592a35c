"""Active time leaves out the pauses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_npa.annotation.edits import IDLE_SECONDS, ActiveTime


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
