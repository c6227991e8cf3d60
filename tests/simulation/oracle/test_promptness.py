"""What is due does not wait, when nothing is wrong."""

import pytest

from .story import Story


def late(
    *, first: float, second: float | None = None, config: dict[str, object] | None = None
) -> Story:
    """A message that is attempted at `first`, and again at `second`."""
    story = Story(config=config or {}, circuit_failures=0)
    story.send(1, "a")
    story.arrives(first, "a", status=200 if second is None else 500)
    if second is not None:
        story.arrives(second, "a", no=2)
        return story.ends("a", "succeeded", "500", "200")
    return story.ends("a", "succeeded", "200")


def test_a_first_attempt_that_waits_is_reported() -> None:
    """A lost wake-up shows here, even if something else wakes the endpoint later."""
    assert late(first=5).broken == set()
    assert late(first=200).broken == {"what_is_due_starts"}


def test_a_retry_that_waits_is_reported() -> None:
    """Due ten seconds after the failure; a timer that was lost does not ring."""
    assert late(first=2, second=45).broken == set()
    assert late(first=2, second=300).broken == {"what_is_due_starts"}


@pytest.mark.parametrize("config", [{"ordered": True}, {"rate_limit_rps": 1}])
def test_what_may_hold_a_message_up_is_no_delay(config: dict[str, object]) -> None:
    """Its turn has not come."""
    assert late(first=200, config=config).broken == set()


def test_trouble_holds_up_and_for_a_while_longer() -> None:
    """A fault, a pause, a start, a long request for patience."""
    assert late(first=200).event("faults", 5, hang=0.1).event("healed", 170).broken == set()
    assert late(first=200).event("faults", 5, hang=0.1).event("healed", 20).broken != set()
    assert late(first=200).crash(170).broken == set()
    story = late(first=200)
    story.call("pause", 3)
    story.call("resume", 199.9, requeued=1)
    assert story.broken == set()
    story = Story(circuit_failures=0)
    story.send(1, "a")
    story.arrives(2, "a", status=503, answer=(("Retry-After", "300"),))
    story.arrives(303, "a", no=2)
    assert story.ends("a", "succeeded", "503", "200").broken == set()


def test_what_was_asked_for_starts_soon() -> None:
    """A replay that is forgotten until something else wakes the endpoint."""
    for operation in ("replay", "retry_now"):
        for at, lawful in ((55, True), (200, False)):
            story = Story(circuit_failures=0, retry_slow_s=(1000.0,))
            story.send(1, "a")
            story.arrives(2, "a", status=500)
            story.call(operation, 50, message_id="a")
            story.arrives(at, "a", no=2)
            story.ends("a", "succeeded", "500", "200")
            assert (story.broken == set()) == lawful
            assert story.broken <= {"what_is_asked_for_starts"}
            assert story.event("faults", 30, dns_failure=0.1).broken == set()
