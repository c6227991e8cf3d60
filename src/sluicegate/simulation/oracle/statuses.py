"""Only lawful statuses, and only lawful steps between them."""

import itertools
from collections import Counter
from collections.abc import Iterator

from sluicegate.simulation.oracle.facts import Facts
from sluicegate.simulation.oracle.history import Operation
from sluicegate.simulation.oracle.violation import Rule, Violation

__all__ = ["RULES", "is_final", "is_over", "is_permanent", "is_success"]

_STATUSES = ("queued", "delivering", "pending_retry", "paused", "succeeded", "failed_permanent")
_OVER = ("succeeded", "failed_permanent")
_RETRYABLE = (408, 425, 429)


def is_success(status: int) -> bool:
    """Return whether a receiver took the message: any 2xx."""
    return 200 <= status < 300  # noqa: PLR2004 - RFC 9110 §15.3


def is_permanent(status: int) -> bool:
    """Return whether a receiver will never take it: any 3xx and 4xx but 408, 425, 429."""
    return 300 <= status < 500 and status not in _RETRYABLE  # noqa: PLR2004 - RFC 9110 §15


def is_final(status: int) -> bool:
    """Return whether nothing is repeated after this answer."""
    return is_success(status) or is_permanent(status)


def is_over(status: str | None) -> bool:
    """Return whether a message that reads so is not attempted any more."""
    return status in _OVER


def each_message_has_one_lawful_status(facts: Facts) -> Iterator[Violation]:
    """Every message is listed once, with a status that exists."""
    counts = Counter(view.id for view in facts.history.messages)
    facts.judged["each_message_has_one_lawful_status"] += len(counts)
    for message_id, count in counts.items():
        if count > 1:
            yield _about(message_id, facts.ends_s, f"is listed {count} times")
    for view in facts.history.messages:
        if view.status not in _STATUSES:
            yield _about(view.id, facts.ends_s, f"reads {view.status!r}")
    for sighting in facts.history.sightings:
        if sighting.status not in _STATUSES:
            yield _about(sighting.id, sighting.ended_s, f"reads {sighting.status!r}")


def steps_are_lawful(facts: Facts) -> Iterator[Violation]:
    """What is over stays so without a replay; attempts never become fewer; none is untried again.

    Of two readings that overlap either may be the older: they are not compared. A crash takes
    nothing back that was read, for only what is durable is shown, but for `delivering`, which
    is no more than an attempt in flight. A deletion turns what waits into `failed_permanent`; an
    attempt in flight may then still end otherwise, as `succeeded`.
    """
    for message in facts.messages.values():
        sightings = facts.readings_of(message)
        for one, two in itertools.pairwise(sightings):
            if one.ended_s >= two.began_s:
                continue
            facts.judged["steps_are_lawful"] += 1
            if two.attempts < one.attempts:
                text = f"had {one.attempts} attempts and has {two.attempts}"
                yield _about(message.id, two.ended_s, text, "steps_are_lawful")
            replayed = message.may_happen(Operation.REPLAY, one.began_s, two.ended_s)
            if replayed or one.status == two.status:
                continue
            untried = two.status == "queued" and one.status == "pending_retry"
            if untried or (is_over(one.status) and not facts.is_withdrawn(message)):
                text = f"read {one.status} and reads {two.status}"
                yield _about(message.id, two.ended_s, text, "steps_are_lawful")


def _about(
    message_id: str, at_s: float, what: str, rule: str = "each_message_has_one_lawful_status"
) -> Violation:
    return Violation(rule=rule, at_s=at_s, text=f"message {message_id} {what}")


RULES: tuple[Rule, ...] = (each_message_has_one_lawful_status, steps_are_lawful)
