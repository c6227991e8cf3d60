"""Attempts are numbered, bounded and spaced; what is listed is what was seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.engine.model import RetryType
from sluicegate.engine.schedule import RetrySchedule, retry_delay_ms

from .story import Story


def failed(*statuses: int, at: float = 2, **facts: object) -> Story:
    """A message whose attempts were so answered, each ten seconds or a minute after the other."""
    story = Story(**facts)
    story.send(1, "a")
    for number, status in enumerate(statuses, start=1):
        story.arrives(at, "a", no=number, status=status)
        at += (0, 10.1, 60.1, 60.1, 60.1)[number]
    return story


def test_the_slow_schedule_is_kept() -> None:
    """Ten seconds, then a minute."""
    assert failed(500, 500, 200).broken == set()


@pytest.mark.parametrize("second", [11.9, 11.97, 12.02, 13, 500])
def test_a_retry_that_comes_too_early_is_reported(second: float) -> None:
    """Jitter only adds: the schedule's delay is the least."""
    story = failed(500)
    story.arrives(second, "a", no=2)
    assert (story.broken == set()) == (second > 12)


def test_after_a_429_the_fast_schedule_is_kept() -> None:
    """One second, then two; and the slow one is walked for itself."""
    story = failed(429)
    story.arrives(3.03, "a", no=2, status=429)
    story.arrives(4.5, "a", no=3)
    story.ends("a", "succeeded", "429", "429", "200")
    assert story.broken == {"retries_wait_long_enough"}


def test_retry_after_is_a_minimum_up_to_its_cap() -> None:
    """What the receiver asks for is kept, as long as it is sane."""
    for asked, cap, second, lawful in (
        ("7", 100, 8, False),
        ("7", 100, 9.1, True),
        ("700", 20, 22.1, True),
        ("700", 20, 21, False),
        ("soon", 100, 3.1, True),
    ):
        story = Story(retry_after_max_s=cap)
        story.send(1, "a")
        story.arrives(2, "a", status=429, answer=(("Retry-After", asked),))
        story.arrives(second, "a", no=2)
        assert (story.broken == set()) == lawful, (asked, second)


@pytest.mark.parametrize("reason", ["retry_now", "resume", "replay"])
def test_who_asks_for_it_gets_a_retry_at_once(reason: str) -> None:
    """Hastened, resumed or replayed: it is due now."""
    story = failed(500)
    if reason == "resume":
        story.call("pause", 3)
    story.call(reason, 4, message_id=None if reason == "resume" else "a", took=None)
    story.arrives(4.1, "a", no=2)
    assert story.broken == set()


def test_a_jump_of_the_clock_shows_after_the_next_start() -> None:
    """Not before: schedules go by the steady clock."""
    story = failed(500).event("clock_jumped", 3, jump_s=60)
    story.arrives(6, "a", no=2)
    assert story.broken == {"retries_wait_long_enough"}
    story.crash(4)
    assert story.broken == set()


def test_an_attempt_that_timed_out_ended_then_and_not_with_its_answer() -> None:
    """The delay counts from the time limit."""
    story = Story(config={"timeout_s": 3.0})
    story.send(1, "a")
    story.arrives(2, "a", after=9)
    story.arrives(15, "a", no=2)
    assert story.broken == set()


def test_numbers_count_on() -> None:
    """Each is higher than the one before; a crash may repeat one, and takes none back."""
    story = failed(500)
    story.arrives(13, "a", no=1)
    assert "attempts_count_on" in story.broken
    story.crash(2.5)
    assert story.broken == set()
    story.arrives(24, "a", no=3)
    story.crash(30)
    story.arrives(40, "a", no=2)
    assert "attempts_count_on" in story.broken
    story = Story()
    story.send(1, "a")
    story.arrives(2, "a", headers={"X-Webhook-Attempt": "first"})
    assert "attempts_count_on" in story.broken


