"""Attempts are numbered, bounded and spaced; what is listed is what was seen."""

import math
from collections import defaultdict
from collections.abc import Iterator

from sluicegate.simulation.oracle.duplicates import number_of
from sluicegate.simulation.oracle.facts import Facts, MessageFacts
from sluicegate.simulation.oracle.history import Exchange, Operation
from sluicegate.simulation.oracle.schedule import least_delay_s
from sluicegate.simulation.oracle.violation import Rule, Violation

__all__ = ["RULES"]

_TOLERANCE_S = 0.006
"""Of three clocks that count milliseconds: the result's, the row's, the timer's."""
_LISTED_MAX = 200


def attempts_count_on(facts: Facts) -> Iterator[Violation]:
    """Attempts are numbered from 1, each higher than the one before, over all cycles.

    A number comes twice only where the process ended before the first of them was recorded. Of two
    that may have begun in either order nothing is said.
    """
    for message in facts.messages.values():
        facts.judged["attempts_count_on"] += len(message.exchanges)
        for exchange in message.exchanges:
            if (number_of(exchange) or 0) < 1:
                yield _about(message, exchange, "attempts_count_on", "has no number")
        for index, two in enumerate(message.exchanges):
            for one in message.exchanges[:index]:
                begun, again = facts.timing.begun(one), facts.timing.begun(two)
                first, second = number_of(one) or 0, number_of(two) or 0
                if begun.hi >= again.lo or second > first:
                    continue
                if second == first and facts.weather.ends_life(begun.lo, again.hi):
                    continue
                text = f"is attempt {second}, after attempt {first}"
                yield _about(message, two, "attempts_count_on", text)
                break


def cycles_are_bounded(facts: Facts) -> Iterator[Violation]:
    """A cycle has at most `attempts_max` attempts; every replay may have begun another one."""
    for message in facts.messages.values():
        limit = facts.history.attempts_max * (1 + len(message.effective(Operation.REPLAY)))
        facts.judged["cycles_are_bounded"] += len(message.exchanges)
        for exchange in message.exchanges:
            number = number_of(exchange) or 0
            if number > limit:
                text = f"is attempt {number}, at most {limit} are allowed"
                yield _about(message, exchange, "cycles_are_bounded", text)
                break


def retries_wait_long_enough(facts: Facts) -> Iterator[Violation]:
    """No attempt begins before the delay is over that the outcome before it gives.

    The least that the schedule may give (jitter only adds), and what `Retry-After` asks for, from
    the earliest moment at which the attempt before can have ended. Shorter only where a retry
    was hastened, a resume made all due, or a replay was asked for; or where the process was started
    again after the wall clock was set anew: it sets the steady clock by it.
    """
    for message, _ in facts.deliveries():
        by_number = _by_number(message)
        for number, later in by_number.items():
            earlier = by_number.get(number - 1)
            if earlier is None or number <= 1:
                continue
            delay_s = least_delay_s(facts, message, number - 1, earlier)
            due_s = min(_over_s(facts, each) for each in earlier) + delay_s
            since_s = min(facts.timing.begun(each).lo for each in earlier)
            for exchange in later:
                by_s = facts.timing.begun(exchange).hi
                if _is_hastened(facts, message, since_s, by_s):
                    continue
                facts.judged["retries_wait_long_enough"] += 1
                if by_s >= due_s - _TOLERANCE_S:
                    continue
                text = f"attempt {number} began by {by_s:.3f} s, due at {due_s:.3f} s or later"
                yield _about(message, exchange, "retries_wait_long_enough", text)


def _over_s(facts: Facts, exchange: Exchange) -> float:
    """Return when an attempt was over at the earliest.

    If the process ended first, that is when: the next one makes it again under the same number,
    perhaps without a receiver that sees it.
    """
    death_s = facts.weather.death_after(facts.timing.begun(exchange).lo)
    return min(facts.timing.ended(exchange).lo, death_s)


