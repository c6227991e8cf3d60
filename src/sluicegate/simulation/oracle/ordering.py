"""The order of acceptance: of starts, and on ordered endpoints of whole deliveries."""

import itertools
import math
from collections.abc import Iterator

from sluicegate.simulation.oracle.facts import EndpointFacts, Facts, MessageFacts
from sluicegate.simulation.oracle.history import Call, Exchange, Operation
from sluicegate.simulation.oracle.pausing import may_be_paused
from sluicegate.simulation.oracle.timing import TICK_S
from sluicegate.simulation.oracle.violation import Rule, Violation

__all__ = ["RULES"]

_OPEN = ("queued", "delivering", "pending_retry", "paused")


def starts_follow_acceptance(facts: Facts) -> Iterator[Violation]:
    """Of two messages, the one accepted first is attempted first, for the first time.

    Judged by attempts number 1 that a receiver saw of both. Lawfully the later one goes first where
    the earlier one's attempt was begun and taken back: recalled by a pause or by a crash of the
    endpoint's actor, unsent because storage did not give its payload, or lost with the process.
    Between the two, none of it may have been.
    """
    for endpoint in facts.endpoints.values():
        firsts = _first_attempts(facts, endpoint)
        firsts.sort(key=lambda pair: facts.timing.begun(pair[1]).hi)
        facts.judged["starts_follow_acceptance"] += sum(
            one.accepted_before(two) and not _is_excused(facts, endpoint, first, second)
            for (one, first), (two, second) in itertools.pairwise(firsts)
        )
        for index, (later, went) in enumerate(firsts):
            went_by_s = facts.timing.begun(went).hi
            for earlier, waited in firsts[index + 1 :]:
                begun = facts.timing.begun(waited)
                if begun.lo <= went_by_s or not earlier.accepted_before(later):
                    continue
                if not _is_excused(facts, endpoint, went, waited):
                    yield Violation(
                        rule="starts_follow_acceptance",
                        at_s=went.request.at_s,
                        text=f"{later.id} went to {endpoint.name} by {went_by_s:.3f} s, and"
                        f" {earlier.id}, accepted before it, only after {begun.lo:.3f} s",
                        calls=(*earlier.sends[:1], *later.sends[:1]),
                        exchanges=(went, waited),
                    )
                    break


def resumes_keep_the_order(facts: Facts) -> Iterator[Violation]:
    """What was held is attempted in the order of acceptance, also what had failed before.

    Judged by the first attempts behind a resume, if they are the next ones of their messages (an
    attempt that nobody saw may have been between), of messages that no client has operated on.
    Excuses are as for the very first attempts.
    """
    for endpoint in facts.endpoints.values():
        messages = [each for each, owner in facts.deliveries() if owner is endpoint]
        for resume in endpoint.succeeded(Operation.RESUME):
            pairs = [(m, e) for m in messages if (e := _next_behind(facts, m, resume)) is not None]
            pairs.sort(key=lambda pair: facts.timing.begun(pair[1]).hi)
            facts.judged["resumes_keep_the_order"] += max(0, len(pairs) - 1)
            since_s = (resume.ended_s or math.inf) + TICK_S
            found = _overtaken(facts, endpoint, pairs, since_s=since_s)
            if found is not None:
                (later, went), (earlier, waited) = found
                yield Violation(
                    rule="resumes_keep_the_order",
                    at_s=went.request.at_s,
                    text=f"{later.id} went to {endpoint.name} by {facts.timing.begun(went).hi:.3f}"
                    f" s, and {earlier.id}, held like it and accepted before it, only after"
                    f" {facts.timing.begun(waited).lo:.3f} s",
                    calls=(resume,),
                    exchanges=(went, waited),
                )


_Attempt = tuple[MessageFacts, Exchange]


def _overtaken(
    facts: Facts, endpoint: EndpointFacts, pairs: list[_Attempt], *, since_s: float
) -> tuple[_Attempt, _Attempt] | None:
    for index, (later, went) in enumerate(pairs):
        for earlier, waited in pairs[index + 1 :]:
            overtook = facts.timing.begun(waited).lo > facts.timing.begun(went).hi
            if not overtook or not earlier.accepted_before(later):
                continue
            if not _is_excused(facts, endpoint, went, waited, since_s=since_s):
                return (later, went), (earlier, waited)
    return None


