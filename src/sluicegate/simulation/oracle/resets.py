"""When an endpoint's count of failures surely began anew: a success was recorded, or a resume."""

import math
from collections.abc import Iterator

from sluicegate.simulation.oracle.duplicates import number_of
from sluicegate.simulation.oracle.facts import EndpointFacts, Facts, MessageFacts
from sluicegate.simulation.oracle.history import Exchange, Operation
from sluicegate.simulation.oracle.statuses import is_permanent, is_success
from sluicegate.simulation.oracle.timing import Span

__all__ = ["closed_since_s", "failing_stretches", "judged_by"]

_RECORD_S = 1.0
"""From the end of an attempt until its result is known everywhere: some commits of 4 ms each."""
_BUGS_LAST_S = 90.0
"""For how long an attempt that was begun among bugs may keep its endpoint's actor from judging: its
connection's time, its time limit, and until the actor is up again."""


def failing_stretches(facts: Facts, endpoint: EndpointFacts) -> Iterator[Span]:
    """Yield the longest stretches of failures without a success, or a resume, between for certain.

    Each from the first failure on that may belong to it, until the last attempt without success: a
    permanent answer neither begins a stretch nor ends it, but is looked at all the same.
    """
    failures, resets = _failures_of(facts, endpoint), _resets_of(facts, endpoint)
    permanent = [
        _span(facts, endpoint, each)
        for each in endpoint.exchanges
        if each.answer is not None and is_permanent(each.answer.status)
    ]
    for reset in resets:
        over_s = min((each.hi for each in resets if each.lo > reset.lo), default=math.inf)
        within = [each for each in failures if each.hi >= reset.lo and each.lo <= over_s]
        if within:
            first_s = max(reset.lo, min(each.lo for each in within))
            behind = [each for each in permanent if first_s <= each.hi and each.lo <= over_s]
            yield Span(first_s, min(over_s, max(each.hi for each in within + behind)))


def _resets_of(facts: Facts, endpoint: EndpointFacts) -> list[Span]:
    return facts.kept("resets", endpoint, lambda: _sure_resets(facts, endpoint))


def _failures_of(facts: Facts, endpoint: EndpointFacts) -> list[Span]:
    return facts.kept("failures", endpoint, lambda: list(_failures(facts, endpoint)))


def _sure_resets(facts: Facts, endpoint: EndpointFacts) -> list[Span]:
    """Return when failures were forgotten for certain, each between two moments; in order of time.

    By the answer to a resume, or by a success that was recorded; and at first when the endpoint
    was created.
    """
    found = [Span(0.0, _created_s(endpoint))]
    found += [
        Span(call.began_s, call.ended_s or math.inf)
        for call in endpoint.succeeded(Operation.RESUME)
    ]
    for exchange in endpoint.exchanges:
        by_s = _was_recorded_by(facts, exchange)
        if by_s < math.inf and exchange.answer is not None and is_success(exchange.answer.status):
            found.append(Span(exchange.request.at_s, by_s))
    return sorted(found, key=lambda span: span.lo)


def _was_recorded_by(facts: Facts, exchange: Exchange) -> float:
    """Return by when the engine surely knew, and recorded, an answer; infinity: perhaps never.

    It knew it if nothing was in its way; or if it lists it, and no other attempt of that number
    was seen. It has recorded it if nothing was wrong with the disk, and the process lived on.
    """
    answer, message = exchange.answer, facts.message_of(exchange)
    if answer is None or message is None:
        return math.inf
    begun, over_s = facts.timing.begun(exchange), facts.timing.ended(exchange).hi
    known = facts.timing.answer_known(exchange)
    by_s = facts.timing.answer_by(exchange) + _RECORD_S if known else over_s + _RECORD_S
    if not known and not _is_listed(message, exchange):
        return math.inf
    if facts.weather.disk_fails(exchange.request.at_s, by_s):
        return math.inf
    if facts.weather.worst(begun.lo, by_s, "").bug:
        # Whoever takes the attempt over records it: in the same life, and when it is up.
        return facts.weather.death_after(begun.lo)
    return math.inf if facts.weather.ends_life(begun.lo, by_s) else by_s


def _is_listed(message: MessageFacts, exchange: Exchange) -> bool:
    number, view = number_of(exchange) or 0, message.view
    if view is None or exchange.answer is None or not 0 < number <= len(view.outcomes):
        return False
    twins = sum(number_of(each) == number for each in message.exchanges)
    return twins == 1 and view.outcomes[number - 1] == str(exchange.answer.status)


def closed_since_s(facts: Facts, endpoint: EndpointFacts, to_s: float) -> float:
    """Return since when the circuit was closed up to a moment, for certain; infinity: it was not.

    That is, from the first reset on behind which too few failures may have come to open it.
    """
    limit = facts.history.circuit_failures
    if limit == 0:
        return 0.0
    failures = _failures_of(facts, endpoint)
    for reset in _resets_of(facts, endpoint):
        if reset.hi > to_s:
            continue
        if sum(each.lo <= to_s and each.hi >= reset.lo for each in failures) < limit:
            return reset.hi
    return math.inf


def _failures(facts: Facts, endpoint: EndpointFacts) -> Iterator[Span]:
    """Yield between which moments each failure came that may have counted."""
    always = Span(-math.inf, math.inf)
    for message, owner in facts.deliveries():
        if owner is not endpoint:
            continue
        seen: dict[int, list[Exchange]] = {}
        for exchange in message.exchanges:
            seen.setdefault(number_of(exchange) or 0, []).append(exchange)
            answer = exchange.answer
            if (
                answer is None
                or not (is_permanent(answer.status) or is_success(answer.status))
                or not (facts.timing.answer_known(exchange) or _is_listed(message, exchange))
            ):
                yield _span(facts, endpoint, exchange)
        view = message.view
        if view is None or len(view.outcomes) != view.attempts:
            # Nobody has listed what no receiver saw.
            yield from [always] * max(2, facts.history.circuit_failures)
            continue
        for number in range(1, view.attempts + 1):
            if number not in seen:
                before = [e for n, each in seen.items() if n < number for e in each]
                behind = [e for n, each in seen.items() if n > number for e in each]
                lo = max((facts.timing.begun(e).lo for e in before), default=message.accepted().lo)
                hi = min((facts.timing.begun(e).hi for e in behind), default=math.inf)
                yield Span(lo, max(lo, hi))


def _span(facts: Facts, endpoint: EndpointFacts, exchange: Exchange) -> Span:
    """Return between which moments an attempt was judged: see `judged_by`."""
    return Span(facts.timing.begun(exchange).lo, judged_by(facts, endpoint, exchange))


def judged_by(facts: Facts, endpoint: EndpointFacts, exchange: Exchange) -> float:
    """Return by when the engine had judged an attempt, if it ever did.

    As soon as it was over, whatever the disk did: what is recorded later was judged before all the
    same, and neither counts nor pauses behind a resume that was asked for meanwhile. A bug on
    purpose lets it wait for whoever takes it over, in the same life.
    """
    begun, over_s = facts.timing.begun(exchange), facts.timing.over_by(exchange)
    died_s = facts.weather.death_after(begun.hi)
    buggy_s = max(begun.lo - _BUGS_LAST_S, _created_s(endpoint))
    if buggy_s <= over_s and facts.weather.worst(buggy_s, over_s, "").bug:
        return died_s
    return min(over_s, died_s)


def _created_s(endpoint: EndpointFacts) -> float:
    """Return when an endpoint was created at the earliest."""
    created_s = (call.began_s for call in endpoint.effective(Operation.CREATE_ENDPOINT))
    return min(created_s, default=0.0)
