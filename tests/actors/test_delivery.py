"""The delivery loop: order, caps, rate (contract, section 7)."""

import asyncio
import itertools
import sqlite3
from pathlib import Path

import msgspec
import pytest

from sluicegate.engine.errors import EndpointNotFoundError, UnavailableError
from sluicegate.engine.outcome import Outcome
from sluicegate.engine.ports import Request

from .world import PROJECT, MovableClock, World, answered, script, until


async def take_some_turns(_request: Request) -> Outcome:
    """Answer after the loop has gone round a few times."""
    for _ in range(5):
        await asyncio.sleep(0)
    return answered(200)


async def test_attempts_start_in_the_order_of_acceptance(world: World) -> None:
    """Ten windows' worth over two endpoints, each in its own order."""
    first, second = await world.endpoint(), await world.endpoint()
    sent_first = await world.send(first, 300)
    sent_second = await world.send(second, 300)
    await world.sender.wait_for_count(600)
    assert world.sender.ids(f"https://example.com/{first}") == sent_first
    assert world.sender.ids(f"https://example.com/{second}") == sent_second


async def test_no_more_than_max_in_flight_attempts_run_at_once(world: World) -> None:
    """The cap is reached, and never passed."""
    endpoint = await world.known_endpoint(max_in_flight=3)
    world.sender.answer = take_some_turns
    sent = await world.send(endpoint, 50)
    await world.wait_for_status(sent, "succeeded")
    assert world.sender.in_flight_max == 3


async def test_the_process_wide_cap_is_shared_by_turns(tmp_path: Path) -> None:
    """An endpoint with much to do does not keep one with little from its turn."""
    async with World(tmp_path, in_flight_max=2, in_flight_late_max=1) as world:
        busy, calm = await world.endpoint(), await world.endpoint()
        stored = asyncio.Event()

        async def answer(request: Request) -> Outcome:
            if len(world.sender.posts) > 1:  # with a success it may have two in flight
                await stored.wait()
            return await take_some_turns(request)

        world.sender.answer = answer
        await world.send(busy, 200)
        await world.sender.wait_for_count(2)
        (sent,) = await world.send(calm)
        stored.set()
        await world.wait_for_status([sent], "succeeded")
        position = world.sender.ids().index(sent)
        assert position < 100
        await world.sender.wait_for_count(201)
        assert world.sender.in_flight_max <= 2 + 1


class OneMoment(MovableClock):
    """A clock whose wall shows when the bucket was asked, and not when the attempt is dated.

    Between the two the machine may do something else for some milliseconds.
    """

    asked_s = 0.0

    def monotonic_s(self) -> float:
        self.asked_s = super().monotonic_s()
        return self.asked_s

    def wall_ms(self) -> int:
        return int(self._offset_ms + self.asked_s * 1000)


async def test_the_rate_limit_is_kept(world: World) -> None:
    """200 a second, 5 at once: in no window do more attempts start than may."""
    world.clock.__class__ = OneMoment
    endpoint = await world.endpoint(rate_limit_rps=200, burst=5)
    sent = await world.send(endpoint, 60)
    await world.wait_for_status(sent, "succeeded")
    moments = []
    for message_id in sent:
        (attempt,), _ = await world.storage.list_attempts(PROJECT, message_id, limit=9)
        moments.append(attempt.created_at.timestamp())
    rounding_s = 0.001  # moments are kept in whole milliseconds
    for (i, early), (j, late) in itertools.combinations(enumerate(moments), 2):
        assert j - i + 1 <= 5 + (late - early + rounding_s) * 200


async def test_a_permanent_failure_is_final(world: World) -> None:
    """400 is never tried again."""
    endpoint = await world.endpoint()
    script(world, itertools.chain([400], itertools.repeat(200)))
    sent = await world.send(endpoint, 2)
    await world.wait_for_status(sent[:1], "failed_permanent")
    await world.wait_for_status(sent[1:], "succeeded")
    assert world.sender.ids() == sent


async def test_an_ordered_endpoint_starts_a_message_only_when_all_before_it_are_done(
    world: World,
) -> None:
    """A failure holds the rest back until it succeeds."""
    endpoint = await world.endpoint(ordered=True)
    script(world, itertools.chain([200, 500, 500], itertools.repeat(200)))
    sent = await world.send(endpoint, 4)
    await world.wait_for_status(sent, "succeeded")
    assert world.sender.ids() == [sent[0], sent[1], sent[1], sent[1], sent[2], sent[3]]
    assert world.sender.in_flight_max == 1


async def test_after_410_the_endpoint_is_paused_as_gone(world: World) -> None:
    """410 fails its message for good and pauses the endpoint in the same commit."""
    endpoint = await world.endpoint(max_in_flight=1)
    script(world, itertools.chain([410], itertools.repeat(200)))
    sent = await world.send(endpoint, 3)
    await world.wait_for_status(sent[:1], "failed_permanent")
    await world.wait_for_status(sent[1:], "paused")
    found = await world.storage.get_endpoint(PROJECT, endpoint, in_flight=frozenset())
    assert found is not None
    assert found.pause_reason == "gone"
    assert await world.directory.resume(PROJECT, endpoint) == 2
    await world.wait_for_status(sent[1:], "succeeded")


