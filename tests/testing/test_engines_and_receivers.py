"""The test kit, as tests use it: engines on both clocks, a receiver that is told what to say."""

import asyncio
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest

from sluicegate.engine.errors import SettingError
from sluicegate.testing import (
    HANG,
    Answer,
    AsyncRealEngine,
    RealEngine,
    SignedWebhook,
    VirtualEngine,
    VirtualReceiver,
    WebhookReceiver,
    WebhookSamples,
    assert_delivered,
)

pytest_plugins = ["pytester"]

ORDER = {"order": "apples"}


def sends_an_order(engine: VirtualEngine | RealEngine, receiver: WebhookReceiver) -> str:
    """Send to a receiver; return the message's id."""
    endpoint = engine.create_endpoint(receiver)
    return engine.send(endpoint.id, ORDER).message_id


def test_a_plain_test_has_the_virtual_clock(
    webhook_engine: VirtualEngine, webhook_receiver: WebhookReceiver
) -> None:
    """Retries keep to their schedule of hours, which take no time."""
    webhook_receiver.script(500, 500, 200)
    message_id = sends_an_order(webhook_engine, webhook_receiver)
    webhook_engine.drain()
    assert_delivered(webhook_receiver, ORDER, attempts=3)
    assert [each.status for each in webhook_receiver.deliveries] == [500, 500, 200]
    assert [each.attempt_no for each in webhook_receiver.deliveries] == [1, 2, 3]
    assert {each.message_id for each in webhook_receiver.deliveries} == {message_id}
    assert webhook_receiver.deliveries[0].json() == ORDER
    assert webhook_engine.get_message(message_id).status == "succeeded"
    assert webhook_engine.simulation.loop.time() > 9000
    assert len(webhook_engine.call(lambda engine: engine.list_logs()).items) == 1


@pytest.mark.webhook_engine(clock="real")
def test_a_plain_test_may_have_the_real_clock(
    webhook_engine: RealEngine, webhook_receiver: WebhookReceiver
) -> None:
    """Then retries follow at once, and it is a `SyncEngine` on loopback."""
    webhook_receiver.script(500, 500, 200)
    message_id = sends_an_order(webhook_engine, webhook_receiver)
    webhook_engine.drain()
    assert_delivered(webhook_receiver, ORDER, attempts=3)
    assert webhook_engine.get_message(message_id).attempt_count == 3


async def test_a_coroutine_has_the_real_clock_and_awaits(
    webhook_engine: AsyncRealEngine, webhook_receiver: WebhookReceiver
) -> None:
    """On whatever loop it runs; held messages are not waited for."""
    webhook_receiver.script(503, 200)
    endpoint = await webhook_engine.create_endpoint(webhook_receiver)
    await webhook_engine.pause(endpoint.id)
    sent = await webhook_engine.send(endpoint.id, ORDER)
    await webhook_engine.drain()
    assert webhook_receiver.deliveries == []
    assert await webhook_engine.resume(endpoint.id) == 1
    await webhook_engine.drain()
    assert_delivered(webhook_receiver, ORDER, attempts=2)
    await webhook_engine.replay(sent.message_id)
    await webhook_engine.drain()
    assert (await webhook_engine.get_message(sent.message_id)).replay_count == 1
    assert_delivered(webhook_receiver, ORDER, attempts=3)


def test_a_receiver_that_hangs_runs_into_the_time_limit(
    webhook_engine: VirtualEngine, webhook_receiver: WebhookReceiver
) -> None:
    """The attempt that got no answer is recorded as such, and made again."""
    webhook_receiver.script(HANG, Answer(status=200, delay_s=2, body=b"thanks"))
    message_id = sends_an_order(webhook_engine, webhook_receiver)
    webhook_engine.drain()
    assert [each.status for each in webhook_receiver.deliveries] == [None, 200]
    attempts = webhook_engine.call(lambda engine: engine.list_attempts(message_id))
    assert [each.response_status for each in attempts] == [None, 200]


@pytest.mark.webhook_engine(clock="real")
def test_a_receiver_that_hangs_keeps_no_test_from_ending(
    webhook_engine: RealEngine, webhook_receiver: WebhookReceiver
) -> None:
    """On the real clock it is let go when the test ends; a drain says what is left."""
    webhook_receiver.script(HANG)
    message_id = sends_an_order(webhook_engine, webhook_receiver)
    with pytest.raises(AssertionError, match=f"still to be delivered:\n  {message_id} to http"):
        webhook_engine.drain(timeout_s=0.1)


