"""What was accepted is kept, and one idempotency key makes one message."""

import math
from collections import defaultdict
from collections.abc import Iterator

from sluicegate.simulation.oracle.effects import may_have_happened
from sluicegate.simulation.oracle.facts import EndpointFacts, Facts
from sluicegate.simulation.oracle.history import Call, EventKind, Operation
from sluicegate.simulation.oracle.violation import Rule, Violation

__all__ = ["RULES"]

_DAY_S = 86_400.0


def accepted_messages_are_kept(facts: Facts) -> Iterator[Violation]:
    """Nothing that was answered with 202 is lost.

    Judged when messages were read at the end. Deleted ones stay listed; what is finished goes
    after `history_days`, so of a run that is longer nothing is said.
    """
    history = facts.history
    if not history.messages and facts.weather.settled_s is None:
        return
    if facts.ends_s >= history.history_days * _DAY_S:
        return
    for message in facts.messages.values():
        facts.judged["accepted_messages_are_kept"] += message.was_accepted
        if message.view is None and message.was_accepted:
            first = next(call for call in message.sends if call.succeeded)
            yield Violation(
                rule="accepted_messages_are_kept",
                at_s=first.ended_s or first.began_s,
                text=f"message {message.id} was accepted and is not there",
                calls=(first,),
            )


def messages_come_from_clients(facts: Facts) -> Iterator[Violation]:
    """Each message at the end was accepted, or comes of a send that got no answer.

    An unanswered send has stored one message or none; which id it has nobody knows, so that only
    their number is judged, for each endpoint.
    """
    unknown: dict[str, int] = defaultdict(int)
    for view in facts.history.messages:
        if not facts.messages[view.id].was_accepted:
            unknown[view.endpoint_id] += 1
    for endpoint_id, count in unknown.items():
        endpoint = next((e for e in facts.endpoints.values() if endpoint_id in e.ids), None)
        if endpoint is None:
            created = [e.effective(Operation.CREATE_ENDPOINT) for e in facts.endpoints.values()]
            if any(not call.succeeded for calls in created for call in calls):
                continue  # its endpoint may be one whose creation was not answered
            open_sends: list[Call] = []
        else:
            sends = endpoint.effective(Operation.SEND)
            open_sends = [call for call in sends if not call.succeeded]
        facts.judged["messages_come_from_clients"] += 1
        if count > len(open_sends):
            yield Violation(
                rule="messages_come_from_clients",
                at_s=facts.ends_s,
                text=f"{count} messages of {endpoint_id} were never answered as accepted, and only"
                f" {len(open_sends)} sends got no answer",
            )


def one_send_is_one_message(facts: Facts) -> Iterator[Violation]:
    """Two sends that are not the same get different ids: key or payload or endpoint differ."""
    for message in facts.messages.values():
        answered = [call for call in message.sends if call.succeeded]
        for other in answered[1:]:
            facts.judged["one_send_is_one_message"] += 1
            first = answered[0]
            same = (
                first.idempotency_key is not None
                and first.idempotency_key == other.idempotency_key
                and first.payload == other.payload
                and first.endpoint.strip("/") == other.endpoint.strip("/")
            )
            if not same:
                yield Violation(
                    rule="one_send_is_one_message",
                    at_s=other.ended_s or other.began_s,
                    text=f"calls {first.number} and {other.number} are two messages and were both"
                    f" answered {message.id}",
                    calls=(first, other),
                )


def one_key_is_one_message(facts: Facts) -> Iterator[Violation]:
    """The same key stands for the same message and payload, as long as the message exists.

    Across crashes, and for sends at the same moment. A deletion that may have come before the
    second one's answer frees the key.
    """
    for endpoint in facts.endpoints.values():
        for key, sends in _by_key(endpoint).items():
            answered = [call for call in sends if call.succeeded]
            for other in answered[1:]:
                first = answered[0]
                facts.judged["one_key_is_one_message"] += 1
                if first.message_id == other.message_id:
                    continue
                if _may_be_free(facts, endpoint, sends, until_s=other.ended_s or math.inf):
                    continue
                yield Violation(
                    rule="one_key_is_one_message",
                    at_s=other.ended_s or other.began_s,
                    text=f"key {key!r} of {endpoint.name} stands for {first.message_id} and"
                    f" {other.message_id}",
                    calls=(first, other),
                )


def a_key_is_refused_for_a_reason(facts: Facts) -> Iterator[Violation]:
    """`IDEMPOTENCY_MISMATCH` comes only after another payload may have been accepted so named."""
    for endpoint in facts.endpoints.values():
        for key, sends in _by_key(endpoint).items():
            for refused in sends:
                if refused.error != "IDEMPOTENCY_MISMATCH":
                    continue
                facts.judged["a_key_is_refused_for_a_reason"] += 1
                explained = any(
                    other.payload != refused.payload
                    and may_have_happened(other)
                    and other.began_s <= (refused.ended_s or math.inf)
                    for other in sends
                )
                if not explained:
                    yield Violation(
                        rule="a_key_is_refused_for_a_reason",
                        at_s=refused.ended_s or refused.began_s,
                        text=f"key {key!r} of {endpoint.name} was refused, and nothing else was"
                        " sent under it",
                        calls=(refused,),
                    )


def _by_key(endpoint: EndpointFacts) -> dict[str, list[Call]]:
    found: dict[str, list[Call]] = defaultdict(list)
    for call in endpoint.calls.get(Operation.SEND, ()):
        if call.idempotency_key is not None:
            found[call.idempotency_key].append(call)
    return found


def _may_be_free(
    facts: Facts, endpoint: EndpointFacts, sends: list[Call], *, until_s: float
) -> bool:
    """Return whether a message under this key may have been deleted by then, or removed."""
    if until_s >= facts.history.history_days * _DAY_S:
        return True
    # The message of an unanswered send is unknown: any deletion may have been its.
    known = {call.message_id for call in sends if call.succeeded}
    unsure = any(not call.succeeded and may_have_happened(call) for call in sends)
    return any(
        call.began_s <= until_s and (unsure or call.message_id in known | {None})
        for call in endpoint.effective(Operation.DELETE_MESSAGE)
    )


def an_unfit_process_changes_nothing(facts: Facts) -> Iterator[Violation]:
    """Who has lost the database, or does not know what is on its disk, carries out no call.

    Until it has started anew, and with that taken the database over.
    """
    events = facts.history.events
    for number, event in enumerate(events):
        if event.kind not in {EventKind.TAKEN_OVER, EventKind.DISK_FAILED}:
            continue
        later = (each.at_s for each in events[number:] if each.kind is EventKind.STARTED)
        until_s = next(later, math.inf)
        for call in facts.history.calls:
            ended_s = math.inf if call.ended_s is None else call.ended_s
            facts.judged["an_unfit_process_changes_nothing"] += event.at_s < call.began_s < until_s
            if call.changed and call.began_s > event.at_s and ended_s < until_s:
                yield Violation(
                    rule="an_unfit_process_changes_nothing",
                    at_s=ended_s,
                    text=f"call {call.number} {call.operation} was carried out by a process"
                    f" that was unfit since {event.at_s:.3f} s: {event.kind}",
                    calls=(call,),
                )


RULES: tuple[Rule, ...] = (
    an_unfit_process_changes_nothing,
    accepted_messages_are_kept,
    messages_come_from_clients,
    one_send_is_one_message,
    one_key_is_one_message,
    a_key_is_refused_for_a_reason,
)