def _next_behind(facts: Facts, message: MessageFacts, resume: Call) -> Exchange | None:
    """Return the attempt that a resume has set free, if for certain it is the first behind it."""
    ended_s = resume.ended_s or math.inf
    operated = (Operation.REPLAY, Operation.RETRY_NOW, Operation.CANCEL, Operation.DELETE_MESSAGE)
    if message.accepted().hi >= resume.began_s or any(map(message.effective, operated)):
        return None
    before = [e for e in message.exchanges if facts.timing.begun(e).hi < resume.began_s]
    behind = message.exchanges[len(before) : len(before) + 1]
    if not behind or facts.timing.begun(behind[0]).lo <= ended_s:
        return None
    if any(facts.timing.ended(each).hi + 1 >= resume.began_s for each in before):
        return None
    return (
        behind[0] if behind[0].request.header("x-webhook-attempt") == f"{len(before) + 1}" else None
    )


def ordered_messages_wait(facts: Facts) -> Iterator[Violation]:
    """On an ordered endpoint a message starts only when all accepted before it have ended.

    A crash excuses nothing: the end of the one before was durable. An earlier message had not
    ended if it is attempted again afterwards, or still waits, without a replay of it. Judged
    while the endpoint was ordered for certain.
    """
    for endpoint in facts.endpoints.values():
        if not endpoint.may_be_ordered(0.0, facts.ends_s):
            continue
        messages = [m for m, owner in facts.deliveries() if owner is endpoint and m.sends]
        for later in messages:
            if not later.exchanges:
                continue
            began = min(later.exchanges, key=lambda e: facts.timing.begun(e).hi)
            by_s = facts.timing.begun(began).hi
            facts.judged["ordered_messages_wait"] += endpoint.is_ordered(
                facts.timing.begun(began).lo - 1, by_s
            )
            for earlier in messages:
                if earlier is later or not earlier.accepted_before(later):
                    continue
                open_at_s = _open_after(facts, earlier, by_s)
                if open_at_s is None:
                    continue
                if endpoint.is_ordered(facts.timing.begun(began).lo - 1, open_at_s):
                    yield Violation(
                        rule="ordered_messages_wait",
                        at_s=began.request.at_s,
                        text=f"{later.id} started by {by_s:.3f} s, and {earlier.id}, accepted"
                        f" before it, was not over at {open_at_s:.3f} s",
                        calls=(*earlier.sends[:1], *later.sends[:1]),
                        exchanges=(began,),
                    )
                    break


def _first_attempts(facts: Facts, endpoint: EndpointFacts) -> list[tuple[MessageFacts, Exchange]]:
    found: list[tuple[MessageFacts, Exchange]] = []
    for message, owner in facts.deliveries():
        if owner is not endpoint or not message.exchanges or not message.sends:
            continue
        first = message.exchanges[0]
        if first.request.header("x-webhook-attempt") == "1":
            found.append((message, first))
    return found


def _is_excused(
    facts: Facts,
    endpoint: EndpointFacts,
    went: Exchange,
    waited: Exchange,
    *,
    since_s: float = -math.inf,
) -> bool:
    """Return whether an attempt may have been taken back between two others, after `since_s`."""
    from_s = max(since_s, facts.timing.begun(went).lo - 1)
    to_s = facts.timing.begun(waited).hi
    return (
        facts.weather.ends_life(from_s, to_s)
        or facts.weather.disk_fails(from_s, to_s)
        or facts.weather.worst(from_s, to_s, "").bug > 0
        or may_be_paused(facts, endpoint, from_s, to_s)
    )


def _open_after(facts: Facts, message: MessageFacts, at_s: float) -> float | None:
    """Return a moment after `at_s` at which a message, never replayed, had not ended."""
    if message.may_be_replayed:
        return None
    for exchange in message.exchanges:
        begun = facts.timing.begun(exchange)
        if begun.lo > at_s:
            return begun.lo
    if message.view is not None and message.view.status in _OPEN and message.was_accepted:
        return facts.ends_s
    return None


RULES: tuple[Rule, ...] = (
    starts_follow_acceptance,
    resumes_keep_the_order,
    ordered_messages_wait,
)
