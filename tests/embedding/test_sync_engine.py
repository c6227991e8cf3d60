"""`SyncEngine`: the same engine for programs without an event loop."""

import asyncio
import copy
import math
import pickle
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from queue import SimpleQueue
from typing import Any

import pytest
from tests.embedding.conftest import Receiver

from sluicegate import Engine, Settings, SyncEngine
from sluicegate.embedding import CallTimeoutError
from sluicegate.engine.calls import ProjectCalls
from sluicegate.engine.errors import (
    EndpointNotFoundError,
    EnqueueOnlyError,
    InvalidRequestError,
    SettingError,
    StorageLockedError,
    UnavailableError,
)
from sluicegate.engine.events import Event
from sluicegate.engine.lifecycle import MessageStatus

URL = "http://127.0.0.1:9/hook"


@pytest.fixture
def engine(settings: Settings) -> Iterator[SyncEngine]:
    """Not started yet."""
    engine = SyncEngine(settings)
    yield engine
    engine.close()


def test_it_delivers_at_once(engine: SyncEngine, receiver: Receiver) -> None:
    """Without being opened first: the first call does that."""
    endpoint_id = engine.create_endpoint(receiver.url).endpoint.id
    engine.send(endpoint_id, {"event": "order.created"})
    assert receiver.bodies.get(timeout=30) == b'{"event":"order.created"}'


def test_nothing_is_started_before_the_first_call(settings: Settings) -> None:
    """A module may make one and be imported by a process that never sends."""
    before = threading.active_count()
    engine = SyncEngine(settings)
    assert threading.active_count() == before
    engine.close()
    assert not engine.failed


def test_its_methods_raise_what_the_engines_own_do(engine: SyncEngine) -> None:
    """On the thread that called."""
    with pytest.raises(EndpointNotFoundError):
        engine.send("ep_" + "0" * 32, 1)


def test_every_call_of_an_engine_is_there() -> None:
    """By the same name."""
    asked = {name for name in dir(ProjectCalls) if not name.startswith("_")} - {"services"}
    assert asked <= set(dir(SyncEngine))


def test_as_a_context_manager_it_opens_at_once(settings: Settings) -> None:
    """So what keeps it from opening is told there, and again when it is tried again."""
    with SyncEngine(settings) as owner:
        second = SyncEngine(settings)
        for _ in range(2):
            with pytest.raises(StorageLockedError), second:
                pass
        owner.close()
        with second:
            assert second.list_endpoints().items == []


def test_any_number_may_enqueue_beside_the_owner(settings: Settings, receiver: Receiver) -> None:
    """Whether it is there yet or not; they only send."""
    with SyncEngine(settings) as owner:
        endpoint_id = owner.create_endpoint(receiver.url).endpoint.id
    first, second = (SyncEngine(settings, mode="enqueue") for _ in range(2))
    first.send(endpoint_id, {"n": 1})
    second.send(endpoint_id, {"n": 2})
    with pytest.raises(EnqueueOnlyError):
        first.list_endpoints()
    with pytest.raises(EnqueueOnlyError):
        first.on("message.failed", print)
    with SyncEngine(settings) as owner:
        assert [receiver.bodies.get(timeout=30) for _ in range(2)] == [b'{"n":1}', b'{"n":2}']
        first.send(endpoint_id, {"n": 3})
        assert receiver.bodies.get(timeout=30) == b'{"n":3}'
        assert len(owner.list_logs().items) == 3
    first.close()
    second.close()


def test_a_mode_that_is_none_is_refused(settings: Settings) -> None:
    """At once, and not at the first call."""
    with pytest.raises(SettingError, match="mode must be deliver or enqueue, not 'both'"):
        SyncEngine(settings, mode="both")  # type: ignore[arg-type]  # what is refused


def test_after_close_it_says_so(settings: Settings) -> None:
    """Twice is fine, and the file is free."""
    engine = SyncEngine(settings)
    engine.list_endpoints()
    engine.close()
    engine.close()
    with pytest.raises(UnavailableError, match="make a new"):
        engine.list_endpoints()
    with SyncEngine(settings) as another:
        another.list_endpoints()


def test_no_thread_is_left(settings: Settings) -> None:
    """When it is closed, every thread that it started has ended."""
    before = set(threading.enumerate())
    with SyncEngine(settings) as engine:
        engine.list_endpoints()
        started = set(threading.enumerate()) - before
        assert started
        assert all(thread.daemon for thread in started)
    for thread in started:
        thread.join(10)
        assert not thread.is_alive()


