"""What must have been delivered: what counts as that, and what a failure says."""

import msgspec
import pytest

from sluicegate.testing import (
    AsyncRealEngine,
    Delivery,
    RealEngine,
    VirtualEngine,
    VirtualReceiver,
    WebhookReceiver,
    WebhookSamples,
    assert_delivered,
)

ORDER = {"order": "apples"}


def test_what_is_signed_with_a_strange_key_is_refused_and_told(
    webhook_engine: VirtualEngine,
    webhook_receiver: WebhookReceiver,
    webhook_samples: WebhookSamples,
) -> None:
    """The receiver verifies: 401 whatever its script says, until the key is trusted."""
    endpoint = webhook_engine.create_endpoint(webhook_receiver.url)
    webhook_engine.send(endpoint.id, ORDER)
    webhook_engine.advance(1)
    with pytest.raises(AssertionError, match="knows no secret for this URL: create the endpoint"):
        assert_delivered(webhook_receiver, ORDER)
    webhook_receiver.trust(webhook_samples.secret)
    webhook_receiver.script(201, 202)
    webhook_engine.send(endpoint.id, ORDER)
    webhook_engine.advance(1)
    with pytest.raises(AssertionError, match=r"-> 401 .*no signature is of this body"):
        assert_delivered(webhook_receiver, ORDER)
    webhook_receiver.trust(endpoint.signing_secret)
    webhook_engine.send(endpoint.id, ORDER)
    webhook_engine.advance(1)
    assert_delivered(webhook_receiver, ORDER, attempts=1)
    assert webhook_receiver.deliveries[-1].status == 201


def test_a_failure_shows_what_was_sent_and_what_arrived(
    webhook_engine: VirtualEngine, webhook_receiver: WebhookReceiver
) -> None:
    """Which messages, what became of them; which attempts, what they said, what was answered."""
    with pytest.raises(AssertionError, match=r"Nothing was sent to https.*\nNothing arrived at"):
        assert_delivered(webhook_receiver, ORDER)
    webhook_receiver.script(500, 200)
    endpoint = webhook_engine.create_endpoint(webhook_receiver)
    message_id = webhook_engine.send(endpoint.id, ORDER).message_id
    webhook_engine.drain()
    with pytest.raises(AssertionError) as failed:
        assert_delivered(webhook_receiver, {"order": "pears"})
    assert str(failed.value) == (
        '{"order":"pears"} was to be delivered by 1 message, and was by 0.\n'
        f"What was sent to {webhook_receiver.url}:\n"
        f'  message {message_id}: {{"order":"apples"}} is succeeded, 2 attempts\n'
        f"What arrived at {webhook_receiver.url}:\n"
        f'  1. message {message_id}, attempt 1: {{"order":"apples"}} -> 500\n'
        f'  2. message {message_id}, attempt 2: {{"order":"apples"}} -> 200'
    )
    for wrong in ({"times": 2}, {"times": 0}, {"attempts": 1}, {"attempts": 3}):
        with pytest.raises(AssertionError, match="was to be delivered by"):
            assert_delivered(webhook_receiver, ORDER, **wrong)


def test_a_failure_says_what_was_forgotten(
    webhook_engine: VirtualEngine, webhook_receiver: WebhookReceiver
) -> None:
    """A pause holds it; or nothing let it be delivered."""
    endpoint = webhook_engine.create_endpoint(webhook_receiver)
    webhook_engine.pause(endpoint.id)
    webhook_engine.send(endpoint.id, ORDER)
    webhook_engine.drain()
    with pytest.raises(AssertionError, match=r"is paused, 0 attempts\nSome are held: their endp"):
        assert_delivered(webhook_receiver, ORDER)
    webhook_receiver.script(500)
    webhook_engine.resume(endpoint.id)
    webhook_engine.advance(1)
    with pytest.raises(AssertionError, match=r"last error: .*\nSome are still .*: call drain\(\)"):
        assert_delivered(webhook_receiver, ORDER)


