"""The log: messages newest first, by endpoint, status and time."""

import random
from typing import TYPE_CHECKING

import msgspec
import pytest

from sluicegate.engine.lifecycle import WAITING, MessageStatus
from sluicegate.engine.model import PauseReason
from sluicegate.engine.ports import LogQuery

if TYPE_CHECKING:
    from tests.conformance.storage.conftest import Bench


async def test_an_entry_tells_the_message_in_short(bench: "Bench") -> None:
    """By the same status and moments as the message itself."""
    endpoint = await bench.endpoint(url="https://receiver.example/hook")
    done, failing = await bench.send(endpoint, 2)
    await bench.attempt(endpoint, done)
    await bench.attempt(endpoint, failing, MessageStatus.PENDING_RETRY)
    query = LogQuery(project_id=bench.project, limit=9)
    entries, more = await bench.storage.list_logs(query, in_flight=set())
    assert more is None
    for entry, message_id in zip(entries, (failing, done), strict=True):
        message = await bench.get(message_id)
        assert entry.message_id == message_id
        assert entry.endpoint == "https://receiver.example/hook"
        for name in (
            "status",
            "attempt_count",
            "created_at",
            "delivered_at",
            "next_attempt_at",
            "response_status",
            "response_latency_ms",
            "last_error",
            "deleted_at",
        ):
            assert getattr(entry, name) == getattr(message, name), name


async def test_pages_are_stable_while_messages_arrive(bench: "Bench") -> None:
    """No message is seen twice or skipped, whatever the statuses."""
    endpoint = await bench.endpoint()
    sent = await bench.send(endpoint, 7)
    for message_id in sent[::2]:
        await bench.attempt(endpoint, message_id)
    seen: list[str] = []
    position: int | None = None
    while True:
        query = LogQuery(project_id=bench.project, limit=3, before_seq=position)
        entries, position = await bench.storage.list_logs(query, in_flight=set())
        seen += [entry.message_id for entry in entries]
        await bench.send(endpoint)
        if position is None:
            break
    assert seen == sent[::-1]


async def test_another_projects_messages_are_not_listed(bench: "Bench") -> None:
    """Nor is anything for its endpoint, or for a project that is not there."""
    other = "proj_" + "2" * 32
    await bench.storage.create_project(other, "other", created_at_ms=1)
    endpoint = await bench.endpoint()
    await bench.send(endpoint)
    assert await bench.logged(project_id=other) == []
    assert await bench.logged(project_id=other, endpoint_id=endpoint) == []
    assert await bench.logged(project_id="proj_unknown") == []


async def test_times_find_each_message_of_one_call(bench: "Bench") -> None:
    """The first of many as well as the last."""
    sent = await bench.send(await bench.endpoint(), 5)
    sent += await bench.send(await bench.endpoint(), 5)
    now_ms = bench.clock.now_ms
    assert await bench.logged(start_at_ms=now_ms, end_at_ms=now_ms + 1) == sent[::-1]


async def test_times_are_inclusive_then_exclusive(bench: "Bench") -> None:
    """Also where the wall clock was set back between two messages."""
    endpoint = await bench.endpoint()
    start_ms = bench.clock.now_ms
    moments = [start_ms + offset for offset in (0, 1, 59_999, 60_000, -3_600_000, 120_000)]
    sent = []
    for moment in moments:
        bench.clock.now_ms = moment
        sent += await bench.send(endpoint)

    async def between(start: int, end: int) -> list[str]:
        listed = await bench.logged(start_at_ms=start_ms + start, end_at_ms=start_ms + end)
        return [str(sent.index(message_id)) for message_id in listed]

    assert await between(0, 60_000) == ["2", "1", "0"]
    assert await between(1, 60_001) == ["3", "2", "1"]
    assert await between(-3_600_000, 1) == ["4", "0"]
    assert await between(-3_600_000, 999_999) == ["5", "4", "3", "2", "1", "0"]
    assert await between(500_000, 999_999) == []
    assert await bench.logged(start_at_ms=start_ms + 60_000) == [sent[5], sent[3]]
    assert await bench.logged(end_at_ms=start_ms) == [sent[4]]


