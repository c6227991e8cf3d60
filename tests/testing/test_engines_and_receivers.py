"""The test kit, as tests use it: engines on both clocks, a receiver that is told what to say."""

import asyncio
import contextlib
import gc
import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sluicegate.embedding import CallTimeoutError
from sluicegate.engine.events import Event
from sluicegate.simulation import HostDownError, Simulation
from sluicegate.testing import (
    HANG,
    SAMPLE_SECRET,
    Answer,
    AsyncRealEngine,
    RealEngine,
    RealReceiver,
    VirtualEngine,
    WebhookReceiver,
    WebhookSamples,
    assert_delivered,
)

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
    endpoint = webhook_engine.create_endpoint(webhook_receiver, timeout_s=120)
    message_id = webhook_engine.send(endpoint.id, ORDER).message_id
    with pytest.raises(AssertionError, match=f"still to be delivered:\n  {message_id} to http"):
        webhook_engine.drain(timeout_s=0.1)
    webhook_engine.close(timeout_s=10)


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


@pytest.mark.parametrize("answers", [(), (99,), (True,), ("200",), (200, None)])
def test_a_script_that_is_none_is_refused(
    webhook_receiver: WebhookReceiver, answers: tuple[int, ...]
) -> None:
    """When it is given, not when it is played."""
    with pytest.raises(ValueError, match="script"):
        webhook_receiver.script(*answers)


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
                    webhook_receiver.take,
                    good.headers.items(),
                    good.body,
                    path="/hook",
                    now_s=1_800_000_000,
                )
                for _ in range(100)
            )
        )

    asyncio.run(at_once())
    statuses = [each.status for each in webhook_receiver.deliveries]
    assert (statuses.count(500), statuses.count(200)) == (50, 50)


def test_one_receiver_may_have_many_endpoints(
    webhook_engine: VirtualEngine, webhook_receiver: WebhookReceiver
) -> None:
    """Each at a URL of its own, where its own secret is trusted and no other's."""
    endpoints = [webhook_engine.create_endpoint(webhook_receiver) for _ in range(20)]
    webhook_engine.send_batch([{"endpoint_id": each.id, "payload": ORDER} for each in endpoints])
    webhook_engine.drain()
    assert_delivered(webhook_receiver, ORDER, times=20, attempts=20)
    assert {each.path for each in webhook_receiver.deliveries} == {
        "/hook",
        *(f"/hook/{number}" for number in range(2, 21)),
    }
    swapped = WebhookSamples(endpoints[0].signing_secret).good(ORDER)
    now_s = float(swapped.headers["webhook-timestamp"])
    for path, status in (("/hook", 200), ("/hook/2", 401)):
        answer = webhook_receiver.take(
            swapped.headers.items(), swapped.body, path=path, now_s=now_s
        )
        assert answer.status == status


def test_only_so_many_secrets_are_trusted(webhook_receiver: WebhookReceiver) -> None:
    """What `verify` would not take is refused when it is given, not by a delivery's failure."""
    for _ in range(8):
        webhook_receiver.trust(SAMPLE_SECRET)
        webhook_receiver.trust(SAMPLE_SECRET, url=webhook_receiver.url)
    with pytest.raises(ValueError, match="at most 8 are trusted everywhere"):
        webhook_receiver.trust(SAMPLE_SECRET)
    with pytest.raises(
        ValueError, match=r"at most 8 are trusted at https://receiver\.example/hook"
    ):
        webhook_receiver.trust(SAMPLE_SECRET, url=webhook_receiver.url)
    good = WebhookSamples().good(ORDER)
    now_s = float(good.headers["webhook-timestamp"])
    answer = webhook_receiver.take(good.headers.items(), good.body, path="/hook", now_s=now_s)
    assert answer.status == 200


def test_the_receiver_without_the_engine_leaves_room_for_another(
    simulation: Simulation, webhook_receiver: WebhookReceiver
) -> None:
    """A world has one engine: the fixture makes it only for who asks for it."""
    own = simulation.engine()
    endpoint = own.create_endpoint(webhook_receiver.url)
    webhook_receiver.trust(endpoint.signing_secret)
    own.send(endpoint.id, ORDER)
    simulation.settle()
    assert_delivered(webhook_receiver, ORDER)


def test_a_program_may_take_the_virtual_engine_for_a_blocking_one(
    webhook_engine: VirtualEngine, webhook_receiver: WebhookReceiver
) -> None:
    """It has all calls, hears events, and refuses what a listener could only deadlock on."""
    failed: list[object] = []
    refused: list[RuntimeError] = []

    def hear(event: Event) -> None:
        failed.append(event.name)
        with pytest.raises(RuntimeError, match="called while virtual time passes") as error:
            webhook_engine.list_dlq()
        refused.append(error.value)

    webhook_engine.on("message.failed", hear)
    webhook_receiver.script(410)
    endpoint = webhook_engine.create_endpoint(webhook_receiver)
    webhook_engine.send_batch([{"endpoint_id": endpoint.id, "payload": ORDER}])
    webhook_engine.drain()
    webhook_engine.advance(1)
    assert failed == ["message.failed"]
    assert len(refused) == 1
    (dead,) = webhook_engine.list_dlq().items
    webhook_engine.delete_message(dead.entry.message_id)
    assert webhook_engine.list_dlq().items == []


