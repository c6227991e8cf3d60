"""Calls about many messages say truly what they did, and the dead letter queue what has failed."""

import math
from collections import Counter
from collections.abc import Iterator

from sluicegate.simulation.oracle.facts import EndpointFacts, Facts, MessageFacts
from sluicegate.simulation.oracle.history import BulkAnswer, BulkRequest, Call, Operation, Sighting
from sluicegate.simulation.oracle.statuses import is_over, is_success
from sluicegate.simulation.oracle.violation import Rule, Violation

__all__ = ["RULES"]

_BY_FILTER = (Operation.REPLAY_ALL, Operation.DELETE_ALL)
_REPLAYS_MAX = 10
_FAILED = "failed_permanent"


def bulk_answers_add_up(facts: Facts) -> Iterator[Violation]:
    """Counts are those of what is listed, each message is answered once, and not too many are.

    Of calls by id each is answered in its place. `replay_all` counts what has failed over HTTP, and
    does not list it.
    """
    for call, request, answer in _answered(facts):
        facts.judged["bulk_answers_add_up"] += 1
        ids = [each.message_id for each in answer.outcomes]
        listed = Counter(each.outcome for each in answer.outcomes)
        wrong = [
            f"{count} {name}, and lists {listed[name]}"
            for name, count in answer.counts.items()
            if count != listed[name] and not (name == "failed" and not listed[name])
        ]
        if request.message_ids and ids != list(dict.fromkeys(request.message_ids)):
            wrong.append("other messages than those that were asked for")
        if len(set(ids)) < len(ids):
            wrong.append("a message twice")
        if not request.message_ids and len(ids) > request.limit:
            wrong.append(f"{len(ids)} messages, at most {request.limit} were asked for")
        if wrong:
            yield _about(call, "bulk_answers_add_up", f"says {wrong[0]}")


def bulk_calls_keep_to_their_filter(facts: Facts) -> Iterator[Violation]:
    """What a filter found was sent to the endpoint that was asked for; what succeeded, received."""
    for call, request, answer in _answered(facts):
        if call.operation not in _BY_FILTER:
            continue
        for message in _found(facts, answer):
            facts.judged["bulk_calls_keep_to_their_filter"] += 1
            ended_s = call.ended_s or math.inf
            elsewhere = message.endpoint is not None and not _may_find(call, message.endpoint)
            received = any(
                each.answer is not None and is_success(each.answer.status)
                for each in message.exchanges
                if each.request.at_s <= ended_s
            )
            if elsewhere or (request.status == "succeeded" and not received):
                text = f"found {message.id}, which is {'elsewhere' if elsewhere else 'undelivered'}"
                yield _about(call, "bulk_calls_keep_to_their_filter", text)


def a_message_is_deleted_once(facts: Facts) -> Iterator[Violation]:
    """Of several deletions one has deleted it, the others found it deleted; none did not find it.

    Each answer is true at one moment of its call.
    """
    deleted: dict[str, Call] = {}
    for call, _, answer in _answered(facts):
        for each in answer.outcomes:
            message = facts.messages.get(each.message_id)
            text = ""
            if each.outcome == "deleted":
                facts.judged["a_message_is_deleted_once"] += 1
                if each.message_id in deleted:
                    text = f"has deleted what call {deleted[each.message_id].number} has deleted"
                deleted.setdefault(each.message_id, call)
            elif each.outcome == "already_deleted" and not _others(
                facts, message, Operation.DELETE_MESSAGE, call
            ):
                text = "found deleted what nobody has deleted"
            elif each.outcome == "not_found" and message is not None:
                text = "did not find" if message.accepted().hi < call.began_s else ""
            if text:
                yield _about(call, "a_message_is_deleted_once", f"{text}: {each.message_id}")


def bulk_calls_find_what_there_is(facts: Facts) -> Iterator[Violation]:
    """What was read as succeeded or failed for good is found by a call that asks for just that.

    As long as its limit was not reached, with all that others may have taken from it, and nobody
    may have replayed or deleted the message since it was read, nor deleted its endpoint. A replay
    passes over what it may not replay: a message that was replayed ten times, or whose payload may
    be gone, by a clock that was set anew.
    """
    for call, request, answer in _answered(facts):
        if call.operation not in _BY_FILTER or not is_over(request.status):
            continue
        found = {each.message_id for each in answer.outcomes}
        most = max(len(answer.outcomes), sum(answer.counts.values()))
        most += sum(each.id not in found for each in _taken(facts, call))
        if answer.error or most >= request.limit or answer.counts.get("failed", 0) > 0:
            continue
        for message, endpoint in facts.deliveries():
            if not _may_find(call, endpoint) or endpoint.gone().lo <= (call.ended_s or math.inf):
                continue
            seen = _last_seen(facts, message, call)
            if seen is None or seen.status != request.status:
                continue
            if _is_excused(facts, message, call, seen):
                continue
            facts.judged["bulk_calls_find_what_there_is"] += 1
            if message.id not in found:
                text = f"did not find {message.id}, which read {seen.status}"
                text = f"{text} at {seen.ended_s:.3f} s"
                yield _about(call, "bulk_calls_find_what_there_is", text)


