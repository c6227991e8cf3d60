"""The token bucket: never too much in any window, and never stuck."""

import math
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluicegate.engine.rate_limit import TokenBucket

NS = 1_000_000_000
RATES = st.integers(1, 1000)
BURSTS = st.integers(0, 10_000)
# From a fresh loop's clock to one that has run for 30 years, where a float step is 119 ns.
STARTS_S = st.floats(0, 1e9)
# What a caller does next: how long it waits first, and for how many tokens it asks then.
STEPS = st.lists(
    st.tuples(
        st.floats(0, 1e-6) | st.floats(0, 0.01) | st.floats(0, 100), st.sampled_from([1, 2, 3, 50])
    ),
    max_size=60,
)


def ns_of(now_s: float) -> int:
    """Return the whole nanoseconds of a clock's reading."""
    return int(now_s * NS)


@example(rate=1000, burst=1, start_s=1e9, steps=[(0.001, 1)] * 50)
@example(rate=1, burst=10_000, start_s=0, steps=[(100, 50)] * 50)
@given(
    rate=RATES | st.integers(1, 50),
    burst=BURSTS | st.integers(1, 5),  # where nearly every request is held back
    start_s=STARTS_S,
    steps=STEPS,
)
def test_no_window_has_more_than_burst_and_rate_times_its_length(
    rate: int, burst: int, start_s: float, steps: list[tuple[float, int]]
) -> None:
    """Whenever a caller asks, and however often: exactly, in integers, without a tolerance."""
    bucket = TokenBucket(rate_per_s=rate, burst=burst, now_s=start_s)
    now_s, taken_ns = start_s, list[int]()
    for wait_s, count in steps:
        now_s += wait_s
        taken_ns += [ns_of(now_s) for _ in range(count) if bucket.try_take(now_s)]
    size = burst or rate
    # The k-th token after another can't come sooner than k - burst tokens take to trickle in.
    for first, first_ns in enumerate(taken_ns):
        for last in range(first + size, len(taken_ns)):
            assert (last - first + 1 - size) * NS <= rate * (taken_ns[last] - first_ns)


@example(rate=1000, burst=1, start_s=1e9, before=[])
@example(rate=3, burst=1, start_s=123_456.789, before=[(1e-9, 1)] * 9)
@given(rate=RATES, burst=BURSTS, start_s=STARTS_S, before=STEPS)
def test_whoever_sleeps_as_long_as_told_gets_a_token(
    rate: int, burst: int, start_s: float, before: list[tuple[float, int]]
) -> None:
    """No livelock: the wait is never a hair too short, whatever floats make of the sum."""
    bucket = TokenBucket(rate_per_s=rate, burst=burst, now_s=start_s)
    now_s = start_s
    for wait_s, count in before:
        now_s += wait_s
        for _ in range(count):
            bucket.try_take(now_s)
    for _ in range((burst or rate) + 1):
        if bucket.wait_s(now_s) > 0:
            break
        assert bucket.try_take(now_s)
    wait_s = bucket.wait_s(now_s)
    assert 0 < wait_s <= 1 / rate + 1e-6
    assert not bucket.try_take(now_s)
    now_s += wait_s
    assert bucket.wait_s(now_s) == 0.0
    assert bucket.try_take(now_s)


@given(rate=RATES, burst=st.integers(1, 20), start_s=STARTS_S)
def test_a_busy_caller_gets_all_that_it_is_due(rate: int, burst: int, start_s: float) -> None:
    """Each wait from token to token loses no more than the clock's resolution."""
    bucket = TokenBucket(rate_per_s=rate, burst=burst, now_s=start_s)
    now_s, moments_s = start_s, list[float]()
    for _ in range(200):
        now_s += bucket.wait_s(now_s)
        assert bucket.try_take(now_s)
        moments_s.append(now_s)
    assert moments_s[burst - 1] == start_s
    spent_s = moments_s[-1] - start_s
    resolution_s = 2 / NS + 2 * math.ulp(now_s)
    assert spent_s == pytest.approx((200 - burst) / rate, abs=200 * resolution_s)


def test_a_token_is_there_as_soon_as_it_is_due() -> None:
    """At 10 a second and no saved tokens, each 100 ms, exactly."""
    bucket = TokenBucket(rate_per_s=10, burst=1, now_s=0)
    assert bucket.try_take(0)
    assert bucket.wait_s(0) == 0.1
    assert bucket.wait_s(0.075) == pytest.approx(0.025)
    assert not bucket.try_take(0.0999)
    assert bucket.try_take(0.1)


