"""When the faults are over, everything comes to an end, and a lawful one."""

import math
from collections.abc import Iterator

from sluicegate.simulation.oracle.duplicates import number_of
from sluicegate.simulation.oracle.facts import EndpointFacts, Facts, MessageFacts
from sluicegate.simulation.oracle.history import Operation
from sluicegate.simulation.oracle.pausing import may_be_paused
from sluicegate.simulation.oracle.promptness import calm_since_s
from sluicegate.simulation.oracle.readiness import may_be_parked
from sluicegate.simulation.oracle.statuses import is_final, is_over, is_permanent
from sluicegate.simulation.oracle.violation import Rule, Violation

__all__ = ["RULES"]

_FAR_S = 0.1
"""Packets travel so long that a few of them may take a second, the shortest time limit."""
_TIMEOUTS = ("timeout", "no response within ")
"""How a time limit that was reached is listed: of a request as a value, and over HTTP."""


def everything_finishes(facts: Facts) -> Iterator[Violation]:
    """Once all has settled, whatever waits on nothing has succeeded or failed for good.

    Held by a pause it may wait for ever, and reads `paused`. An endpoint whose actor crashed again
    and again (`Faults.bug`) since the last start may be parked.
    """
    settled_s = facts.weather.settled_s
    if settled_s is None:
        return
    for message, endpoint in facts.deliveries():
        view = message.view
        if view is None or message.accepted().lo > settled_s:
            continue
        if may_be_parked(facts, endpoint, facts.ends_s):
            continue
        facts.judged["everything_finishes"] += 1
        if is_over(view.status):
            continue
        held = view.status == "paused" and may_be_paused(facts, endpoint, settled_s, facts.ends_s)
        if not held:
            yield _about(facts, message, "everything_finishes", f"still reads {view.status}")


def failures_have_a_reason(facts: Facts) -> Iterator[Violation]:
    """What failed for good was refused by its receiver, or tried `attempts_max` times, or given up.

    A client gives it up by a cancellation or a deletion, of the message or its endpoint. A message
    whose attempts crash their actor again and again (`Faults.bug`) is given up.
    """
    for message in facts.messages.values():
        view = message.view
        if view is None or view.status != "failed_permanent" or message.endpoint is None:
            continue
        refused = any(
            each.answer is not None and is_permanent(each.answer.status)
            for each in message.exchanges
        )
        facts.judged["failures_have_a_reason"] += not _may_be_withdrawn(facts, message)
        explained = (
            refused
            or _may_be_poisoned(facts, message)
            or view.attempts >= facts.history.attempts_max
            or bool(message.effective(Operation.CANCEL))
            or facts.is_withdrawn(message)
        )
        if not explained:
            text = f"failed for good after {view.attempts} attempts, which nobody asked for"
            yield _about(facts, message, "failures_have_a_reason", text)


def a_replay_begins_a_new_cycle(facts: Facts) -> Iterator[Violation]:
    """What failed for good behind a replay was tried `attempts_max` times since, or had a reason.

    Judged of messages whose last replay was answered, from the first attempt behind it that a
    receiver saw. Reasons are those of `failures_have_a_reason`.
    """
    for message, endpoint in facts.deliveries():
        view = message.view
        replays = message.effective(Operation.REPLAY)
        if view is None or view.status != "failed_permanent" or not replays:
            continue
        if _may_be_withdrawn(facts, message):
            continue
        last = max(replays, key=lambda call: call.began_s)
        behind = [e for e in message.exchanges if e.request.at_s > last.began_s]
        first = next((number_of(e) for e in behind), None)
        if first is None or any(e.answer and is_permanent(e.answer.status) for e in behind):
            continue
        facts.judged["a_replay_begins_a_new_cycle"] += 1
        # Of those between, nobody saw whether they came before the replay.
        before = (number_of(e) or 0 for e in message.exchanges if e.request.at_s <= last.began_s)
        most = view.attempts - max(before, default=0)
        if most >= facts.history.attempts_max:
            continue
        ended = any(
            number_of(each) == first - 1 and each.answer and is_final(each.answer.status)
            for each in message.exchanges
        )
        if not ended and facts.timing.begun(behind[0]).lo < last.began_s:
            continue  # it may be the last one of the cycle before
        text = f"failed for good at most {most} attempts behind a replay"
        yield _about(facts, message, "a_replay_begins_a_new_cycle", f"{text} to {endpoint.name}")