@pytest.mark.parametrize("seed", range(3))
async def test_every_filter_agrees_with_a_plain_reading(bench: "Bench", seed: int) -> None:
    """Status, endpoint, time and position, each with each, against every message read singly."""
    chance = random.Random(seed)
    endpoints = [await bench.endpoint() for _ in range(5)]
    sent: list[tuple[str, str]] = []
    in_flight: set[str] = set()
    for _ in range(60):
        endpoint = chance.choice(endpoints)
        bench.clock.now_ms += chance.choice((1, 30_000, -5_000))
        [message_id] = await bench.send(endpoint)
        sent.append((endpoint, message_id))
        if chance.random() < 0.6:
            status = chance.choice(
                (
                    MessageStatus.SUCCEEDED,
                    MessageStatus.PENDING_RETRY,
                    MessageStatus.FAILED_PERMANENT,
                )
            )
            await bench.attempt(endpoint, message_id, status)
        if chance.random() < 0.2:
            in_flight.add(message_id)
    await bench.storage.pause(endpoints[1], reason=PauseReason.MANUAL, at_ms=1)
    await bench.storage.pause(endpoints[3], reason=PauseReason.GONE, at_ms=1)
    for endpoint in endpoints[2:4]:
        await bench.storage.delete_endpoint(endpoint, at_ms=1)
    messages = [await bench.get(message_id, *in_flight) for _, message_id in reversed(sent)]
    moments = sorted(message.created_at for message in messages)
    start_ms, end_ms = (int(moments[index].timestamp() * 1000) for index in (10, 45))
    places: list[str | None] = [None, *endpoints]
    for place in places:
        for status in (None, *MessageStatus):
            for bounds in ((None, None), (start_ms, None), (None, end_ms), (start_ms, end_ms)):
                expected = [
                    message.id
                    for message in messages
                    if place in {None, message.endpoint_id}
                    and status in {None, message.status}
                    and (bounds[0] is None or message.created_at.timestamp() * 1000 >= bounds[0])
                    and (bounds[1] is None or message.created_at.timestamp() * 1000 < bounds[1])
                ]
                query = LogQuery(
                    project_id=bench.project,
                    limit=1 + chance.randrange(9),
                    endpoint_id=place,
                    status=status,
                    start_at_ms=bounds[0],
                    end_at_ms=bounds[1],
                )
                listed: list[str] = []
                position: int | None = None
                while True:
                    page = msgspec.structs.replace(query, before_seq=position)
                    entries, position = await bench.storage.list_logs(page, in_flight=in_flight)
                    listed += [entry.message_id for entry in entries]
                    assert {entry.status for entry in entries} <= {
                        status or entry.status for entry in entries
                    }
                    if position is None:
                        break
                assert listed == expected, (place, status, bounds)


async def test_counts_agree_with_the_log(bench: "Bench") -> None:
    """After a random history, an endpoint's counts are what the log lists by status."""
    chance = random.Random(4)
    endpoint = await bench.endpoint()
    in_flight: set[str] = set()
    for _ in range(80):
        [message_id] = await bench.send(endpoint)
        for _ in range(chance.randrange(3)):
            waiting = [
                message for message in await bench.waiting(endpoint) if message.id not in in_flight
            ]
            if waiting:
                status = chance.choice(
                    (MessageStatus.SUCCEEDED, *WAITING[1:], MessageStatus.FAILED_PERMANENT)
                )
                await bench.attempt(endpoint, chance.choice(waiting).id, status)
        if chance.random() < 0.1:
            in_flight.add(message_id)
    for paused in (False, True):
        if paused:
            await bench.storage.pause(endpoint, reason=PauseReason.MANUAL, at_ms=1)
        listed = {
            status.value: len(await bench.logged(*in_flight, status=status))
            for status in MessageStatus
            if status is not MessageStatus.SUCCEEDED
        }
        counts = {name: count for name, count in listed.items() if count}
        assert await bench.counts(endpoint, *in_flight) == counts
