"""Events: what an embedding program is told of as it happens."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sluicegate import Engine, Settings
from sluicegate.engine.errors import InvalidRequestError
from sluicegate.engine.events import Event, EventName
from sluicegate.engine.model import PauseReason
from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.ports import Request
from sluicegate.listeners import EventStream

URL = "http://127.0.0.1:9/hook"


class Answers:
    """Answers with one status after another, then with 200."""

    def __init__(self, *statuses: int) -> None:
        self._statuses = list(statuses)

    async def post(self, _: Request) -> Outcome:
        status = self._statuses.pop(0) if self._statuses else 200
        return Outcome(kind=OutcomeKind.ANSWERED, status=status)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        database=str(tmp_path / "engine.db"),
        dev=True,
        retry_fast_s=(0,),
        retry_slow_s=(0,),
    )


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[Engine]:
    async with Engine(settings, sender=Answers()) as engine:
        yield engine


async def names_of(stream: EventStream, count: int) -> list[str]:
    return [(await anext(stream)).name for _ in range(count)]


async def test_the_life_of_a_message_is_told_in_order(settings: Settings) -> None:
    """Accepted, failed once, delivered; with what belongs to each."""
    async with Engine(settings, sender=Answers(500)) as engine:
        events = engine.events()
        endpoint_id = (await engine.create_endpoint(URL)).id
        message_id = (await engine.send(endpoint_id, 1)).message_id
        accepted, failed, succeeded = [await anext(events) for _ in range(3)]
    assert [accepted.name, failed.name, succeeded.name] == [
        "message.accepted",
        "attempt.failed",
        "message.succeeded",
    ]
    for event in (accepted, failed, succeeded):
        assert (event.message_id, event.endpoint_id) == (message_id, endpoint_id)
    assert (failed.attempt_no, failed.response_status) == (1, 500)
    assert failed.error is not None
    assert failed.next_attempt_at is not None
    assert (succeeded.attempt_no, succeeded.response_status) == (2, 200)
    assert accepted.at <= failed.at <= succeeded.at


async def test_what_is_told_is_durable(engine: Engine) -> None:
    """Whoever is told can read it."""
    read: list[str] = []
    done = asyncio.Event()

    async def look(event: Event) -> None:
        read.append((await engine.get_message(str(event.message_id))).status)
        done.set()

    engine.on("message.succeeded", look)
    await engine.send((await engine.create_endpoint(URL)).id, 1)
    await done.wait()
    assert read == ["succeeded"]


async def test_a_dead_letter_is_told(settings: Settings) -> None:
    """At once when no retry follows."""
    async with Engine(settings, sender=Answers(400)) as engine:
        events = engine.events("message.failed")
        message_id = (await engine.send((await engine.create_endpoint(URL)).id, 1)).message_id
        event = await anext(events)
        assert (event.message_id, event.attempt_no) == (message_id, 1)
        assert [each.entry.message_id for each in (await engine.list_dlq()).items] == [message_id]


async def test_pause_and_resume_are_told(engine: Engine) -> None:
    """With who did it, and what was held."""
    events = engine.events(EventName.ENDPOINT_PAUSED, EventName.ENDPOINT_RESUMED)
    endpoint_id = (await engine.create_endpoint(URL)).id
    await engine.pause(endpoint_id)
    await engine.send(endpoint_id, 1)
    await engine.resume(endpoint_id)
    paused, resumed = [await anext(events) for _ in range(2)]
    assert (paused.name, paused.reason) == ("endpoint.paused", PauseReason.MANUAL)
    assert (resumed.name, resumed.count) == ("endpoint.resumed", 1)
    assert paused.endpoint_id == resumed.endpoint_id == endpoint_id


async def test_a_pause_that_the_engine_decides_on_is_told(settings: Settings) -> None:
    """A receiver that answers 410 is gone."""
    async with Engine(settings, sender=Answers(410)) as engine:
        events = engine.events("endpoint.paused")
        await engine.send((await engine.create_endpoint(URL)).id, 1)
        assert (await anext(events)).reason is PauseReason.GONE


async def test_a_refused_command_tells_nothing(engine: Engine) -> None:
    """Only what was done is told."""
    events = engine.events("endpoint.paused", "endpoint.resumed")
    endpoint_id = (await engine.create_endpoint(URL)).id
    with pytest.raises(Exception, match="not paused"):
        await engine.resume(endpoint_id)
    await engine.pause(endpoint_id)
    assert await names_of(events, 1) == ["endpoint.paused"]


async def test_events_end_with_the_engine(settings: Settings) -> None:
    """After all that happened was taken."""
    async with Engine(settings, sender=Answers()) as engine:
        events = engine.events("message.accepted")
        for number in range(3):
            await engine.send((await engine.create_endpoint(f"{URL}/{number}")).id, 1)
    assert [event.name async for event in events] == ["message.accepted"] * 3
    assert [event async for event in engine.events()] == []


async def test_a_slow_reader_is_told_how_much_it_missed(engine: Engine) -> None:
    """In the place where it is missing; deliveries went on."""
    events = engine.events("message.accepted", room=2)
    endpoint_id = (await engine.create_endpoint(URL)).id
    sent = [(await engine.send(endpoint_id, number)).message_id for number in range(5)]
    first, second, missed = [await anext(events) for _ in range(3)]
    assert [first.message_id, second.message_id] == sent[:2]
    assert (missed.name, missed.count) == ("events.missed", 3)
    last = (await engine.send(endpoint_id, 5)).message_id
    assert (await anext(events)).message_id == last


async def test_a_gap_stands_before_what_came_after_it(engine: Engine) -> None:
    """Also when there was room again before it was read."""
    events = engine.events("message.accepted", room=2)
    endpoint_id = (await engine.create_endpoint(URL)).id
    for number in range(3):
        await engine.send(endpoint_id, number)
    assert await names_of(events, 1) == ["message.accepted"]
    await engine.send(endpoint_id, 3)
    assert await names_of(events, 3) == ["message.accepted", "events.missed", "message.accepted"]


async def test_a_listener_that_hangs_holds_nothing_up(
    settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither deliveries nor other listeners, nor the end for long; what it missed is logged."""
    monkeypatch.setattr("sluicegate.listeners.LISTENERS_END_S", 0.01)
    go_on = asyncio.Event()
    heard: list[str] = []

    async def hang(_: Event) -> None:
        await go_on.wait()

    async with Engine(settings, sender=Answers()) as engine:
        engine.on("message.succeeded", hang, room=1)
        engine.on("message.succeeded", lambda event: heard.append(event.name))
        events = engine.events("message.succeeded")
        endpoint_id = (await engine.create_endpoint(URL)).id
        for number in range(4):
            await engine.send(endpoint_id, number)
            await anext(events)
        go_on.set()
        await engine.send(endpoint_id, 4)
        await anext(events)
        go_on.clear()
    assert heard == ["message.succeeded"] * 5
    lagged = [each for each in caplog.records if "listener.lagged" in str(each.msg)]
    assert lagged