@pytest.mark.webhook_engine(attempts_max=2, retry_slow_s=(1,))
def test_the_marker_takes_settings(
    webhook_engine: VirtualEngine, webhook_receiver: WebhookReceiver
) -> None:
    """By their names; what failed for good is drained too, and was not delivered."""
    webhook_receiver.script(500)
    message_id = sends_an_order(webhook_engine, webhook_receiver)
    webhook_engine.drain()
    assert webhook_engine.get_message(message_id).status == "failed_permanent"
    assert_delivered(webhook_receiver, ORDER, times=0)
    with pytest.raises(AssertionError, match="and was by 0"):
        assert_delivered(webhook_receiver, ORDER)


@pytest.mark.webhook_engine(attempts_max=1, retry_after_max_s=1)
def test_a_drain_that_does_not_come_to_its_end_fails(
    webhook_engine: VirtualEngine, webhook_receiver: WebhookReceiver
) -> None:
    """Two minutes are what one message's attempts can take; at one a second more are left."""
    endpoint = webhook_engine.create_endpoint(webhook_receiver, rate_limit_rps=1, burst=1)
    for number in range(150):
        webhook_engine.send(endpoint.id, number)
    with pytest.raises(
        AssertionError, match=r"still to be delivered:(\n.* queued, 0 attempts.*){20}"
    ):
        webhook_engine.drain()


def test_what_is_signed_with_a_strange_key_is_refused_and_told(
    webhook_engine: VirtualEngine,
    webhook_receiver: WebhookReceiver,
    webhook_samples: WebhookSamples,
) -> None:
    """The receiver verifies: 401 whatever its script says, until the key is trusted."""
    endpoint = webhook_engine.create_endpoint(webhook_receiver.url)
    webhook_engine.send(endpoint.id, ORDER)
    webhook_engine.advance(1)
    with pytest.raises(AssertionError, match="knows no secret: create the endpoint with"):
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


def test_a_failure_shows_what_arrived_instead(
    webhook_engine: VirtualEngine, webhook_receiver: WebhookReceiver
) -> None:
    """Which message, which attempt, what it said and what was answered."""
    with pytest.raises(AssertionError, match=r"Nothing arrived at .*drain\(\) called"):
        assert_delivered(webhook_receiver, ORDER)
    message_id = sends_an_order(webhook_engine, webhook_receiver)
    webhook_engine.drain()
    with pytest.raises(AssertionError) as failed:
        assert_delivered(webhook_receiver, {"order": "pears"})
    assert str(failed.value) == (
        '{"order":"pears"} was to be delivered by 1 message, and was by 0.\n'
        f"What arrived at {webhook_receiver.url}:\n"
        f'  1. message {message_id}, attempt 1: {{"order":"apples"}} -> 200'
    )
    for wrong in ({"times": 2}, {"times": 0}, {"attempts": 2}):
        with pytest.raises(AssertionError, match="was to be delivered by"):
            assert_delivered(webhook_receiver, ORDER, **wrong)


def test_two_messages_with_one_payload_are_two(
    webhook_engine: VirtualEngine, webhook_receiver: WebhookReceiver
) -> None:
    """And the order of keys does not matter; a second receiver has its own deliveries."""
    other = VirtualReceiver(webhook_engine.simulation, "other.example")
    endpoint = webhook_engine.create_endpoint(webhook_receiver)
    webhook_engine.send(endpoint.id, {"a": 1, "b": 2})
    webhook_engine.send(endpoint.id, {"b": 2, "a": 1})
    webhook_engine.drain()
    assert_delivered(webhook_receiver, {"a": 1, "b": 2}, times=2, attempts=2)
    assert_delivered(other, {"a": 1, "b": 2}, times=0)


@pytest.mark.parametrize("answers", [(), (99,), (True,), ("200",), (200, None)])
def test_a_script_that_is_none_is_refused(
    webhook_receiver: WebhookReceiver, answers: tuple[int, ...]
) -> None:
    """When it is given, not when it is played."""
    with pytest.raises(ValueError, match="script"):
        webhook_receiver.script(*answers)


