"""What is due does not wait, when nothing is wrong."""

from collections.abc import Iterator

from sluicegate.simulation.oracle.duplicates import number_of
from sluicegate.simulation.oracle.facts import EndpointFacts, Facts, MessageFacts
from sluicegate.simulation.oracle.history import Exchange, Operation
from sluicegate.simulation.oracle.readiness import Readiness, may_be_parked
from sluicegate.simulation.oracle.resets import closed_since_s
from sluicegate.simulation.oracle.schedule import most_delay_s
from sluicegate.simulation.oracle.violation import Rule, Violation

__all__ = ["RULES", "calm_since_s"]

_AFTERMATH_S = 90.0
"""Until what was begun in trouble is over: time limits, name servers, writes tried again."""
_DIRECT_AFTERMATH_S = 35.0
"""The same where requests travel as values: a time limit, and some writes tried again."""
_RESTARTS_S = 20.0
"""Until an actor has been restarted as often as it may, after the outcome that it crashes on."""


def what_is_due_starts(facts: Facts) -> Iterator[Violation]:
    """A message is attempted soon after it is accepted, and again soon after its retry is due.

    As soon as nothing holds it up any more: the engine's host (an end of its process, its disk, a
    bug on purpose), a pause, an open circuit, the turn of others on an ordered endpoint, its rate,
    or attempts in flight, if they may be as many as a cap allows. Trouble of receivers and of the
    network counts only for the latter. Where one waits for others there is patience for all that
    arrived meanwhile, at their slowest.
    """
    readiness = Readiness(facts)
    for message, endpoint in facts.deliveries():
        for due_s, exchange in _due(facts, message, endpoint):
            closed_s = closed_since_s(facts, endpoint, facts.timing.begun(exchange).hi)
            if closed_s > due_s and number_of(exchange) == 1:
                continue  # `a_success_closes_the_circuit` looks at it
            if readiness.is_late("what_is_due_starts", message, endpoint, exchange, due_s):
                began_s = facts.timing.begun(exchange).lo
                yield _late(message, exchange, f"was due at {due_s:.3f} s, and began", began_s)
                break


def what_is_asked_for_starts(facts: Facts) -> Iterator[Violation]:
    """A message that was replayed, or whose retry was hastened, is attempted soon.

    Under the same conditions; and no receiver's trouble may have been since it was asked for, for
    an attempt that nobody saw would have carried it out.
    """
    rule, readiness = "what_is_asked_for_starts", Readiness(facts)
    for message, endpoint in facts.deliveries():
        asked = endpoint.succeeded(Operation.REPLAY) + endpoint.succeeded(Operation.RETRY_NOW)
        for call in asked:
            following = (e for e in message.exchanges if e.request.at_s > call.began_s)
            exchange = next(following, None)
            if call.message_id != message.id or call.ended_s is None or exchange is None:
                continue
            if _may_be_unseen(facts, exchange, call.began_s):
                continue
            if readiness.is_late(rule, message, endpoint, exchange, call.ended_s):
                began_s = facts.timing.begun(exchange).lo
                text = f"was asked for by call {call.number} at {call.ended_s:.3f} s, and began"
                yield _late(message, exchange, text, began_s, rule)


def _may_be_unseen(facts: Facts, exchange: Exchange, from_s: float) -> bool:
    """Return whether an attempt between a moment and this one may have come to nothing."""
    to_s, host = facts.timing.begun(exchange).hi, exchange.request.host
    if facts.weather.may_be_down(from_s, to_s, host):
        return True
    return facts.weather.troubled_until(to_s, host) >= from_s


def calm_since_s(facts: Facts, to_s: float, host: str | None = None) -> float:
    """Return since when nothing was wrong up to a moment, nor its aftermath was felt."""
    aftermath_s = _DIRECT_AFTERMATH_S if facts.history.direct else _AFTERMATH_S
    return facts.weather.troubled_until(to_s, host) + aftermath_s


def _late(
    message: MessageFacts,
    exchange: Exchange,
    text: str,
    began_s: float,
    rule: str = "what_is_due_starts",
) -> Violation:
    return Violation(
        rule=rule,
        at_s=exchange.request.at_s,
        text=f"{message.id} {text} after {began_s:.3f} s",
        calls=tuple(message.sends),
        exchanges=(exchange,),
    )


def _due(
    facts: Facts, message: MessageFacts, endpoint: EndpointFacts
) -> Iterator[tuple[float, Exchange]]:
    """Yield by when an attempt was due at the latest, for each whose predecessor is known."""
    by_number: dict[int, list[Exchange]] = {}
    for exchange in message.exchanges:
        by_number.setdefault(number_of(exchange) or 0, []).append(exchange)
    replays_s = (call.began_s for call in message.effective(Operation.REPLAY))
    replayed_s = min(replays_s, default=facts.ends_s + 1)
    for number, later in by_number.items():
        earlier = by_number.get(number - 1)
        if later[0].request.at_s >= replayed_s:
            continue  # `what_is_asked_for_starts` looks at it
        if number == 1:
            yield message.accepted().hi, later[0]
        elif earlier is not None and number > 1 and not _is_shifted(facts, earlier[0], later[0]):
            over_s = max(facts.timing.over_by(each) for each in earlier)
            if may_be_parked(facts, endpoint, over_s + _RESTARTS_S):
                continue  # its outcome is judged when a command takes the endpoint up again
            closed = closed_since_s(facts, endpoint, over_s) <= message.accepted().lo
            delay_s = most_delay_s(facts, message, number - 1, earlier, closed=closed)
            yield over_s + delay_s, later[0]


def _is_shifted(facts: Facts, one: Exchange, two: Exchange) -> bool:
    """Return whether a start after a jump of the clock may have moved the retry."""
    return bool(facts.weather.jumps) and facts.weather.ends_life(
        facts.timing.begun(one).lo, facts.timing.begun(two).hi
    )


RULES: tuple[Rule, ...] = (what_is_due_starts, what_is_asked_for_starts)