def attempts_listed_were_seen(facts: Facts) -> Iterator[Violation]:
    """Every attempt that is listed with a status was seen by a receiver that answered just so.

    And one that was seen, and whose answer the engine for certain knew and recorded, is listed as
    nothing else.
    """
    for message in facts.messages.values():
        view = message.view
        if view is None or message.endpoint is None or len(view.outcomes) != view.attempts:
            continue
        by_number = _by_number(message)
        for number, outcome in enumerate(view.outcomes, start=1):
            seen = by_number.get(number, [])
            facts.judged["attempts_listed_were_seen"] += outcome.isdecimal()
            answers = [str(each.answer.status) for each in seen if each.answer is not None]
            if outcome.isdecimal() and outcome not in answers:
                text = f"attempt {number} is listed with {outcome}; answered was {answers}"
                yield _listed(facts, message, "attempts_listed_were_seen", text)
            elif not outcome.isdecimal() and len(seen) == 1 and _is_recorded(facts, seen[0]):
                text = f"attempt {number} is listed as {outcome}; answered was {answers}"
                yield _listed(facts, message, "attempts_listed_were_seen", text)


def attempts_seen_are_listed(facts: Facts) -> Iterator[Violation]:
    """Every attempt that a receiver saw is listed, once everything has come to its end.

    Unless the process ended while it was under way, or before its result was written: then the
    next one has its number. A disk that fails, or a bug on purpose, keeps a result from being
    written for a while.
    """
    settled_s = facts.weather.settled_s
    if settled_s is None:
        return
    for message in facts.messages.values():
        view = message.view
        if view is None or view.attempts >= _LISTED_MAX:
            continue
        for exchange in message.exchanges:
            number, begun = number_of(exchange) or 0, facts.timing.begun(exchange)
            over_s = facts.timing.ended(exchange).hi + 1
            if over_s > settled_s:
                continue
            written_s = facts.weather.disk_well_after(over_s) + 1
            if facts.weather.worst(begun.lo, written_s, "").bug:
                written_s = math.inf  # it waits for whoever takes the endpoint up again
            if facts.weather.ends_life(begun.lo, written_s):
                continue
            facts.judged["attempts_seen_are_listed"] += 1
            if number > view.attempts:
                text = f"attempt {number} was seen; {view.attempts} are listed"
                yield _listed(facts, message, "attempts_seen_are_listed", text)
                break


def _by_number(message: MessageFacts) -> dict[int, list[Exchange]]:
    found: dict[int, list[Exchange]] = defaultdict(list)
    for exchange in message.exchanges:
        found[number_of(exchange) or 0].append(exchange)
    return found


def _is_hastened(facts: Facts, message: MessageFacts, from_s: float, to_s: float) -> bool:
    endpoint = message.endpoint
    return (
        endpoint is None
        or message.may_happen(Operation.RETRY_NOW, from_s, to_s)
        or message.may_happen(Operation.REPLAY, from_s, to_s)
        or endpoint.may_happen(Operation.RESUME, from_s, to_s)
        or (
            any(jump_s <= to_s for jump_s in facts.weather.jumps)
            and facts.weather.ends_life(from_s, to_s)
        )
    )


def _is_recorded(facts: Facts, exchange: Exchange) -> bool:
    if not facts.timing.answer_known(exchange):
        return False
    by_s = facts.timing.recorded_by(exchange)
    return by_s < math.inf and not facts.weather.ends_life(exchange.request.at_s, by_s)


def _about(message: MessageFacts, exchange: Exchange, rule: str, text: str) -> Violation:
    return Violation(
        rule=rule,
        at_s=exchange.request.at_s,
        text=f"{message.id}: {text}",
        exchanges=(exchange,),
    )


def _listed(facts: Facts, message: MessageFacts, rule: str, text: str) -> Violation:
    return Violation(
        rule=rule,
        at_s=facts.ends_s,
        text=f"{message.id}: {text}",
        exchanges=tuple(message.exchanges),
    )


RULES: tuple[Rule, ...] = (
    attempts_count_on,
    cycles_are_bounded,
    retries_wait_long_enough,
    attempts_listed_were_seen,
    attempts_seen_are_listed,
)
