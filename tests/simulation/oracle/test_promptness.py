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
    assert late(first=2, second=21).broken == set()
    assert late(first=2, second=45).broken == {"what_is_due_starts"}


@pytest.mark.parametrize("config", [{"ordered": True}, {"rate_limit_rps": 1}])
def test_what_holds_nobody_up_excuses_nothing(config: dict[str, object]) -> None:
    """It is its turn, and its rate is not used up."""
    assert late(first=5, config=config).broken == set()
    assert late(first=200, config=config).broken == {"what_is_due_starts"}


def test_a_message_waits_for_its_turn() -> None:
    """On an ordered endpoint, until the one before it has ended; and no longer."""
    for at, lawful in ((15, True), (60, False)):
        story = Story(circuit_failures=0, config={"ordered": True})
        story.send(1, "a")
        story.send(2, "b")
        story.arrives(3, "a", status=500)
        story.arrives(14, "a", no=2)
        story.arrives(at, "b")
        story.ends("a", "succeeded", "500", "200").ends("b", "succeeded", "200")
        assert story.broken == (set() if lawful else {"what_is_due_starts"})


def test_a_turn_may_come_with_a_deletion() -> None:
    """What would be repeated an hour later holds up those behind it until it is deleted."""
    for operation in ("delete_message", "cancel"):
        for at, lawful in ((55, True), (300, False)):
            story = Story(circuit_failures=0, config={"ordered": True}, retry_slow_s=(3600.0,))
            story.send(1, "a")
            story.send(2, "b")
            story.arrives(3, "a", status=500)
            story.call(operation, 50, message_id="a")
            story.arrives(at, "b")
            story.ends("a", "failed_permanent", "500").ends("b", "succeeded", "200")
            assert story.broken == (set() if lawful else {"what_is_due_starts"})


def test_a_message_waits_for_its_rate() -> None:
    """For the tokens that others took, and no longer."""
    for at, lawful in ((24, True), (60, False)):
        story = Story(circuit_failures=0, config={"rate_limit_rps": 1})
        for number in range(20):
            story.send(1 + number / 1000, f"m{number}", took=0.0001)
            story.arrives(2 + number if number < 19 else at, f"m{number}")
            story.ends(f"m{number}", "succeeded", "200")
        assert story.broken == (set() if lawful else {"what_is_due_starts"})


def test_only_trouble_that_can_hold_an_attempt_up_does_so() -> None:
    """A receiver's concerns nobody else, unless all that may be in flight may be so at it."""
    story = late(first=200).event("faults", 5, hang=0.1).event("healed", 170)
    assert story.broken == {"what_is_due_starts"}
    story = Story(circuit_failures=0, config={"max_in_flight": 1})
    story.event("faults", 0.5, hang=0.1).event("healed", 170)
    story.send(0.8, "b")
    story.send(1, "a")
    story.arrives(1.2, "b", status=None)
    story.arrives(198, "b", no=2)
    story.arrives(200, "a")
    story.ends("b", "succeeded", "timeout", "200").ends("a", "succeeded", "200")
    assert story.broken == set()


def test_trouble_of_the_host_holds_up_and_for_a_while_longer() -> None:
    """Its disk, a start, a bug, a pause, a long request for patience."""
    story = late(first=200).event("faults", 5, slow_disk=0.1).event("healed", 190)
    assert story.broken == set()
    story = late(first=200).event("faults", 5, slow_disk=0.1).event("healed", 20)
    assert story.broken == {"what_is_due_starts"}
    assert late(first=200).event("faults", 5, bug=0.1).event("healed", 170).broken == set()
    assert late(first=200).crash(190).broken == set()
    assert late(first=200).crash(100).broken == {"what_is_due_starts"}
    story = late(first=200)
    story.call("pause", 3)
    story.call("resume", 199.9, requeued=1)
    assert story.broken == set()
    story = Story(circuit_failures=0)
    story.send(1, "a")
    story.arrives(2, "a", status=503, answer=(("Retry-After", "300"),))
    story.arrives(303, "a", no=2)
    assert story.ends("a", "succeeded", "503", "200").broken == set()


def test_a_retry_is_due_from_when_its_outcome_was_judged() -> None:
    """On an endpoint that bugs have parked that is when a command takes it up again."""
    for bugs, lawful in ((0.5, True), (0.0, False)):
        story = Story(circuit_failures=0)
        story.event("faults", 1.5, bug=bugs).event("healed", 12)
        story.send(1, "a")
        story.arrives(2, "a", status=500)
        story.call("update_endpoint", 100)
        story.arrives(111, "a", no=2)
        story.ends("a", "succeeded", "500", "200")
        assert story.broken == (set() if lawful else {"what_is_due_starts"})


def test_what_a_parked_endpoint_held_goes_at_its_rate_from_when_it_was_taken_up_again() -> None:
    """Also what comes so late that the command which did that is long over."""
    for bugs, lawful in ((0.5, True), (0.0, False)):
        story = Story(circuit_failures=0, config={"rate_limit_rps": 1})
        story.event("faults", 0.5, bug=bugs).event("healed", 12)
        for number in range(12):
            story.send(1 + number / 1000, f"m{number}", took=0.0001)
            story.arrives(101 + number, f"m{number}")
            story.ends(f"m{number}", "succeeded", "200")
        story.call("update_endpoint", 100)
        assert story.broken == (set() if lawful else {"what_is_due_starts"})


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