def _taken(facts: Facts, call: Call) -> Iterator[MessageFacts]:
    """Yield the messages that a call may have found, and others have taken from it meanwhile."""
    for message, endpoint in facts.deliveries():
        if _may_find(call, endpoint) and any(
            _others(facts, message, operation, call, from_s=call.began_s)
            for operation in (Operation.REPLAY, Operation.DELETE_MESSAGE)
        ):
            yield message


def _may_find(call: Call, endpoint: EndpointFacts) -> bool:
    """Return whether a call by a filter is about an endpoint's messages."""
    return call.endpoint.strip("/") in {"", endpoint.name}


def the_dlq_lists_what_failed(facts: Facts) -> Iterator[Violation]:
    """What failed for good is in the dead letter queue until it is replayed or deleted.

    Nothing deleted is in it, whenever it is listed, and each message once. At the end, with nobody
    asking for anything, it holds all that reads `failed_permanent`, and only that.
    """
    views = {view.id: view.status for view in facts.history.messages}
    for listing in facts.history.dead_letters:
        facts.judged["the_dlq_lists_what_failed"] += 1
        listed = set(listing.message_ids)
        wrong = [f"lists {each} twice" for each, n in Counter(listing.message_ids).items() if n > 1]
        for message in facts.messages.values():
            deletions = message.effective(Operation.DELETE_MESSAGE)
            known = [
                call.ended_s
                for call in deletions
                if call.succeeded and call.ended_s is not None and call.message_id == message.id
            ]
            status = views.get(message.id)
            if message.id in listed:
                if min(known, default=math.inf) < listing.began_s:
                    wrong.append(f"lists {message.id}, which is deleted")
                elif listing.whole and status not in {None, _FAILED}:
                    wrong.append(f"lists {message.id}, which reads {status}")
            elif listing.whole and status == _FAILED and not deletions:
                wrong.append(f"does not list {message.id}, which reads {status}")
        if wrong:
            text = f"the dead letter queue {wrong[0]}"
            yield Violation(rule="the_dlq_lists_what_failed", at_s=listing.ended_s, text=text)


def _answered(facts: Facts) -> Iterator[tuple[Call, BulkRequest, BulkAnswer]]:
    for call in facts.history.calls:
        if call.bulk is not None and call.answer is not None and call.succeeded:
            yield call, call.bulk, call.answer


def _found(facts: Facts, answer: BulkAnswer) -> Iterator[MessageFacts]:
    for each in answer.outcomes:
        if each.message_id in facts.messages:
            yield facts.messages[each.message_id]


def _last_seen(facts: Facts, message: MessageFacts, call: Call) -> Sighting | None:
    seen = (each for each in facts.readings_of(message) if each.ended_s <= call.began_s)
    return max(seen, key=lambda each: each.ended_s, default=None)


def _is_excused(facts: Facts, message: MessageFacts, call: Call, seen: Sighting) -> bool:
    """Return whether a message may have left a selection since it was seen, or be passed over."""
    if _others(facts, message, Operation.DELETE_MESSAGE, call):
        return True
    if _others(facts, message, Operation.REPLAY, call, from_s=seen.began_s):
        return True
    if call.operation is Operation.DELETE_ALL:
        return False
    return len(message.effective(Operation.REPLAY)) >= _REPLAYS_MAX or bool(facts.weather.jumps)


def _others(
    facts: Facts,
    message: MessageFacts | None,
    operation: Operation,
    call: Call,
    *,
    from_s: float = -math.inf,
) -> list[Call]:
    """Return the other calls that may have done that to a message from a moment to the answer."""
    if message is None:
        return []
    return [
        each
        for each in message.effective(operation)
        if each.number != call.number
        and each.began_s <= (call.ended_s or math.inf)
        and facts.until_s(each) >= from_s
    ]


def _about(call: Call, rule: str, text: str) -> Violation:
    return Violation(
        rule=rule,
        at_s=call.ended_s or call.began_s,
        text=f"call {call.number} ({call.operation}) {text}",
        calls=(call,),
    )


RULES: tuple[Rule, ...] = (
    bulk_answers_add_up,
    bulk_calls_keep_to_their_filter,
    a_message_is_deleted_once,
    bulk_calls_find_what_there_is,
    the_dlq_lists_what_failed,
)
