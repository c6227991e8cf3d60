"""What is due does not wait, when nothing is wrong."""

from collections.abc import Iterator

from sluicegate.simulation.oracle.duplicates import number_of
from sluicegate.simulation.oracle.facts import EndpointFacts, Facts, MessageFacts
from sluicegate.simulation.oracle.history import Exchange
from sluicegate.simulation.oracle.pausing import may_be_paused
from sluicegate.simulation.oracle.schedule import may_have_opened, most_delay_s
from sluicegate.simulation.oracle.timing import Span
from sluicegate.simulation.oracle.violation import Rule, Violation

__all__ = ["RULES"]

_AFTERMATH_S = 90.0
"""Until what was begun in trouble is over: time limits, name servers, writes tried again."""
_PATIENCE_S = 10.0
_EACH_S = 0.2
"""What every other request of the run may take, with one attempt in flight at a time."""


def what_is_due_starts(facts: Facts) -> Iterator[Violation]:
    """A message is attempted soon after it is accepted, and again soon after its retry is due.

    Judged from ninety seconds after the last trouble, on endpoints that for certain are neither
    ordered nor limited in their rate, nor may have been paused, nor had an open circuit. There
    is patience for a turn behind all other requests, at their slowest; a receiver that is slow by
    itself makes it longer.
    """
    slowest_s = max(
        (each.answer.delay_s for each in facts.history.exchanges if each.answer is not None),
        default=0.0,
    )
    patience_s = _PATIENCE_S + len(facts.history.exchanges) * (_EACH_S + slowest_s)
    for endpoint in facts.endpoints.values():
        if not _is_free(facts, endpoint):
            continue
        messages = [message for message, owner in facts.deliveries() if owner is endpoint]
        for message in messages:
            for due_s, exchange in _due(facts, message):
                begun = facts.timing.begun(exchange)
                trouble_s = facts.weather.troubled_until(begun.lo)
                by_s = max(due_s, trouble_s + _AFTERMATH_S) + patience_s
                if begun.lo <= by_s or may_be_paused(facts, endpoint, due_s - 1, begun.hi):
                    continue
                yield Violation(
                    rule="what_is_due_starts",
                    at_s=exchange.request.at_s,
                    text=f"{message.id} was due at {due_s:.3f} s, and began after {begun.lo:.3f} s",
                    calls=tuple(message.sends),
                    exchanges=(exchange,),
                )
                break


def _is_free(facts: Facts, endpoint: EndpointFacts) -> bool:
    always = Span(0.0, facts.ends_s)
    return not (
        any(endpoint.values("ordered", False, always.lo, always.hi))  # noqa: FBT003 - the default
        or any(endpoint.numbers("rate_limit_rps", 0, always.lo, always.hi))
        or may_have_opened(facts, endpoint)
    )


def _due(facts: Facts, message: MessageFacts) -> Iterator[tuple[float, Exchange]]:
    """Yield by when an attempt was due at the latest, for each whose predecessor is known."""
    by_number: dict[int, list[Exchange]] = {}
    for exchange in message.exchanges:
        by_number.setdefault(number_of(exchange) or 0, []).append(exchange)
    if message.may_be_replayed:
        return
    for number, later in by_number.items():
        earlier = by_number.get(number - 1)
        if number == 1:
            yield message.accepted().hi, later[0]
        elif earlier is not None and number > 1 and not _is_shifted(facts, earlier[0], later[0]):
            delay_s = most_delay_s(facts, message, number - 1, earlier)
            yield max(facts.timing.ended(each).hi for each in earlier) + delay_s, later[0]


def _is_shifted(facts: Facts, one: Exchange, two: Exchange) -> bool:
    """Return whether a start after a jump of the clock may have moved the retry."""
    return bool(facts.weather.jumps) and facts.weather.ends_life(
        facts.timing.begun(one).lo, facts.timing.begun(two).hi
    )


RULES: tuple[Rule, ...] = (what_is_due_starts,)
