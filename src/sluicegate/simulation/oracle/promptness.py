"""What is due does not wait, when nothing is wrong."""

from collections.abc import Iterator

from sluicegate.simulation.oracle.duplicates import number_of
from sluicegate.simulation.oracle.facts import EndpointFacts, Facts, MessageFacts
from sluicegate.simulation.oracle.history import Exchange, Operation
from sluicegate.simulation.oracle.pausing import may_be_paused
from sluicegate.simulation.oracle.schedule import may_have_opened, most_delay_s
from sluicegate.simulation.oracle.timing import Span
from sluicegate.simulation.oracle.violation import Rule, Violation

__all__ = ["RULES", "calm_since_s", "is_late", "may_be_parked", "waits_for_others"]

_AFTERMATH_S = 90.0
"""Until what was begun in trouble is over: time limits, name servers, writes tried again."""
_DIRECT_AFTERMATH_S = 35.0
"""The same where requests travel as values: a time limit, and some writes tried again."""
_PATIENCE_S = 10.0
_REVIVALS = (Operation.UPDATE_ENDPOINT, Operation.PAUSE, Operation.RESUME, Operation.ADD_KEY)
_EACH_S = 0.2
"""What every other request may take, with one attempt in flight at a time."""


def what_is_due_starts(facts: Facts) -> Iterator[Violation]:
    """A message is attempted soon after it is accepted, and again soon after its retry is due.

    Judged from a while after the last trouble, on endpoints that for certain are neither ordered
    nor limited in their rate, nor may have been paused, nor had an open circuit. There is patience
    for a turn behind all requests that arrived meanwhile, at their slowest; a receiver that is
    slow by itself makes it longer.
    """
    for message, endpoint in _free_messages(facts):
        for due_s, exchange in _due(facts, message):
            began_s = facts.timing.begun(exchange).lo
            calm_s = calm_since_s(facts, facts.timing.begun(exchange).hi)
            if is_late(facts, endpoint, exchange, max(due_s, calm_s)):
                yield _late(message, exchange, f"was due at {due_s:.3f} s, and began", began_s)
                break


def what_is_asked_for_starts(facts: Facts) -> Iterator[Violation]:
    """A message that was replayed, or whose retry was hastened, is attempted soon.

    Under the same conditions; and nothing may have been wrong since it was asked for, for an
    attempt that nobody saw would have carried it out.
    """
    for message, endpoint in _free_messages(facts):
        asked = endpoint.succeeded(Operation.REPLAY) + endpoint.succeeded(Operation.RETRY_NOW)
        for call in asked:
            following = (e for e in message.exchanges if e.request.at_s > call.began_s)
            exchange = next(following, None)
            if call.message_id != message.id or call.ended_s is None or exchange is None:
                continue
            began_s = facts.timing.begun(exchange).lo
            calm_s = calm_since_s(facts, facts.timing.begun(exchange).hi)
            if calm_s < call.began_s and is_late(facts, endpoint, exchange, call.ended_s):
                text = f"was asked for by call {call.number} at {call.ended_s:.3f} s, and began"
                yield _late(message, exchange, text, began_s, "what_is_asked_for_starts")


def _free_messages(facts: Facts) -> Iterator[tuple[MessageFacts, EndpointFacts]]:
    """Yield the messages of endpoints on which nothing waits for another."""
    free = {name for name, each in facts.endpoints.items() if _is_free(facts, each)}
    for message, endpoint in facts.deliveries():
        if endpoint.name in free:
            yield message, endpoint


def calm_since_s(facts: Facts, to_s: float) -> float:
    """Return since when nothing was wrong up to a moment, nor its aftermath was felt."""
    aftermath_s = _DIRECT_AFTERMATH_S if facts.history.direct else _AFTERMATH_S
    return facts.weather.troubled_until(to_s) + aftermath_s


def may_be_parked(facts: Facts, endpoint: EndpointFacts, at_s: float) -> bool:
    """Return whether bugs on purpose may have parked an endpoint, some time before `at_s`.

    That is, since the last start, or since the last command, which takes it up again.
    """
    revivals_s = [
        call.ended_s
        for operation in _REVIVALS
        for call in endpoint.succeeded(operation)
        if call.ended_s is not None and call.ended_s <= at_s - _PATIENCE_S
    ]
    last_start_s = facts.weather.last_start_s
    if last_start_s <= at_s - _PATIENCE_S:
        revivals_s.append(last_start_s)
    return facts.weather.worst(max(revivals_s, default=0.0), at_s, "").bug > 0


def is_late(facts: Facts, endpoint: EndpointFacts, exchange: Exchange, due_s: float) -> bool:
    """Return whether an attempt began later than patience allows, with nothing to hold it up."""
    begun = facts.timing.begun(exchange)
    if may_be_parked(facts, endpoint, begun.lo):
        return False
    if begun.lo <= due_s + _PATIENCE_S or may_be_paused(facts, endpoint, due_s - 1, begun.hi):
        return False
    meanwhile = [
        each
        for each in facts.history.exchanges
        if due_s - _AFTERMATH_S <= each.request.at_s <= begun.hi
    ]
    slowest_s = max((e.answer.delay_s for e in meanwhile if e.answer is not None), default=0.0)
    return begun.lo > due_s + _PATIENCE_S + len(meanwhile) * (_EACH_S + slowest_s)


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


def _is_free(facts: Facts, endpoint: EndpointFacts) -> bool:
    return not (waits_for_others(facts, endpoint) or may_have_opened(facts, endpoint))


def waits_for_others(facts: Facts, endpoint: EndpointFacts) -> bool:
    """Return whether an endpoint may ever have been ordered, or limited in its rate."""
    always = Span(0.0, facts.ends_s)
    return any(
        endpoint.values("ordered", False, always.lo, always.hi)  # noqa: FBT003 - the default
    ) or any(endpoint.numbers("rate_limit_rps", 0, always.lo, always.hi))


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


RULES: tuple[Rule, ...] = (what_is_due_starts, what_is_asked_for_starts)