async def test_a_new_configuration_counts_from_the_next_attempt(world: World) -> None:
    """`Reconfigure` is answered when it is durable and in force."""
    endpoint = await world.endpoint()
    await world.send(endpoint)
    await world.sender.wait_for_count(1)
    await world.directory.reconfigure(
        PROJECT,
        endpoint,
        lambda config: msgspec.structs.replace(config, url="https://example.com/new"),
    )
    await world.send(endpoint)
    await world.sender.wait_for_count(2)
    assert world.sender.posts[1].url == "https://example.com/new"


async def test_deleting_an_endpoint_gives_up_what_waits(world: World) -> None:
    """Section 4: more than one sweep's worth; an attempt in flight may finish."""
    endpoint = await world.endpoint(max_in_flight=1)
    hang = asyncio.Event()

    async def answer(_request: Request) -> Outcome:
        await hang.wait()
        return answered(200)

    world.sender.answer = answer
    sent = await world.send(endpoint, 1200)
    await world.sender.wait_for_count(1)
    await world.directory.delete(PROJECT, endpoint)
    assert (await world.message(sent[-1])).status == "failed_permanent"
    hang.set()
    await world.wait_for_status(sent[:1], "succeeded")
    await world.wait_for_status(sent[1:], "failed_permanent")
    assert (await world.message(sent[5])).last_error == "endpoint deleted"
    with pytest.raises(EndpointNotFoundError):
        await world.directory.pause(PROJECT, endpoint)
    assert world.sender.ids() == sent[:1]


async def test_a_payload_too_large_for_the_window_is_read_for_its_attempt(world: World) -> None:
    """The window keeps small payloads only; what is sent is whole."""
    endpoint = await world.endpoint()
    payload = b'"' + b"x" * 200_000 + b'"'
    await world.send_payload(endpoint, payload)
    await world.sender.wait_for_count(1)
    assert world.sender.posts[0].body == payload


async def test_a_waiting_message_without_a_payload_is_given_up(world: World) -> None:
    """Whatever took the payload away: the message ends in the DLQ, and others go on."""
    endpoint = await world.endpoint()
    await world.directory.pause(PROJECT, endpoint)
    gone = await world.send_payload(endpoint, b'"' + b"x" * 10_000 + b'"')
    sent = await world.send(endpoint)
    await world.storage.close()
    with sqlite3.connect(world.settings.database) as connection:
        connection.execute("DELETE FROM payloads WHERE seq = (SELECT min(seq) FROM payloads)")
    connection.close()
    await world.restart()
    await world.directory.resume(PROJECT, endpoint)
    await world.wait_for_status(sent, "succeeded")
    await world.wait_for_status(gone, "failed_permanent")
    assert (await world.message(gone[0])).last_error == "payload is gone"
    assert world.sender.ids() == sent


async def test_what_this_machine_lacks_burns_no_attempt(world: World) -> None:
    """No file descriptors: the message waits a second and is sent; its circuit saw nothing."""
    endpoint = await world.endpoint()
    short = iter([True] * 2)
    post = world.sender.post

    async def post_if_possible(request: Request) -> Outcome:
        if next(short, False):
            msg = "too many open files"
            raise UnavailableError(msg)
        return await post(request)

    world.sender.post = post_if_possible  # type: ignore[method-assign] # a machine that ran out
    sent = await world.send(endpoint, 3)
    await world.wait_for_status(sent, "succeeded")
    assert [(await world.message(each)).attempt_count for each in sent] == [1, 1, 1]
    assert world.counted("sluicegate_attempts_unsent_total") == 2


async def test_attempts_start_in_order_whatever_their_payloads_weigh(world: World) -> None:
    """A payload that must be read first does not let those behind it overtake."""
    endpoint = await world.endpoint()
    await world.directory.pause(PROJECT, endpoint)
    sent = []
    for number in range(24):
        size = 200_000 if number % 3 == 0 else 10
        sent += await world.send_payload(endpoint, b'"' + b"x" * size + b'"')
    await world.directory.resume(PROJECT, endpoint)
    await world.wait_for_status(sent, "succeeded")
    assert world.sender.ids() == sent


async def test_a_recalled_attempt_of_a_deleted_endpoint_is_given_up(world: World) -> None:
    """It was in flight when the others were given up, and nothing of it was sent."""
    endpoint = await world.endpoint()
    connecting, connected = asyncio.Event(), asyncio.Event()
    post = world.sender.post

    async def slow_to_connect(request: Request) -> Outcome:
        connecting.set()
        await connected.wait()
        return await post(request)

    world.sender.post = slow_to_connect  # type: ignore[method-assign] # a slower network
    sent = await world.send(endpoint, 2)
    await connecting.wait()
    await world.directory.delete(PROJECT, endpoint)
    connected.set()

    async def swept() -> bool:
        with sqlite3.connect(world.settings.database) as connection:
            rows = connection.execute("SELECT DISTINCT status FROM messages").fetchall()
        connection.close()
        return rows == [("failed_permanent",)]

    await until(swept)
    await world.wait_for_status(sent, "failed_permanent")
    assert world.sender.posts == []