def test_many_threads_may_make_the_first_call(settings: Settings) -> None:
    """One engine is started, and all of them get an answer from it."""
    engine = SyncEngine(settings)
    together = threading.Barrier(8)

    def first_call(_: int) -> int:
        together.wait(30)
        return len(engine.list_endpoints().items)

    with engine, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(first_call, range(8))) == [0] * 8
        names = [thread.name for thread in threading.enumerate()]
        assert names.count("sluicegate-engine") == 1


def test_what_eight_threads_send_is_all_there(engine: SyncEngine) -> None:
    """None lost, none twice."""
    endpoint_id = engine.create_endpoint(URL).endpoint.id
    engine.pause(endpoint_id)

    def send_some(sender: int) -> list[str]:
        return [engine.send(endpoint_id, [sender, number]).message_id for number in range(40)]

    with ThreadPoolExecutor(8) as pool:
        sent = [each for some in pool.map(send_some, range(8)) for each in some]
    found = [each.message_id for each in engine.list_logs(limit=500).items]
    assert len(set(sent)) == 320
    assert sorted(found) == sorted(sent)


def test_a_send_that_times_out_may_be_repeated_with_its_key(
    engine: SyncEngine, settings: Settings
) -> None:
    """It says that it may be stored; with the same key it is stored once."""
    endpoint_id = engine.create_endpoint(URL).endpoint.id
    engine.pause(endpoint_id)
    with closing(sqlite3.connect(settings.database, isolation_level=None)) as held:
        held.execute("BEGIN IMMEDIATE")  # no send is stored meanwhile, however quick it is
        with pytest.raises(CallTimeoutError, match="idempotency_key"):
            engine.send(endpoint_id, 1, idempotency_key="order-1", timeout_s=0.01)
    engine.send(endpoint_id, 1, idempotency_key="order-1")
    assert len(engine.list_logs().items) == 1


def test_a_timeout_is_both_an_error_of_ours_and_a_timeout() -> None:
    """Whichever of the two the host looks for."""
    assert issubclass(CallTimeoutError, UnavailableError)
    assert issubclass(CallTimeoutError, TimeoutError)


def test_an_endpoints_own_timeout_is_no_callers(engine: SyncEngine) -> None:
    """Where `timeout_s` is a field, it is the field."""
    created = engine.create_endpoint(URL, timeout_s=7)
    assert created.endpoint.config.timeout_s == 7
    assert engine.update_endpoint(created.endpoint.id, timeout_s=8).config.timeout_s == 8


@pytest.mark.parametrize("timeout_s", [0, -1, math.nan, math.inf, "1", None])
def test_a_timeout_that_makes_no_sense_is_refused(settings: Settings, timeout_s: object) -> None:
    """When it is made, and by each call; there `None` is the engine's own."""
    with pytest.raises(SettingError, match="timeout_s"):
        SyncEngine(settings, timeout_s=timeout_s)  # type: ignore[arg-type]  # junk
    if timeout_s is not None:
        with pytest.raises(SettingError, match="timeout_s"):
            SyncEngine(settings).list_endpoints(timeout_s=timeout_s)  # type: ignore[arg-type]  # junk


async def test_a_loops_thread_is_not_blocked(settings: Settings) -> None:
    """Whoever has a running loop is told what to use; another thread of theirs may call."""
    engine = SyncEngine(settings)
    with pytest.raises(RuntimeError, match=r"async with Engine\(\.\.\.\)"):
        engine.list_endpoints()
    with pytest.raises(RuntimeError, match="to_thread"):
        engine.close()
    assert (await asyncio.to_thread(engine.list_endpoints)).items == []
    await asyncio.to_thread(engine.close)


def test_a_close_that_is_not_over_in_time_goes_on(settings: Settings) -> None:
    """It says so, and can be waited for again."""
    engine = SyncEngine(settings)
    with socket.create_server(("127.0.0.1", 0)) as receiver:
        receiver.settimeout(30)
        port = receiver.getsockname()[1]
        engine.send(engine.create_endpoint(f"http://127.0.0.1:{port}/hook").id, 1)
        attempt, _ = receiver.accept()
        with attempt, pytest.raises(CallTimeoutError, match="goes on"):
            engine.close(timeout_s=0.01)  # the attempt has 5 s to end
    engine.close()
    with SyncEngine(settings) as another:
        another.list_endpoints()


