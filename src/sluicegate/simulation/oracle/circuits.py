"""An endpoint that fails again and again gets one probe at a time."""

import math
from collections.abc import Iterator

from sluicegate.simulation.oracle.duplicates import number_of
from sluicegate.simulation.oracle.facts import EndpointFacts, Facts, MessageFacts
from sluicegate.simulation.oracle.history import Exchange, Operation
from sluicegate.simulation.oracle.readiness import Readiness
from sluicegate.simulation.oracle.resets import closed_since_s
from sluicegate.simulation.oracle.statuses import is_final, is_success
from sluicegate.simulation.oracle.timing import Span
from sluicegate.simulation.oracle.violation import Rule, Violation

__all__ = ["RULES"]


def an_open_circuit_lets_one_probe_through(facts: Facts) -> Iterator[Violation]:
    """After `circuit_failures` retryable failures in a row, no two attempts are in flight at once.

    In a row for certain: each was answered so that the engine knew, and recorded, before the first
    of the two began; and nothing that may have been a success was on its
    way, nor a resume, which begins the count anew. The circuit is durable: a crash does not
    close it.
    """
    if facts.history.circuit_failures == 0:
        return
    for endpoint in facts.endpoints.values():
        for span in _surely_open(facts, endpoint):
            probes = [e for e in endpoint.exchanges if _is_within(facts, e, span)]
            facts.judged["an_open_circuit_lets_one_probe_through"] += len(probes)
            for one, two in _pairs(facts, probes):
                yield Violation(
                    rule="an_open_circuit_lets_one_probe_through",
                    at_s=two.request.at_s,
                    text=f"{endpoint.name} had two attempts in flight, and its circuit was open"
                    f" since {span.lo:.3f} s",
                    exchanges=(one, two),
                )
                break


def a_success_closes_the_circuit(facts: Facts) -> Iterator[Violation]:
    """Behind a success, what was never tried does not wait for the retry of another message.

    With an open circuit it does. Judged from the moment on at which the circuit was closed for
    certain, up to the attempt. Patience is as for anything that is due.
    """
    rule, readiness = "a_success_closes_the_circuit", Readiness(facts)
    for endpoint in facts.endpoints.values():
        for message, exchange in _first_attempts(facts, endpoint):
            begun = facts.timing.begun(exchange)
            closed_s = closed_since_s(facts, endpoint, begun.hi)
            if closed_s <= message.accepted().hi:
                continue  # it never waited for the circuit
            if readiness.is_late(rule, message, endpoint, exchange, closed_s):
                yield Violation(
                    rule=rule,
                    at_s=exchange.request.at_s,
                    text=f"{message.id} began after {begun.lo:.3f} s, and nothing was in its way"
                    f" since {closed_s:.3f} s",
                    exchanges=(exchange,),
                )
                break


def _first_attempts(
    facts: Facts, endpoint: EndpointFacts
) -> Iterator[tuple[MessageFacts, Exchange]]:
    for message, owner in facts.deliveries():
        if owner is endpoint and message.exchanges and number_of(message.exchanges[0]) == 1:
            yield message, message.exchanges[0]


def _surely_open(facts: Facts, endpoint: EndpointFacts) -> Iterator[Span]:
    """Yield the stretches in which the circuit was open, for certain."""
    count = facts.history.circuit_failures
    closings = list(_closings(facts, endpoint))
    failures = [each for each in endpoint.exchanges if _has_failed(facts, each)]
    for last in range(count - 1, len(failures)):
        row = failures[last - count + 1 : last + 1]
        since_s = min(facts.timing.begun(each).lo for each in row)
        open_s = max(facts.timing.recorded_by(each) for each in row)
        if not any(each.lo <= open_s and each.hi >= since_s for each in closings):
            later = (each.lo for each in closings if each.lo > open_s)
            yield Span(open_s, min(later, default=math.inf))


def _closings(facts: Facts, endpoint: EndpointFacts) -> Iterator[Span]:
    """Yield when the count may have begun anew: a success was recorded, or a resume carried out."""
    for call in endpoint.effective(Operation.RESUME):
        yield Span(call.began_s, facts.until_s(call))
    for exchange in endpoint.exchanges:
        if exchange.answer is not None and is_success(exchange.answer.status):
            over_s = facts.timing.ended(exchange).hi + 1
            fails = facts.weather.disk_fails(exchange.request.at_s, over_s)
            yield Span(exchange.request.at_s, math.inf if fails else over_s)


def _has_failed(facts: Facts, exchange: Exchange) -> bool:
    """Return whether an attempt for certain came to a retryable failure that was recorded."""
    answer = exchange.answer
    if answer is None or is_final(answer.status) or not facts.timing.answer_known(exchange):
        return False
    by_s = facts.timing.recorded_by(exchange)
    return by_s < math.inf and not facts.weather.ends_life(facts.timing.begun(exchange).lo, by_s)


def _is_within(facts: Facts, exchange: Exchange, span: Span) -> bool:
    begun = facts.timing.begun(exchange)
    return span.lo < begun.lo and begun.hi < span.hi


def _pairs(facts: Facts, probes: list[Exchange]) -> Iterator[tuple[Exchange, Exchange]]:
    """Yield probes that were for certain in flight at the same time, in one life."""
    for index, two in enumerate(probes):
        begun = facts.timing.begun(two)
        for one in probes[max(0, index - 8) : index]:
            over_s = min(
                facts.timing.ended(one).lo,
                facts.weather.death_after(facts.timing.begun(one).lo),
            )
            if facts.timing.begun(one).hi <= begun.lo and over_s > begun.hi:
                yield one, two


RULES: tuple[Rule, ...] = (
    an_open_circuit_lets_one_probe_through,
    a_success_closes_the_circuit,
)
