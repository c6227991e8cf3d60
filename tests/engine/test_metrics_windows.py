"""The buckets of metrics, and that packing respects them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.engine.metrics_windows import (
    GRIDS,
    PACKING,
    WIDEST_MINUTES,
    MetricsWindow,
    kept_from,
    packed_start,
)

DAY = 24 * 60
NOW = st.integers(20_000_000, 60_000_000)
"""A minute since the epoch, in the years 2008 to 2084."""


@pytest.mark.parametrize(
    ("window", "width_minutes", "count"),
    [("1h", 1, 60), ("24h", 15, 96), ("7d", 60, 168), ("30d", 360, 120)],
)
def test_a_window_has_the_buckets_of_the_contract(
    window: str, width_minutes: int, count: int
) -> None:
    """As wide, and as many, that they are as long as it is called."""
    grid = GRIDS[MetricsWindow(window)]
    assert (grid.width_minutes, grid.count) == (width_minutes, count)
    span = {"h": 60, "d": DAY}[window[-1]] * int(window[:-1])
    assert width_minutes * count == span


@pytest.mark.parametrize("window", MetricsWindow)
@given(now=NOW)
def test_the_last_bucket_is_the_one_under_way(window: MetricsWindow, now: int) -> None:
    """Whatever the time of day, buckets begin where they began a minute ago."""
    grid = GRIDS[window]
    first = grid.first_minute(now)
    assert first % grid.width_minutes == 0
    last = first + (grid.count - 1) * grid.width_minutes
    assert last <= now < last + grid.width_minutes


@given(now=NOW, back=st.integers(-10, 40 * DAY), later=st.integers(0, 40 * DAY))
def test_packing_moves_nothing_out_of_its_bucket(now: int, back: int, later: int) -> None:
    """In any window that is asked for when it is packed or later; at once or step by step."""
    minute = now - back
    packed = packed_start(minute, now)
    assert packed <= minute
    again = packed_start(packed, now + later)
    assert again == packed_start(minute, now + later)
    for grid in GRIDS.values():
        first = grid.first_minute(now + later)
        if first <= minute:
            bucket = (minute - first) // grid.width_minutes
            assert (packed - first) // grid.width_minutes == bucket
            assert (again - first) // grid.width_minutes == bucket


@pytest.mark.parametrize("window", MetricsWindow)
@pytest.mark.parametrize("past", [0, 1, 14, 59, 77, 359])
def test_every_minute_of_a_window_stays_in_its_bucket(window: MetricsWindow, past: int) -> None:
    """However far into a stretch the present is."""
    grid = GRIDS[window]
    now = 29_000_160 + past
    first = grid.first_minute(now)
    for minute in range(first, now + 1):
        packed = packed_start(minute, now)
        assert (packed - first) // grid.width_minutes == (minute - first) // grid.width_minutes


@given(now=NOW)
def test_a_stretch_is_packed_when_all_of_it_is_old_enough(now: int) -> None:
    """So there is something to do once for each stretch, not once for each minute."""
    finer = 1
    for age_minutes, width in PACKING:
        stretch = now - age_minutes - (now - age_minutes) % width  # the first that is too young
        assert packed_start(stretch + finer, now) == stretch + finer
        assert packed_start(stretch - 1, now) <= stretch - width
        finer = width


@given(now=NOW)
def test_what_is_old_is_packed_as_far_as_it_can_be(now: int) -> None:
    """Else the rows would be as many as the minutes."""
    for age_minutes, width_minutes in PACKING:
        minute = now - age_minutes - width_minutes - 1
        assert packed_start(minute, now) == minute - minute % width_minutes


def test_each_width_divides_the_next() -> None:
    """So that what is packed once can be packed again, and fits a bucket."""
    widths = [1, *(width for _, width in PACKING)]
    assert all(wider % width == 0 for width, wider in pairwise(widths))
    assert widths == [grid.width_minutes for grid in GRIDS.values()]
    assert widths[-1] == WIDEST_MINUTES


@given(now=NOW, days=st.integers(1, 3650))
def test_the_oldest_counts_are_kept_in_whole_stretches(now: int, days: int) -> None:
    """At least as many days as are asked for, and less than one stretch more."""
    oldest = kept_from(now, days)
    assert oldest % WIDEST_MINUTES == 0
    assert 0 <= now - days * DAY - oldest < WIDEST_MINUTES
