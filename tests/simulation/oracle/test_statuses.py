"""Only lawful statuses, and only lawful steps between them."""

import pytest

from .story import Story, an_ordinary_day


def seen(*readings: tuple[str, int]) -> Story:
    """A message that read so, a second after the other."""
    story = Story()
    story.send(1, "a")
    for at, (status, attempts) in enumerate(readings, start=2):
        story.seen(at, "a", status, attempts)
    return story


def test_a_message_is_listed_once() -> None:
    """In exactly one status."""
    story = an_ordinary_day()
    story.ends("a", "succeeded", "200")
    assert story.broken == {"each_message_has_one_lawful_status"}


def test_there_are_six_statuses() -> None:
    """Any other is none."""
    assert seen(("lost", 0)).broken == {"each_message_has_one_lawful_status"}
    assert "each_message_has_one_lawful_status" in Story().ends("a", "failed").broken


@pytest.mark.parametrize(
    "readings",
    [
        [("queued", 0), ("delivering", 0), ("pending_retry", 1), ("delivering", 1)],
        [("queued", 0), ("paused", 0), ("queued", 0), ("succeeded", 1), ("succeeded", 1)],
        [("delivering", 0), ("queued", 0)],
        [("pending_retry", 1), ("paused", 1), ("failed_permanent", 2)],
    ],
)
def test_lawful_steps(readings: list[tuple[str, int]]) -> None:
    """Some of the many ways; a crash brings `delivering` back to what it was."""
    story = seen(*readings)
    story.call("pause", 1.5, took=None)
    assert story.broken == set()


@pytest.mark.parametrize(
    "readings",
    [
        [("succeeded", 1), ("pending_retry", 1)],
        [("failed_permanent", 3), ("succeeded", 4)],
        [("pending_retry", 1), ("queued", 1)],
        [("pending_retry", 2), ("pending_retry", 1)],
    ],
)
def test_unlawful_steps_are_reported_unless_replayed(readings: list[tuple[str, int]]) -> None:
    """What is over stays so, attempts never become fewer, what was tried was tried."""
    assert seen(*readings).broken == {"steps_are_lawful"}
    if readings[0][1] <= readings[1][1]:
        story = seen(*readings)
        story.call("replay", 2.5, message_id="a")
        assert story.broken == set()


def test_readings_that_overlap_may_be_in_either_order() -> None:
    """The answer that came later may be the older one."""
    story = seen(("succeeded", 1))
    story.seen(2.005, "a", "pending_retry", 1)
    assert story.broken == set()