def test_a_cycle_is_bounded() -> None:
    """Three attempts; as many again for each replay."""
    story = failed(500, 500, 500)
    story.arrives(200, "a", no=4)
    assert story.broken == {"cycles_are_bounded"}
    story.call("replay", 100, message_id="a")
    assert story.broken == set()


def test_a_status_that_is_listed_was_seen() -> None:
    """The engine has no other way to know of it."""
    story = failed(500, 200).ends("a", "succeeded", "503", "200")
    assert story.broken == {"attempts_listed_were_seen"}


def test_an_answer_that_was_known_is_listed_as_such() -> None:
    """It was calm: there was no connection that broke."""
    story = failed(500, 200).ends("a", "succeeded", "connection reset", "200")
    assert story.broken == {"attempts_listed_were_seen"}
    story.event("faults", 0, bug=0.1)
    assert story.broken == set()


def test_attempts_that_no_receiver_saw_are_no_riddle() -> None:
    """A name that does not resolve: nothing was sent."""
    story = Story()
    story.send(1, "a")
    story.arrives(13, "a", no=2)
    story.ends("a", "succeeded", "name not resolved", "200")
    assert story.broken == set()


def test_an_attempt_that_was_seen_is_listed() -> None:
    """Unless the process ended before it was recorded, and the message was given up then."""
    story = failed(500, 404).settles().ends("a", "failed_permanent", "500")
    assert story.broken == {"attempts_seen_are_listed"}
    story.crash(300)  # its result was written by then, whatever became of the process
    assert story.broken == {"attempts_seen_are_listed"}
    story.history.events.clear()
    story.settles().crash(12.2)
    assert story.broken == set()
    story.history.events.clear()
    story.event("faults", 12, write_error=0.1).event("healed", 290).settles().crash(300)
    assert story.broken == set()


@given(
    statuses=st.lists(st.sampled_from((429, 500)), min_size=1, max_size=6),
    chances=st.lists(st.floats(0, 0.999), min_size=6, max_size=6),
    slow=st.lists(st.integers(1, 50), min_size=1, max_size=4),
    fast=st.lists(st.integers(0, 20), min_size=1, max_size=4),
    listed=st.booleans(),
)
def test_what_the_schedule_gives_is_never_reported(
    statuses: list[int], chances: list[float], slow: list[int], fast: list[int], *, listed: bool
) -> None:
    """Sound for every mixed run of failures, whether attempts are listed or not."""
    story = Story(
        retry_slow_s=tuple(slow), retry_fast_s=tuple(fast), attempts_max=9, circuit_failures=0
    )
    schedule = RetrySchedule(
        slow_s=tuple(slow), fast_s=tuple(fast), attempts_max=9, jitter=0.1, retry_after_max_s=9
    )
    story.send(1, "a")
    at, walked = 2.0, 0
    for number, status in enumerate(statuses, start=1):
        story.arrives(at, "a", no=number, status=status)
        kind = RetryType.FAST if status == 429 else RetryType.SLOW
        walked += kind is RetryType.FAST
        nth = walked if kind is RetryType.FAST else number - walked
        delay_ms = retry_delay_ms(
            schedule, kind, nth=nth, retry_after_s=None, chance=chances[number - 1]
        )
        at += 0.001 + delay_ms / 1000 + 0.02
    story.arrives(at, "a", no=len(statuses) + 1)
    if listed:
        story.ends("a", "succeeded", *map(str, statuses), "200")
    assert story.broken == set()


def test_which_of_the_fast_delays_follows_a_429_depends_on_the_circuit() -> None:
    """In an open one the retry before was none of the fast ones: the first of these comes now."""
    for limit, lawful in ((0, False), (1, True)):
        story = Story(circuit_failures=limit)
        story.send(1, "a", took=0.001)
        story.arrives(2, "a", status=429)
        story.arrives(12.1, "a", no=2, status=429)
        story.arrives(13.2, "a", no=3)
        story.ends("a", "succeeded", "429", "429", "200")
        assert ("retries_wait_long_enough" not in story.broken) == lawful
