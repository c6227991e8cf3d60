"""How many at once, and how many in a time."""

from hypothesis import given
from hypothesis import strategies as st

from sluicegate.engine.rate_limit import TokenBucket

from .story import Story


def at_once(count: int, *, after: float = 5, apart: float = 0.1, **config: object) -> Story:
    """So many messages that are in flight at the same time, answered `after` some seconds."""
    story = Story(config=config)
    for number in range(count):
        story.send(1 + number / 100, f"m{number}", took=0.001)
        story.arrives(3 + number * apart, f"m{number}", after=after)
    return story


def test_as_many_as_the_cap_are_lawful() -> None:
    """Up to the cap, and one more when another has ended."""
    story = at_once(3, max_in_flight=3)
    story.send(2, "x")
    story.arrives(9, "x")
    assert story.broken == set()


def test_one_more_than_the_cap_is_reported() -> None:
    """Off by one."""
    assert at_once(4, max_in_flight=3).broken == {"in_flight_stays_below_its_cap"}


def test_an_ordered_endpoint_has_one_in_flight() -> None:
    """Whatever its cap is."""
    assert "in_flight_stays_below_its_cap" in at_once(2, max_in_flight=9, ordered=True).broken


def test_what_has_timed_out_is_in_flight_no_more() -> None:
    """The receiver still works on it; the engine has given it up."""
    story = at_once(2, max_in_flight=1, after=20, apart=3, timeout_s=2.0)
    assert story.broken == set()


def test_a_cap_that_was_lowered_lets_those_finish_that_had_begun() -> None:
    """The highest since the first of them counts."""
    story = at_once(3, max_in_flight=3)
    story.call("update_endpoint", 3.15, config={"max_in_flight": 1})
    assert story.broken == set()


def test_a_crash_ends_what_was_in_flight() -> None:
    """The receiver does not know that nobody waits for it."""
    story = at_once(1, max_in_flight=1, after=20)
    story.crash(4)
    story.send(5.5, "x")
    story.arrives(6, "x", after=20)
    assert story.broken == set()


def test_one_message_twice_at_once_is_reported() -> None:
    """Nothing is sent a second time while it is in flight."""
    story = at_once(1)
    story.arrives(4.5, "m0", no=2)
    assert "a_message_is_sent_once_at_a_time" in story.broken


def burst(count: int, *, apart: float = 0.0, **config: object) -> Story:
    """So many messages that arrive from 3 s on."""
    story = Story(config=config)
    for number in range(count):
        story.send(1 + number / 1000, f"m{number}", took=0.0005)
        story.arrives(3 + number * apart, f"m{number}")
    return story


def test_more_than_the_burst_at_once_is_reported() -> None:
    """The bucket holds so many, and no more."""
    limits = {"rate_limit_rps": 1, "burst": 5, "max_in_flight": 100}
    assert burst(5, **limits).broken == set()
    assert burst(9, **limits).broken == {"rate_is_never_exceeded"}


def test_too_many_in_a_longer_window_are_reported() -> None:
    """Ten a second keep below the burst at any moment, and not in three seconds."""
    limits = {"rate_limit_rps": 3, "burst": 5}
    assert burst(40, apart=0.34, **limits).broken == set()
    assert burst(40, apart=0.1, **limits).broken == {"rate_is_never_exceeded"}


def test_a_restart_fills_the_bucket() -> None:
    """It is nowhere written down."""
    story = burst(12, apart=0.3, rate_limit_rps=1, burst=6)
    assert story.broken == {"rate_is_never_exceeded"}
    story.event("crashed", 4.6).event("started", 4.7)
    assert story.broken == set()


def test_a_command_does_not_fill_the_bucket() -> None:
    """Only a change of the rate may, and across it nothing is judged."""
    for config, lawful in (({}, False), ({"burst": 20}, True)):
        story = burst(12, apart=0.3, rate_limit_rps=1, burst=6)
        story.call("update_endpoint", 4.5, config=config)
        assert (story.broken == set()) == lawful


@given(
    rate=st.integers(1, 20),
    burst_of=st.integers(0, 10),
    waits=st.lists(st.floats(0, 2), min_size=1, max_size=40),
)
def test_what_a_bucket_lets_through_is_never_reported(
    rate: int, burst_of: int, waits: list[float]
) -> None:
    """Sound for every sequence of starts that the engine's own bucket allows."""
    story = Story(config={"rate_limit_rps": rate, "burst": burst_of, "max_in_flight": 256})
    bucket = TokenBucket(rate_per_s=rate, burst=burst_of, now_s=0)
    now = 1.0
    for number, wait in enumerate(waits):
        now += wait
        now += bucket.wait_s(now)
        assert bucket.try_take(now)
        story.send(now - 0.01, f"m{number}", took=0.001)
        story.arrives(now + 0.02, f"m{number}", begun=now)
    assert "rate_is_never_exceeded" not in story.broken
