"""The least delay that a retry must have waited, from the outcomes before it."""

from collections.abc import Sequence

from sluicegate.simulation.oracle.asked import asked_s
from sluicegate.simulation.oracle.facts import EndpointFacts, Facts, MessageFacts
from sluicegate.simulation.oracle.history import Exchange

__all__ = ["least_delay_s", "may_have_opened", "most_delay_s"]

_TOO_MANY = "429"


def least_delay_s(
    facts: Facts, message: MessageFacts, number: int, attempts: Sequence[Exchange]
) -> float:
    """Return the least delay, in seconds, that must follow attempt `number` of a message.

    After a 429 the fast schedule, after anything else the slow one, each walked for itself. What
    is not known for certain is taken for the least: where in a schedule a message is after a
    replay; what an attempt came to that is not listed; and which schedule followed a 429 if the
    circuit may have been open (then the slow one).

    Args:
        facts: what is known.
        message: which.
        number: the attempt's.
        attempts: the requests with this number; several, if the process ended between.
    """
    listed = _outcomes(message)
    came_to = listed[number - 1] if number <= len(listed) else _known(facts, attempts)
    before = listed[: number - 1] if number <= len(listed) else []
    sure = number <= len(listed) and not message.may_be_replayed
    circuit = message.endpoint is None or may_have_opened(facts, message.endpoint)
    fast_before = sum(outcome == _TOO_MANY for outcome in before)
    slow_s, fast_s = facts.history.retry_slow_s, facts.history.retry_fast_s
    slow = _least(slow_s, number - fast_before, exact=sure and not circuit, known=sure)
    fast = _least(fast_s, fast_before + 1, exact=sure and not circuit, known=sure and not circuit)
    if came_to == _TOO_MANY:
        delay_s = min(slow, fast) if circuit else fast
    elif came_to is None:
        delay_s = min(slow, fast)
    else:
        delay_s = slow
    least_s = min((_heard_s(facts, each, came_to) for each in attempts), default=0)
    return max(delay_s, least_s)


def most_delay_s(
    facts: Facts,
    message: MessageFacts,
    number: int,
    attempts: Sequence[Exchange],
    *,
    closed: bool,
) -> float:
    """Return the longest delay, in seconds, that may follow attempt `number` of a message.

    Its schedule's, with all of the jitter, or what a receiver may have asked for. Where it is not
    certain which schedule was followed, or of an attempt that is not listed, the longest of all.

    Args:
        facts: what is known.
        message: which; no replay of it was asked for before.
        number: the attempt's.
        attempts: the requests with this number.
        closed: whether the circuit was closed for certain as long as the message is there: in an
            open one no retry is fast.
    """
    listed = _outcomes(message)
    slow_s, fast_s = facts.history.retry_slow_s, facts.history.retry_fast_s
    delay_s = max((*slow_s, *fast_s), default=0.0)
    if number <= len(listed) and (closed or _TOO_MANY not in listed[:number]):
        fast_before = sum(outcome == _TOO_MANY for outcome in listed[: number - 1])
        if listed[number - 1] == _TOO_MANY:
            delay_s = _least(fast_s, fast_before + 1, exact=True, known=True)
        else:
            delay_s = _least(slow_s, number - fast_before, exact=True, known=True)
    most_s = max((asked_s(facts, each).hi for each in attempts), default=0.0)
    return max(delay_s * (1 + facts.history.retry_jitter), most_s)


def _least(delays_s: Sequence[float], nth: int, *, exact: bool, known: bool) -> float:
    """Return the delay of the nth retry, or of the least one from there on, or of all."""
    if not delays_s:
        return 0.0
    at = min(nth, len(delays_s)) - 1
    if exact:
        return delays_s[at]
    return min(delays_s[at:] if known else delays_s)


def _outcomes(message: MessageFacts) -> Sequence[str]:
    view = message.view
    return view.outcomes if view is not None and len(view.outcomes) == view.attempts else ()


def _known(facts: Facts, attempts: Sequence[Exchange]) -> str | None:
    if len(attempts) == 1 and facts.timing.answer_known(attempts[0]):
        answer = attempts[0].answer
        return None if answer is None else str(answer.status)
    return None


def may_have_opened(facts: Facts, endpoint: EndpointFacts) -> bool:
    """Return whether the endpoint's circuit may have been open at some time."""
    limit = facts.history.circuit_failures
    if limit == 0:
        return False
    failures = 0
    for message, owner in facts.deliveries():
        if owner is not endpoint:
            continue
        outcomes = _outcomes(message)
        if not outcomes and (message.exchanges or message.view is None):
            return True  # nobody has listed them
        failures += sum(not outcome.startswith("2") for outcome in outcomes)
    return failures >= limit


def _heard_s(facts: Facts, exchange: Exchange, came_to: str | None) -> float:
    """Return what a receiver asked for, if for certain that was heard; in seconds."""
    answer = exchange.answer
    return 0.0 if answer is None or came_to != str(answer.status) else asked_s(facts, exchange).lo