def test_a_call_has_its_time_limit_in_virtual_seconds(webhook_engine: VirtualEngine) -> None:
    """What takes longer is told in the words of `SyncEngine`."""
    with pytest.raises(CallTimeoutError):
        webhook_engine.list_logs(timeout_s=1e-9)


async def test_a_coroutine_has_all_calls(
    webhook_engine: AsyncRealEngine, webhook_receiver: WebhookReceiver
) -> None:
    """By the names of `Engine`; and no others, whatever the blocking engine has."""
    endpoint = await webhook_engine.create_endpoint(webhook_receiver)
    await webhook_engine.send_batch([{"endpoint_id": endpoint.id, "payload": ORDER}])
    await webhook_engine.drain()
    (entry,) = (await webhook_engine.list_logs()).items
    assert await webhook_engine.call(lambda engine: engine.get_payload(entry.message_id))
    assert len(await webhook_engine.list_attempts(entry.message_id)) == 1
    for missing in ("close", "_call", "sent"):
        with pytest.raises(AttributeError, match=missing):
            getattr(webhook_engine, missing)


@pytest.mark.webhook_engine(clock="real")
def test_what_hangs_is_given_up_soon_enough_for_a_drain(
    webhook_engine: RealEngine, webhook_receiver: WebhookReceiver
) -> None:
    """An attempt at the kit's receiver has two seconds, unless the test says otherwise."""
    assert webhook_engine.create_endpoint(webhook_receiver).endpoint.config.timeout_s == 2
    endpoint = webhook_engine.create_endpoint(webhook_receiver, timeout_s=1)
    webhook_receiver.script(HANG, Answer(status=201, headers=(("X-Who", "me"),), body=b"ok"))
    webhook_engine.send(endpoint.id, ORDER)
    webhook_engine.drain()
    assert_delivered(webhook_receiver, ORDER, attempts=2)
    assert [each.status for each in webhook_receiver.deliveries] == [None, 201]


def test_a_receiver_closes_under_load_and_warns_of_nothing(tmp_path: Path) -> None:
    """Whatever is under way: connections that are being made, requests that hang or are slow."""
    for script in (200, HANG, Answer(delay_s=0.05)):
        with RealEngine(tmp_path) as engine, RealReceiver() as receiver:
            receiver.script(script)
            endpoints = [engine.create_endpoint(receiver) for _ in range(8)]
            engine.send_batch([{"endpoint_id": each.id, "payload": ORDER} for each in endpoints])
            receiver.close()
            receiver.close()
        gc.collect()


def test_a_receiver_closes_while_connections_are_made_and_forgets_none() -> None:
    """Those it is just accepting are closed as well: pytest makes each that is not an error."""
    for _ in range(3):
        with RealReceiver() as receiver, contextlib.ExitStack() as connections:
            port, begun = urlsplit(receiver.url).port, threading.Event()
            connect = threading.Thread(
                target=connect_until_refused, args=(port, connections, begun)
            )
            connect.start()
            begun.wait()
            receiver.close()
            connect.join()
        gc.collect()


def connect_until_refused(
    port: int, connections: contextlib.ExitStack, begun: threading.Event
) -> None:
    with contextlib.suppress(OSError):
        for _ in range(300):
            connections.enter_context(socket.create_connection(("127.0.0.1", port)))
            begun.set()


def test_what_was_accepted_is_delivered_though_the_process_dies(
    webhook_engine: VirtualEngine, webhook_receiver: WebhookReceiver
) -> None:
    """Calls meet the next process, and a drain waits for it to come up."""
    endpoint = webhook_engine.create_endpoint(webhook_receiver)
    webhook_engine.send(endpoint.id, ORDER)
    webhook_engine.simulation.crash(webhook_engine.host, power_loss=True)
    with pytest.raises(HostDownError):
        webhook_engine.list_logs()
    webhook_engine.drain()
    assert_delivered(webhook_receiver, ORDER)


@pytest.mark.webhook_engine(attempts_max=5, clock="real")
class TestMarkers:
    """Those of a class, of a module and of a test come together."""

    @pytest.mark.webhook_engine(attempts_max=2, retention_failed_hours=1)
    def test_the_closest_has_the_last_word(self, webhook_engine: RealEngine) -> None:
        """For what it says; the rest is the others'."""
        settings = webhook_engine.settings
        assert (settings.attempts_max, settings.retention_failed_hours) == (2, 1)
