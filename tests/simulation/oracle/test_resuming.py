"""A resume takes effect at once."""

from .story import Story


def resumed(*, first: float | None, held_s: float = 60) -> Story:
    """A message that is accepted while its endpoint is paused, and attempted at `first`."""
    story = Story(circuit_failures=0)
    story.call("pause", 1)
    story.send(2, "a")
    story.call("resume", 2 + held_s, requeued=1)
    if first is not None:
        story.arrives(first, "a", begun=first - 0.001)
    return story


def test_what_was_held_is_sent_at_once() -> None:
    """Within a tenth of a second, and the journey: not when somebody looks the next time."""
    assert resumed(first=62.1).broken == set()
    assert resumed(first=62.5).broken == {"resumes_take_effect_at_once"}
    assert resumed(first=None).broken == {"resumes_take_effect_at_once"}


def test_what_is_not_free_to_send_may_wait() -> None:
    """The disk is slow, the process has ended, another pause comes, or the only slot is taken."""
    story = resumed(first=64)
    story.event("faults", 40, slow_disk=0.1).event("healed", 63)
    assert story.broken == set()
    assert resumed(first=64).crash(62.05).broken == set()
    story = resumed(first=None)
    story.call("pause", 62.05)
    assert story.broken == set()
    story = resumed(first=64)
    story.history.crowd = 1
    story.call("create_endpoint", 0.5, endpoint="e2", endpoint_id="ep_e2")
    story.call("send", 59, endpoint="e2", message_id="b", payload=b'"b"')
    story.arrives(60, "b", endpoint="e2", after=3.5)
    assert "resumes_take_effect_at_once" not in story.broken


def test_a_pause_that_was_short_may_leave_attempts_in_flight() -> None:
    """They, and the rate that they used up, may hold up what is held."""
    assert resumed(first=4, held_s=1).broken == set()