@pytest.mark.webhook_engine(clock="real")
def test_a_failure_shows_what_was_sent_on_the_real_clock(
    webhook_engine: RealEngine, webhook_receiver: WebhookReceiver
) -> None:
    """Also when the engine is closed already, and can tell nothing."""
    endpoint = webhook_engine.create_endpoint(webhook_receiver)
    webhook_engine.send(endpoint.id, ORDER)
    webhook_engine.drain()
    with pytest.raises(AssertionError, match=r'What was sent to .*\n.*"apples"} is succeeded'):
        assert_delivered(webhook_receiver, ORDER, times=2)
    webhook_engine.close()
    with pytest.raises(AssertionError, match=r"was sent there cannot be told: .* closed.*\nWhat a"):
        assert_delivered(webhook_receiver, ORDER, times=2)


async def test_a_failure_shows_what_was_sent_in_a_coroutine(
    webhook_engine: AsyncRealEngine, webhook_receiver: WebhookReceiver
) -> None:
    """Where an engine that blocks could not be asked from."""
    endpoint = await webhook_engine.create_endpoint(webhook_receiver)
    await webhook_engine.send(endpoint.id, ORDER)
    await webhook_engine.drain()
    with pytest.raises(AssertionError, match=r'What was sent to .*\n.*"apples"} is succeeded'):
        assert_delivered(webhook_receiver, ORDER, times=2)


def test_two_messages_with_one_payload_are_two(
    webhook_engine: VirtualEngine, webhook_receiver: WebhookReceiver
) -> None:
    """And the order of keys does not matter; a second receiver has its own deliveries."""
    other = VirtualReceiver(webhook_engine.simulation, "other.example")
    endpoint = webhook_engine.create_endpoint(webhook_receiver)
    webhook_engine.send(endpoint.id, {"a": 1, "b": 2})
    webhook_engine.send(endpoint.id, {"b": 2, "a": 1})
    webhook_engine.send(webhook_engine.create_endpoint(other).id, {"c": 3})
    webhook_engine.drain()
    assert_delivered(webhook_receiver, {"a": 1, "b": 2}, times=2, attempts=2)
    assert_delivered(other, {"a": 1, "b": 2}, times=0)
    assert_delivered(other, {"c": 3})


@pytest.mark.parametrize("like_it", [{"paid": True}, {"paid": 1.0}, {"paid": "1"}])
def test_values_that_python_takes_for_equal_are_not_in_json(
    webhook_engine: VirtualEngine, webhook_receiver: WebhookReceiver, like_it: object
) -> None:
    """`1 == 1.0 == True`, and a receiver in another language would not agree."""
    endpoint = webhook_engine.create_endpoint(webhook_receiver)
    webhook_engine.send(endpoint.id, {"paid": 1})
    webhook_engine.drain()
    assert_delivered(webhook_receiver, {"paid": 1})
    assert_delivered(webhook_receiver, like_it, times=0)


def test_an_attempt_that_nobody_believed_delivered_nothing(
    webhook_receiver: WebhookReceiver, webhook_samples: WebhookSamples
) -> None:
    """It counts as little as one that was answered with 500, and is shown with its fault."""
    webhook_receiver.trust(webhook_samples.secret)
    forged = webhook_samples.wrong_key(ORDER)
    now_s = float(forged.headers["webhook-timestamp"])
    answer = webhook_receiver.take(forged.headers.items(), forged.body, path="/hook", now_s=now_s)
    assert answer.status == 401
    assert_delivered(webhook_receiver, ORDER, times=0)
    with pytest.raises(AssertionError, match=r"-> 401 \(header .*no signature is of this body"):
        assert_delivered(webhook_receiver, ORDER)


@pytest.mark.parametrize(
    ("fault", "status"), [(None, 199), (None, 410), (None, 503), (None, None), ("forged", 200)]
)
def test_what_was_not_believed_or_not_answered_with_2xx_is_not_accepted(
    fault: str | None, status: int | None
) -> None:
    """As the engine has it, too."""
    delivered = Delivery(
        message_id="1", attempt_no=1, path="/", headers=(), body=b"1", fault=None, status=299
    )
    assert delivered.is_accepted
    assert not msgspec.structs.replace(delivered, fault=fault, status=status).is_accepted
