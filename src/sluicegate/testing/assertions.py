"""Saying what must have been delivered; a failure shows what was sent, and what arrived."""

import json
from collections.abc import Sequence

from sluicegate.engine.drafts import json_text
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.simulation.settling import UNFINISHED
from sluicegate.testing.deliveries import WebhookReceiver
from sluicegate.testing.sent import SENT_SHOWN_MAX, Sent

__all__ = ["assert_delivered"]

_ARRIVED_SHOWN_MAX = 20
_BODY_CHARS_MAX = 200


def assert_delivered(
    receiver: WebhookReceiver, payload: object, *, times: int = 1, attempts: int | None = None
) -> None:
    """Demand that a payload was delivered: verified, and answered with 2xx.

    Waits for nothing: `drain()` does. Called in a coroutine it blocks only if it fails.

    Args:
        receiver: where it should have arrived.
        payload: as it was sent; compared as JSON: neither the order of keys matters nor white
            space, and 1, 1.0 and true are three values.
        times: by how many messages, exactly; 0: it must not have been delivered.
        attempts: how many attempts these took in all, exactly; any number when not given.

    Raises:
        AssertionError: it was not so. The text lists what was sent and what arrived.
        InvalidRequestError: the payload is not a JSON value.
    """
    __tracebackhide__ = True
    text = json_text(payload)
    wanted = _canonical(text)
    like_it = [each for each in receiver.deliveries if _canonical(each.body) == wanted]
    accepted = {each.message_id for each in like_it if each.is_accepted}
    taken = [each for each in like_it if each.message_id in accepted]
    told = f"{_short(text)} was to be delivered by {_count(times, 'message')}"
    if len(accepted) != times:
        raise AssertionError(f"{told}, and was by {len(accepted)}.\n{_account(receiver)}")
    if attempts is not None and len(taken) != attempts:
        raise AssertionError(
            f"{told} in {_count(attempts, 'attempt')}, and took {len(taken)}.\n{_account(receiver)}"
        )


def _canonical(text: bytes) -> str | bytes:
    """Return the one text of a JSON value; what is none stands for itself.

    Not the values are compared: to Python `1 == 1.0 == True`.
    """
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except (ValueError, RecursionError):
        return text


def _account(receiver: WebhookReceiver) -> str:
    return "\n".join((*_sent(receiver), *_arrived(receiver)))


def _sent(receiver: WebhookReceiver) -> list[str]:
    """Return lines about what the engine was given, if the receiver has one to ask."""
    if receiver.ask_sent is None:
        return []
    try:
        sent = receiver.ask_sent(receiver.url)
    except Exception as error:  # noqa: BLE001 - the failure that is told of matters more
        return [f"What was sent there cannot be told: {error!r}"]
    if not sent:
        return [f"Nothing was sent to {receiver.url}."]
    which = "was sent last" if len(sent) == SENT_SHOWN_MAX else "was sent"
    told = [f"  {_told(each)}" for each in sent]
    return [f"What {which} to {receiver.url}:", *told, *_hints(sent)]


def _told(sent: Sent) -> str:
    entry = sent.entry
    payload = "payload no longer kept" if sent.payload is None else _short(sent.payload)
    error = f", last error: {entry.last_error}" if entry.last_error else ""
    attempts = _count(entry.attempt_count, "attempt")
    return f"message {entry.message_id}: {payload} is {entry.status}, {attempts}{error}"


def _hints(sent: Sequence[Sent]) -> list[str]:
    statuses = {each.entry.status for each in sent}
    return [
        *(["Some are still to be delivered: call drain()."] if statuses & set(UNFINISHED) else []),
        *(
            ["Some are held: their endpoint is paused, so drain() does not wait for them."]
            if MessageStatus.PAUSED in statuses
            else []
        ),
    ]


def _arrived(receiver: WebhookReceiver) -> list[str]:
    deliveries = receiver.deliveries[-_ARRIVED_SHOWN_MAX:]
    if not deliveries:
        return [f"Nothing arrived at {receiver.url}."]
    first = len(receiver.deliveries) - len(deliveries) + 1
    lines = [
        f"  {number}. message {each.message_id or 'without id'}, attempt {each.attempt_no or '?'}:"
        f" {_short(each.body)} -> {'no answer' if each.status is None else each.status}"
        + (f" ({each.fault})" if each.fault else "")
        for number, each in enumerate(deliveries, first)
    ]
    return [f"What arrived at {receiver.url}:", *lines]


def _short(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    return text if len(text) <= _BODY_CHARS_MAX else f"{text[:_BODY_CHARS_MAX]}…"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
