"""A call about many messages, told as one call about each: so that one rule judges both."""

from collections.abc import Iterator

import msgspec

from sluicegate.simulation.oracle.effects import may_have_happened
from sluicegate.simulation.oracle.history import Call, Operation

__all__ = ["as_singles", "is_of_many"]

_OPERATIONS = {
    Operation.REPLAY_FROM_DLQ: Operation.REPLAY,
    Operation.REPLAY_BATCH: Operation.REPLAY,
    Operation.REPLAY_ALL: Operation.REPLAY,
    Operation.DELETE_BATCH: Operation.DELETE_MESSAGE,
    Operation.DELETE_ALL: Operation.DELETE_MESSAGE,
}
_DONE = ("replayed", "deleted", "already_deleted")
_UNSURE = "UNAVAILABLE"


def is_of_many(call: Call) -> bool:
    """Return whether a call is told as others: it is about many, or goes by another name."""
    return call.operation in _OPERATIONS


def as_singles(call: Call) -> Iterator[Call]:
    """Yield what a call did, or may have done, as replays and deletions of single messages.

    Each keeps the call's number and moments. What was answered was done to just those that the
    answer names. Without an answer it may have been done to each that was asked for, and what was
    asked for by a filter may be any: such a single call has no `message_id`. So is what storage
    refused: whether it has it nobody knows.
    """
    single = msgspec.structs.replace(
        call, operation=_OPERATIONS[call.operation], bulk=None, answer=None
    )
    if call.bulk is None:
        yield single
    elif call.answer is None:
        ids: tuple[str | None, ...] = call.bulk.message_ids or (None,)
        if may_have_happened(call):
            yield from (msgspec.structs.replace(single, message_id=each) for each in ids)
    else:
        for each in call.answer.outcomes:
            error = None if each.outcome in _DONE else each.code or "NOT_FOUND"
            one = msgspec.structs.replace(single, message_id=each.message_id, error=error)
            if may_have_happened(one):
                yield one
        named = sum(each.outcome == "failed" for each in call.answer.outcomes)
        if call.answer.error or call.answer.counts.get("failed", 0) > named:
            yield msgspec.structs.replace(single, error=_UNSURE)