def failures_in_calm_were_seen(facts: Facts) -> Iterator[Violation]:
    """In calm every attempt that is listed was answered: none ended without a status.

    A pause recalls an attempt before anything is sent; that is none. Judged of messages that
    succeeded, and had nothing wrong from a while before they were sent until then. Where packets
    travel long, a time limit may have been reached.
    """
    for message, _ in facts.deliveries():
        view = message.view
        if view is None or view.status != "succeeded" or not message.exchanges:
            continue
        over_s = max(facts.timing.ended(each).hi for each in message.exchanges)
        hosts = {each.request.host for each in message.exchanges}
        calm_s = max(calm_since_s(facts, over_s, host) for host in hosts)
        if calm_s > message.accepted().lo or message.may_be_replayed:
            continue
        since_s = message.accepted().lo
        if any(facts.weather.may_be_down(since_s, over_s, host) for host in hosts):
            continue
        facts.judged["failures_in_calm_were_seen"] += 1
        far_s = facts.weather.worst(message.accepted().lo, over_s).latency_s[1]
        excused = _TIMEOUTS if far_s > _FAR_S else ()
        unseen = [
            each for each in view.outcomes if not each.isdecimal() and not each.startswith(excused)
        ]
        if unseen:
            text = f"lists {unseen[0]}, with nothing wrong"
            yield _about(facts, message, "failures_in_calm_were_seen", text)


def replays_are_carried_out(facts: Facts) -> Iterator[Violation]:
    """Once all has settled, a replay that was answered has led to an attempt.

    Or to a failure for good, of attempts that no receiver saw. What may be held, given up or
    parked is not judged.
    """
    settled_s = facts.weather.settled_s
    if settled_s is None:
        return
    for message, endpoint in facts.deliveries():
        if message.view is None or message.view.status == "failed_permanent":
            continue
        if may_be_parked(facts, endpoint, facts.ends_s):
            continue
        if _may_be_given_up(facts, message, endpoint):
            continue
        for call in endpoint.succeeded(Operation.REPLAY):
            if call.message_id != message.id or (call.ended_s or math.inf) > settled_s:
                continue
            facts.judged["replays_are_carried_out"] += 1
            if not any(each.request.at_s > call.began_s for each in message.exchanges):
                text = f"was replayed at {call.ended_s:.3f} s, and did not come again"
                yield _about(facts, message, "replays_are_carried_out", text)


def what_was_deleted_is_over(facts: Facts) -> Iterator[Violation]:
    """Once all has settled, nothing waits of a deleted message, or on a deleted endpoint."""
    settled_s = facts.weather.settled_s
    if settled_s is None:
        return
    for message, endpoint in facts.deliveries():
        view = message.view
        if view is None:
            continue
        deleted_s = [
            call.ended_s
            for call in endpoint.succeeded(Operation.DELETE_MESSAGE)
            if call.message_id == message.id and call.ended_s is not None
        ]
        if min([endpoint.gone().hi, *deleted_s]) > settled_s:
            continue
        facts.judged["what_was_deleted_is_over"] += 1
        if not is_over(view.status):
            text = f"was deleted, or its endpoint, and reads {view.status}"
            yield _about(facts, message, "what_was_deleted_is_over", text)


def _may_be_poisoned(facts: Facts, message: MessageFacts) -> bool:
    """Return whether a bug on purpose may have ended a message, behind all that was seen of it."""
    begun = (facts.timing.begun(each).lo for each in message.exchanges)
    since_s = max(begun, default=message.accepted().lo)
    return facts.weather.worst(since_s, facts.ends_s, "").bug > 0


def _may_be_withdrawn(facts: Facts, message: MessageFacts) -> bool:
    poisoned = _may_be_poisoned(facts, message)
    return poisoned or bool(message.effective(Operation.CANCEL)) or facts.is_withdrawn(message)


def _may_be_given_up(facts: Facts, message: MessageFacts, endpoint: EndpointFacts) -> bool:
    return (
        facts.is_withdrawn(message)
        or bool(message.effective(Operation.CANCEL))
        or may_be_paused(facts, endpoint, 0.0, facts.ends_s)
    )


def _about(facts: Facts, message: MessageFacts, rule: str, text: str) -> Violation:
    return Violation(
        rule=rule,
        at_s=facts.ends_s,
        text=f"{message.id} {text}",
        calls=tuple(message.sends),
        exchanges=tuple(message.exchanges),
    )


RULES: tuple[Rule, ...] = (
    everything_finishes,
    failures_have_a_reason,
    a_replay_begins_a_new_cycle,
    failures_in_calm_were_seen,
    replays_are_carried_out,
    what_was_deleted_is_over,
)