def test_an_idle_bucket_saves_no_more_than_its_burst() -> None:
    """A burst of 0 means as many as the rate."""
    for burst, size in ((3, 3), (0, 5), (20, 20)):
        bucket = TokenBucket(rate_per_s=5, burst=burst, now_s=0)
        assert [bucket.try_take(0) for _ in range(size + 1)] == [True] * size + [False]
        assert [bucket.try_take(1e6) for _ in range(size + 1)] == [True] * size + [False]


@given(start_s=STARTS_S, steps_s=st.lists(st.floats(-100, 100), max_size=20), burst=BURSTS)
def test_a_rate_of_zero_is_no_limit(start_s: float, steps_s: list[float], burst: int) -> None:
    """Then there is always a token, whatever the burst."""
    bucket = TokenBucket(rate_per_s=0, burst=burst, now_s=start_s)
    for step_s in steps_s:
        assert bucket.wait_s(start_s + step_s) == 0.0
        assert bucket.try_take(start_s + step_s)


@given(
    rate=RATES,
    burst=st.integers(1, 5),
    times_s=st.lists(st.floats(0, 1000), min_size=1, max_size=60),
)
def test_a_clock_that_is_set_back_is_harmless(rate: int, burst: int, times_s: list[float]) -> None:
    """It grants nothing for the time that seems to be repeated, and locks nobody out."""
    bucket = TokenBucket(rate_per_s=rate, burst=burst, now_s=times_s[0])
    taken = sum(bucket.try_take(now_s) for now_s in times_s)
    forward_ns = sum(max(0, ns_of(after) - ns_of(before)) for before, after in pairwise(times_s))
    assert taken * NS <= burst * NS + rate * forward_ns
    now_s = times_s[-1]
    wait_s = bucket.wait_s(now_s)
    assert wait_s <= 1 / rate + 1e-6
    assert bucket.try_take(now_s + wait_s)


@given(rate=RATES, burst=BURSTS, taken=st.integers(0, 2000), elapsed_s=st.floats(0, 1))
def test_the_same_limit_again_changes_nothing(
    rate: int, burst: int, taken: int, elapsed_s: float
) -> None:
    """Each change of an endpoint sets its limit again: that must not refill the bucket."""
    buckets = [TokenBucket(rate_per_s=rate, burst=burst, now_s=0) for _ in range(2)]
    for bucket in buckets:
        for _ in range(taken):
            bucket.try_take(0)
    for _ in range(3):
        buckets[0].reconfigure(rate_per_s=rate, burst=burst, now_s=elapsed_s)
    answers = [
        (bucket.wait_s(elapsed_s), [bucket.try_take(elapsed_s) for _ in range(50)])
        for bucket in buckets
    ]
    assert answers[0] == answers[1]


def test_a_new_limit_counts_from_its_moment() -> None:
    """What was saved by the old rate stays, as far as the new burst has room."""
    bucket = TokenBucket(rate_per_s=10, burst=10, now_s=0)
    assert all(bucket.try_take(0) for _ in range(10))
    bucket.reconfigure(rate_per_s=1, burst=2, now_s=0.5)
    assert [bucket.try_take(0.5) for _ in range(3)] == [True, True, False]
    assert bucket.wait_s(0.5) == 1.0
    bucket.reconfigure(rate_per_s=100, burst=100, now_s=0.5)
    assert not bucket.try_take(0.5)
    assert bucket.wait_s(0.5) == pytest.approx(0.01)


def test_a_limit_where_there_was_none_starts_with_its_burst() -> None:
    """And taking the limit away lets everything through at once."""
    bucket = TokenBucket(rate_per_s=0, burst=0, now_s=0)
    assert all(bucket.try_take(1) for _ in range(100))
    bucket.reconfigure(rate_per_s=2, burst=3, now_s=1)
    assert [bucket.try_take(1) for _ in range(4)] == [True, True, True, False]
    bucket.reconfigure(rate_per_s=0, burst=3, now_s=1)
    assert bucket.wait_s(1) == 0.0
    assert all(bucket.try_take(1) for _ in range(100))