def test_an_async_engine_owns_the_file_as_well(settings: Settings) -> None:
    """Both are the same engine: what one stored, the other reads."""
    with SyncEngine(settings) as engine:
        endpoint_id = engine.create_endpoint(URL).endpoint.id
        engine.pause(endpoint_id)
        message_id = engine.send(endpoint_id, 1).message_id

    async def read() -> MessageStatus:
        async with Engine(settings) as engine:
            return (await engine.get_message(message_id)).status

    assert asyncio.run(read()) is MessageStatus.PAUSED


def test_a_listener_may_block_and_call_the_engine(engine: SyncEngine, receiver: Receiver) -> None:
    """It has a thread of its own, where what it raises is logged."""
    heard: SimpleQueue[str] = SimpleQueue()

    def read(event: Event) -> None:
        heard.put(engine.get_message(str(event.message_id)).status)
        raise LookupError("of the listener's own")

    end = engine.on("message.succeeded", read)
    endpoint_id = engine.create_endpoint(receiver.url).id
    for number in range(2):
        engine.send(endpoint_id, number)
        assert heard.get(timeout=30) == "succeeded"
    end()


def test_events_can_be_waited_for(settings: Settings, receiver: Receiver) -> None:
    """They end with the engine."""
    with SyncEngine(settings) as engine:
        events = engine.events("message.accepted", "message.succeeded")
        engine.send(engine.create_endpoint(receiver.url).id, 1)
        names = [next(events).name for _ in range(2)]
    assert names == ["message.accepted", "message.succeeded"]
    assert list(events) == []


def test_listeners_hear_what_they_were_told_before_the_engine_is_closed(
    engine: SyncEngine,
) -> None:
    """Else the program's end would take it: they are daemon threads. One may close the engine."""
    go_on, all_sent, heard = threading.Event(), threading.Event(), list[Event]()

    def hear(event: Event) -> None:
        go_on.wait(30)
        for thread in threading.enumerate():
            if thread.name == "sluicegate-engine":
                thread.join(30)  # slower than the closing
        heard.append(event)

    def close(_: Event) -> None:
        all_sent.wait(30)
        go_on.set()
        engine.close()

    engine.on("message.accepted", hear)
    engine.on("message.accepted", close)
    endpoint_id = engine.create_endpoint(URL).id
    for number in range(10):
        engine.send(endpoint_id, number)
    all_sent.set()
    engine.close()
    assert len(heard) == 10


@pytest.mark.parametrize("mode", ["deliver", "enqueue"])
@pytest.mark.parametrize("settings", ["webhooks.db", {"database": "webhooks.db"}])
def test_settings_that_are_none_are_refused(settings: Any, mode: Any) -> None:
    """With what to write instead, at once; by the asynchronous engine too."""
    for kind in (SyncEngine, Engine):
        with pytest.raises(SettingError, match=r"must be Settings\(\.\.\.\), such as .* not a"):
            kind(settings, mode=mode)


def test_who_has_the_file_is_told(engine: SyncEngine, settings: Settings) -> None:
    """Two engines of one process are no two processes."""
    engine.list_endpoints()
    with pytest.raises(StorageLockedError, match="another engine of this process"):
        SyncEngine(settings).list_endpoints()


@pytest.mark.parametrize("away", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_does_not_go_to_another_process(away: Callable[[object], object]) -> None:
    """As an argument of `multiprocessing`: what to give instead is told."""
    with pytest.raises(TypeError, match="give its Settings"):
        away(SyncEngine())


def test_a_close_with_a_timeout_that_makes_no_sense_closes_nothing(engine: SyncEngine) -> None:
    """It says so, and the engine goes on."""
    with pytest.raises(SettingError, match="timeout_s"):
        engine.close(timeout_s=-1)
    assert engine.list_endpoints().items == []


def test_events_that_make_no_sense_are_refused(engine: SyncEngine) -> None:
    """As by an `Engine`; and a coroutine function, which nobody would await."""

    async def listen(_: Event) -> None: ...

    with pytest.raises(InvalidRequestError, match=r"message\.succeeded"):
        engine.events("message.eaten")
    with pytest.raises(InvalidRequestError, match="coroutine"):
        engine.on("message.failed", listen)
