"""What a receiver asks for with `Retry-After`: seconds, or a date on the wall clock."""

import pytest

from .story import Story


def told(
    asked: str, *, again: float, jumped: float | None = None, jump_s: float = 0.0, cap: int = 3600
) -> set[str]:
    """Return what is broken if a receiver asks for that at 2 s, and gets it `again` then."""
    story = Story(retry_after_max_s=cap, circuit_failures=0)
    story.send(1, "a")
    story.arrives(2, "a", status=503, answer=(("Retry-After", asked),))
    story.arrives(again, "a", no=2)
    story.ends("a", "succeeded", "503", "200")
    if jumped is not None:
        story.event("clock_jumped", jumped, jump_s=jump_s)
    return story.broken


AT_100_S = "Thu, 01 Jan 2026 00:01:40 GMT"


def test_a_date_is_a_moment_of_the_wall_clock() -> None:
    """Neither earlier than it, nor much later; what has passed asks for nothing."""
    assert told(AT_100_S, again=99) == {"retries_wait_long_enough"}
    assert told(AT_100_S, again=101.5) == set()
    assert told(AT_100_S, again=250) == {"what_is_due_starts"}
    assert told("Wed, 31 Dec 2025 23:00:00 GMT", again=12.1) == set()


def test_a_date_is_capped_as_seconds_are() -> None:
    """From the end of the attempt on."""
    assert told(AT_100_S, again=25, cap=30) == {"retries_wait_long_enough"}
    assert told(AT_100_S, again=33, cap=30) == set()


@pytest.mark.parametrize(
    "nonsense", ["soon", "1.5", "Thu, 01 Jan 2026 00:01:40 +0000", "Thu, 32 Jan 2026 00:00:00 GMT"]
)
def test_what_makes_no_sense_asks_for_nothing(nonsense: str) -> None:
    """The schedule is as it would be without it: ten seconds."""
    assert told(nonsense, again=12.1) == set()
    assert told(nonsense, again=200) == {"what_is_due_starts"}


def test_a_clock_that_was_set_before_tells_another_date() -> None:
    """Receiver and engine look at the same clock: an hour later it is 98 seconds as before."""
    hour_later = "Thu, 01 Jan 2026 01:01:40 GMT"
    assert told(hour_later, again=99, jumped=1.5, jump_s=3600) == {"retries_wait_long_enough"}
    assert told(hour_later, again=101.5, jumped=1.5, jump_s=3600) == set()


def test_a_clock_that_is_set_in_between_excuses_either() -> None:
    """The date was told by one clock and read by another; the cap holds all the same."""
    assert told(AT_100_S, again=12.1, jumped=2.001, jump_s=600) == set()
    assert told(AT_100_S, again=12.1, jumped=40, jump_s=600) == {"retries_wait_long_enough"}