async def test_a_listener_that_raises_is_called_again(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """What it raised is in the log, with its name."""
    heard: list[str] = []
    done = asyncio.Event()

    def break_once(event: Event) -> None:
        heard.append(str(event.message_id))
        if len(heard) == 1:
            raise LookupError("of the listener's own")
        done.set()

    engine.on("message.succeeded", break_once)
    endpoint_id = (await engine.create_endpoint(URL)).id
    sent = [(await engine.send(endpoint_id, number)).message_id for number in range(2)]
    await done.wait()
    assert sorted(heard) == sorted(sent)
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert "listener.failed" in str(record.msg)
    assert "of the listener's own" in str(record.msg)


async def test_a_listener_that_waits_for_what_is_cancelled_is_called_again(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """It was not the listener that was cancelled: this is logged as any error is."""
    heard: list[Event] = []
    done = asyncio.Event()

    async def await_cancelled(event: Event) -> None:
        heard.append(event)
        if len(heard) == 3:
            done.set()
        other = asyncio.create_task(asyncio.sleep(60))
        other.cancel()
        await other

    engine.on("message.accepted", await_cancelled)
    endpoint_id = (await engine.create_endpoint(URL)).id
    for number in range(3):
        await engine.send(endpoint_id, number)
    async with asyncio.timeout(30):
        await done.wait()
    assert any("listener.failed" in str(each.msg) for each in caplog.records)


async def test_a_listener_may_close_the_engine(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two wait for one another: the listener is cut off, and the engine closes."""
    monkeypatch.setattr("sluicegate.listeners.LISTENERS_END_S", 0.01)
    async with asyncio.timeout(30), Engine(settings, sender=Answers()) as engine:
        engine.on("message.accepted", lambda _: engine.aclose())
        await engine.send((await engine.create_endpoint(URL)).id, 1)
        assert [event async for event in engine.events("storage.failed")] == []


async def test_a_listener_is_told_until_it_is_ended(engine: Engine) -> None:
    """Twice is fine."""
    heard: list[Event] = []
    end = engine.on("endpoint.paused", heard.append)
    endpoint_id = (await engine.create_endpoint(URL)).id
    end()
    end()
    events = engine.events("endpoint.paused")
    await engine.pause(endpoint_id)
    await anext(events)
    assert heard == []


async def test_listeners_may_come_before_the_engine_is_open(settings: Settings) -> None:
    """They are told from the first event on."""
    engine = Engine(settings, sender=Answers())
    heard: list[str] = []
    engine.on("message.accepted", lambda event: heard.append(event.name))
    events = engine.events("message.accepted")
    async with engine:
        await engine.send((await engine.create_endpoint(URL)).id, 1)
    assert heard == ["message.accepted"]
    assert [event.name async for event in events] == heard


async def test_when_nobody_listens_no_event_is_made(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even after somebody did, and went: whether by name or by letting go."""
    events = engine.events()
    end = engine.on("message.succeeded", print)
    end()
    for _ in range(2):
        await asyncio.sleep(0)  # the task that called it ends
    del events
    gc.collect()

    def no_event(*_: object, **fields: Any) -> None:
        raise AssertionError(fields)

    monkeypatch.setattr("sluicegate.listeners.Event", no_event)
    monkeypatch.setattr("sluicegate.actors.announcing.Event", no_event)
    endpoint_id = (await engine.create_endpoint(URL)).id
    message_id = (await engine.send(endpoint_id, 1)).message_id
    while (await engine.get_message(message_id)).status != "succeeded":
        pass
    await engine.pause(endpoint_id)


@pytest.mark.parametrize("name", ["message.eaten", "", 7, None])
async def test_an_event_that_is_none_is_refused(engine: Engine, name: Any) -> None:
    """With a list of those that there are."""
    for listen in (engine.events, lambda name: engine.on(name, print)):
        with pytest.raises(InvalidRequestError, match=r"message\.succeeded"):
            listen(name)


@pytest.mark.parametrize("room", [0, 100_001, 1.5, True])
async def test_room_that_makes_no_sense_is_refused(engine: Engine, room: Any) -> None:
    """As any number out of its bounds."""
    with pytest.raises(InvalidRequestError, match="room"):
        engine.events(room=room)
