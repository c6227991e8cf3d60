"""Saying what must have been delivered; a failure shows what was."""

import json

from sluicegate.engine.drafts import json_text
from sluicegate.testing.deliveries import Delivery, WebhookReceiver

__all__ = ["assert_delivered"]

_SHOWN_MAX = 20
_BODY_CHARS_MAX = 200


def assert_delivered(
    receiver: WebhookReceiver, payload: object, *, times: int = 1, attempts: int | None = None
) -> None:
    """Demand that a payload was delivered: verified, and answered with 2xx.

    Args:
        receiver: where it should have arrived.
        payload: as it was sent; compared as JSON, so the order of keys does not matter.
        times: by how many messages, exactly; 0: it must not have been delivered.
        attempts: how many attempts these took in all, exactly; any number when not given.

    Raises:
        AssertionError: it was not so. The text lists what arrived instead.
        InvalidRequestError: the payload is not a JSON value.
    """
    __tracebackhide__ = True
    wanted = json.loads(json_text(payload))
    like_it = [each for each in receiver.deliveries if _says(each, wanted)]
    accepted = {each.message_id for each in like_it if each.is_accepted}
    taken = [each for each in like_it if each.message_id in accepted]
    told = f"{_short(json_text(payload))} was to be delivered by {_count(times, 'message')}"
    if len(accepted) != times:
        raise AssertionError(f"{told}, and was by {len(accepted)}.\n{_arrived(receiver)}")
    if attempts is not None and len(taken) != attempts:
        raise AssertionError(
            f"{told} in {_count(attempts, 'attempt')}, and took {len(taken)}.\n{_arrived(receiver)}"
        )


def _says(delivery: Delivery, wanted: object) -> bool:
    try:
        return bool(json.loads(delivery.body) == wanted)
    except ValueError:
        return False


def _arrived(receiver: WebhookReceiver) -> str:
    deliveries = receiver.deliveries[-_SHOWN_MAX:]
    if not deliveries:
        return f"Nothing arrived at {receiver.url}. Was drain() called?"
    first = len(receiver.deliveries) - len(deliveries) + 1
    lines = [
        f"  {number}. message {each.message_id or 'without id'}, attempt {each.attempt_no or '?'}:"
        f" {_short(each.body)} -> {'no answer' if each.status is None else each.status}"
        + (f" ({each.fault})" if each.fault else "")
        for number, each in enumerate(deliveries, first)
    ]
    return "\n".join((f"What arrived at {receiver.url}:", *lines))


def _short(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    return text if len(text) <= _BODY_CHARS_MAX else f"{text[:_BODY_CHARS_MAX]}…"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