VARIANTS: dict[str, Callable[[WebhookSamples], SignedWebhook]] = {
    "good": lambda samples: samples.good(ORDER),
    "rotated": lambda samples: samples.rotated(ORDER),
    "expired": lambda samples: samples.expired(ORDER),
    "early": lambda samples: samples.early(ORDER),
    "tampered": lambda samples: samples.tampered(ORDER),
    "wrong_key": lambda samples: samples.wrong_key(ORDER),
    "downgraded": lambda samples: samples.downgraded(ORDER),
    "unsigned": lambda samples: samples.unsigned(ORDER),
}
TOLD = {
    "expired": "s ago; 300 s are allowed",
    "early": "s in the future",
    "tampered": "no signature is of this body",
    "wrong_key": "no signature is of this body",
    "downgraded": "does not sign the message id",
    "unsigned": "the request is not signed",
}


@pytest.mark.webhook_engine(clock="real")
@pytest.mark.parametrize("variant", VARIANTS)
def test_each_sample_is_right_or_wrong_in_one_way(
    webhook_receiver: WebhookReceiver, webhook_samples: WebhookSamples, variant: str
) -> None:
    """Posted as it is to a receiver that verifies."""
    webhook_receiver.trust(webhook_samples.secret)
    sample = VARIANTS[variant](webhook_samples)
    request = urllib.request.Request(  # noqa: S310 - our own receiver's
        webhook_receiver.url, data=sample.body, headers=sample.headers
    )
    if variant in TOLD:
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            urllib.request.urlopen(request)  # noqa: S310 - the same
        assert TOLD[variant] in refused.value.read().decode()
        refused.value.close()
    else:
        urllib.request.urlopen(request).close()  # noqa: S310 - the same
    (arrived,) = webhook_receiver.deliveries
    assert arrived.is_accepted == (variant not in TOLD)
    assert (arrived.fault is None) == (variant not in TOLD)


@pytest.mark.parametrize("settings", [{"retries": 3}, {"drain_s": -1}, {"database": "x.db"}])
def test_settings_are_held_to_the_engines_rules(
    tmp_path: object, settings: dict[str, object]
) -> None:
    """A slip of the pen is told, with what was meant."""
    with pytest.raises(SettingError):
        RealEngine(tmp_path, **settings)  # type: ignore[arg-type]


def test_the_plugins_fixtures_work_with_anyio_and_refuse_what_cannot_be(
    pytester: pytest.Pytester,
) -> None:
    """One run of pytest without pytest-asyncio: a coroutine of anyio, and three mistakes."""
    pytester.makepyfile(
        """
        import pytest
        from sluicegate.testing import assert_delivered

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.mark.anyio
        async def test_anyio(webhook_engine, webhook_receiver):
            endpoint = await webhook_engine.create_endpoint(webhook_receiver)
            await webhook_engine.send(endpoint.id, {"n": 1})
            await webhook_engine.drain()
            assert_delivered(webhook_receiver, {"n": 1})

        @pytest.mark.anyio
        @pytest.mark.webhook_engine(clock="virtual")
        async def test_virtual(webhook_engine):
            pass

        @pytest.mark.webhook_engine(clock="sundial")
        def test_clock(webhook_engine):
            pass

        @pytest.mark.webhook_engine(retries=3)
        def test_setting(webhook_engine):
            pass
        """
    )
    result = pytester.runpytest_subprocess(
        "-pno:cacheprovider", "-pno:schemathesis", "-pno:cov", "-pno:asyncio", "-Werror"
    )
    result.assert_outcomes(passed=1, errors=3)
    result.stdout.fnmatch_lines_random(
        [
            "*write the test as a plain `def`, or take clock='real'*",
            "*takes clock='virtual' or clock='real', and settings by name*",
            "*'retries' is not a setting*",
        ]
    )


def test_many_threads_may_send_to_one_receiver(webhook_receiver: WebhookReceiver) -> None:
    """What arrives at once is all recorded, and the script is played once."""

    async def at_once() -> None:
        samples = WebhookSamples(now_s=1_800_000_000)
        good = samples.good(ORDER)
        webhook_receiver.trust(samples.secret)
        webhook_receiver.script(*[500] * 50, 200)
        await asyncio.gather(
            *(
                asyncio.to_thread(
                    webhook_receiver.take, good.headers.items(), good.body, now_s=1_800_000_000
                )
                for _ in range(100)
            )
        )

    asyncio.run(at_once())
    statuses = [each.status for each in webhook_receiver.deliveries]
    assert (statuses.count(500), statuses.count(200)) == (50, 50)
