"""When all has settled, everything has come to an end, and a lawful one."""

import pytest

from .story import Story


def sent() -> Story:
    """A message that was accepted, when all has settled."""
    story = Story()
    story.send(1, "a")
    return story.settles()


@pytest.mark.parametrize("status", ["queued", "pending_retry", "delivering", "paused"])
def test_what_still_waits_is_stuck(status: str) -> None:
    """Accepted, and neither delivered nor given up."""
    assert "everything_finishes" in sent().ends("a", status).broken


def test_what_a_pause_holds_may_wait_for_ever() -> None:
    """Nobody has resumed it."""
    story = sent().ends("a", "paused")
    story.call("pause", 0.5)
    assert story.broken == set()


def test_an_endpoint_may_be_parked_after_bugs() -> None:
    """Until the next start."""
    story = sent().event("faults", 2, bug=1).event("healed", 5).ends("a", "queued")
    assert story.broken == set()
    story.crash(6)
    assert "everything_finishes" in story.broken


def test_what_failed_for_good_has_a_reason() -> None:
    """Refused, tried often enough, or given up by a client."""
    story = sent().ends("a", "failed_permanent", "timeout", "timeout")
    assert story.broken == {"failures_have_a_reason"}
    story.call("delete_endpoint", 9, took=None)
    assert story.broken == set()
    assert sent().ends("a", "failed_permanent", *["timeout"] * 3).broken == set()
    story = sent()
    story.arrives(2, "a", status=403)
    assert story.ends("a", "failed_permanent", "403").broken == set()


def test_a_replay_leads_to_an_attempt() -> None:
    """What was answered is carried out."""
    story = sent().ends("a", "succeeded", "200")
    story.arrives(2, "a")
    story.call("replay", 10, message_id="a")
    assert story.broken == {"replays_are_carried_out"}
    story.arrives(10.1, "a", no=2)
    assert "replays_are_carried_out" not in story.broken


def test_nothing_waits_of_what_was_deleted() -> None:
    """It is given up at once, or in a sweep."""
    story = sent().ends("a", "failed_permanent")
    story.call("delete_message", 2, message_id="a")
    assert story.broken == set()
    story.history.messages.clear()
    assert "what_was_deleted_is_over" in story.ends("a", "queued").broken


def test_a_replay_gives_as_many_attempts_as_a_message_has_at_first() -> None:
    """Three; a message that is given up earlier had kept those of the cycle before."""
    story = Story(circuit_failures=0)
    story.send(1, "a")
    story.arrives(2, "a")
    story.call("replay", 5, message_id="a")
    for number in (2, 3, 4):
        story.arrives((0, 0, 6, 30, 130)[number], "a", no=number, status=500)
    story.ends("a", "failed_permanent", "200", "500", "500", "500")
    assert story.settles().broken == set()
    del story.history.exchanges[-1], story.history.messages[-1]
    story.ends("a", "failed_permanent", "200", "500", "500")
    assert story.broken == {"a_replay_begins_a_new_cycle"}


def test_an_attempt_that_nobody_saw_may_have_been_behind_the_replay() -> None:
    """The second: then the third and the fourth are not all that the replay gave."""
    story = Story(circuit_failures=0)
    story.event("faults", 0.5, refuse=0.5).event("healed", 400)
    story.send(1, "a")
    story.arrives(2, "a", status=404)
    story.call("replay", 5, message_id="a")
    story.arrives(30, "a", no=3, status=500)
    story.arrives(130, "a", no=4, status=500)
    story.ends("a", "failed_permanent", "404", "connection error", "500", "500")
    assert story.settles(500).broken == set()


@pytest.mark.parametrize("listed", ["timeout", "no response within 1 s"])
def test_where_packets_travel_long_a_time_limit_may_be_reached(listed: str) -> None:
    """However it is called; and nothing else is excused by that."""
    for latency_s, error, lawful in (
        (0.9, listed, True),
        (0.02, listed, False),
        (0.9, "connection error", False),
    ):
        story = Story(circuit_failures=0)
        story.event("faults", 50, latency_s=(0.0005, latency_s))
        story.send(60, "a")
        story.arrives(72, "a", no=2)
        story.ends("a", "succeeded", error, "200")
        assert ("failures_in_calm_were_seen" not in story.broken) == lawful


def test_an_attempt_without_an_answer_needs_a_fault() -> None:
    """Such as one that a pause recalled, and that must not count."""
    story = Story(circuit_failures=0)
    story.send(60, "a")
    story.arrives(72, "a", no=2)
    story.ends("a", "succeeded", "connection_error", "200")
    assert story.broken == {"failures_in_calm_were_seen"}
    assert story.event("faults", 50, refuse=0.1).event("healed", 51).broken == set()
