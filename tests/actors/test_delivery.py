"""The delivery loop: order, caps, rate, retries, circuit (contract, section 7)."""

import asyncio
import itertools
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from sluicegate.engine.errors import EndpointNotFoundError, UnavailableError
from sluicegate.engine.model import WaitingMessage
from sluicegate.engine.outcome import Outcome
from sluicegate.engine.ports import Request

from .world import PROJECT, World, answered, until


def script(world: World, statuses: Iterator[int]) -> None:
    """Answer with one status after the other."""

    async def answer(_request: Request) -> Outcome:
        return answered(next(statuses))

    world.sender.answer = answer


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
        world.sender.answer = take_some_turns
        await world.send(busy, 200)
        await world.sender.wait_for_count(2)
        (sent,) = await world.send(calm)
        await world.wait_for_status([sent], "succeeded")
        position = world.sender.ids().index(sent)
        assert position < 100
        await world.sender.wait_for_count(201)
        assert world.sender.in_flight_max <= 2 + 1


async def test_the_rate_limit_is_kept(world: World) -> None:
    """200 a second, 5 at once: in no window do more attempts start than may."""
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


async def test_a_retryable_failure_is_tried_again_and_does_not_block_others(world: World) -> None:
    """`ordered: false`: a failing message never blocks the next."""
    endpoint = await world.endpoint()
    script(world, itertools.chain([503], itertools.repeat(200)))
    sent = await world.send(endpoint, 3)
    await world.wait_for_status(sent, "succeeded")
    assert world.sender.ids() == [*sent, sent[0]]
    attempts, _ = await world.storage.list_attempts(PROJECT, sent[0], limit=9)
    assert [(a.attempt_no, a.response_status, a.retry_type) for a in attempts] == [
        (1, 503, "slow"),
        (2, 200, None),
    ]


async def test_a_permanent_failure_is_final(world: World) -> None:
    """400 is never tried again."""
    endpoint = await world.endpoint()
    script(world, itertools.chain([400], itertools.repeat(200)))
    sent = await world.send(endpoint, 2)
    await world.wait_for_status(sent[:1], "failed_permanent")
    await world.wait_for_status(sent[1:], "succeeded")
    assert world.sender.ids() == sent


async def test_a_cycle_ends_after_attempts_max(tmp_path: Path) -> None:
    """The last attempt of the cycle makes it permanent."""
    async with World(tmp_path, attempts_max=3) as world:
        endpoint = await world.endpoint()
        script(world, itertools.repeat(500))
        sent = await world.send(endpoint)
        await world.wait_for_status(sent, "failed_permanent")
        assert (await world.message(sent[0])).attempt_count == 3


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


async def test_an_open_circuit_probes_with_the_oldest_and_burns_no_other_attempt(
    tmp_path: Path,
) -> None:
    """After 3 failures in a row only the oldest is tried, one at a time; a 2xx releases all."""
    async with World(tmp_path, circuit_failures=3, attempts_max=8) as world:
        endpoint = await world.endpoint(max_in_flight=1)
        script(world, itertools.chain([500] * 5, itertools.repeat(200)))
        sent = await world.send(endpoint, 10)
        await world.wait_for_status(sent, "succeeded")
        ids = world.sender.ids()
        assert ids[:3] == sent[:3]
        assert set(ids[3:6]) == {sent[0]}
        assert [(await world.message(each)).attempt_count for each in sent[3:]] == [1] * 7


async def test_an_endpoint_without_a_success_for_too_long_is_paused_as_failing(
    tmp_path: Path,
) -> None:
    """Automatic pause, so that attempts are not burnt on a receiver that is not there."""
    async with World(tmp_path, circuit_pause_after_s=1, retry_slow_s=(0.3,)) as world:
        endpoint = await world.endpoint()
        script(world, itertools.repeat(500))
        sent = await world.send(endpoint)
        await world.wait_for_status(sent, "paused")
        found = await world.storage.get_endpoint(PROJECT, endpoint, in_flight=frozenset())
        assert found is not None
        assert found.pause_reason == "failing"
        assert world.counted("sluicegate_circuit_changes_total", change="paused") == 1


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


async def test_an_idle_actor_retires_and_comes_back_for_its_retry(tmp_path: Path) -> None:
    """An endpoint whose next retry is far off costs no actor, and is not forgotten."""
    async with World(tmp_path, actor_idle_s=0.02, retry_slow_s=(0.6,)) as world:
        endpoint = await world.endpoint()
        script(world, itertools.chain([500], itertools.repeat(200)))
        sent = await world.send(endpoint)

        async def retired() -> bool:
            return not world.directory.active and (await world.message(sent[0])).attempt_count > 0

        await until(retired)
        assert (await world.message(sent[0])).status == "pending_retry"
        await world.wait_for_status(sent, "succeeded")


async def test_a_retry_survives_a_restart(tmp_path: Path) -> None:
    """What was scheduled is due at its moment in the next process."""
    async with World(tmp_path, retry_slow_s=(0.5,)) as world:
        endpoint = await world.endpoint()
        script(world, itertools.chain([500], itertools.repeat(200)))
        sent = await world.send(endpoint)
        await world.wait_for_status(sent, "pending_retry")
        await world.restart()
        await world.wait_for_status(sent, "succeeded")
        assert (await world.message(sent[0])).attempt_count == 2


async def test_a_payload_too_large_for_the_window_is_read_for_its_attempt(world: World) -> None:
    """The window keeps small payloads only; what is sent is whole."""
    endpoint = await world.endpoint()
    payload = b'"' + b"x" * 200_000 + b'"'
    await world.send_payload(endpoint, payload)
    await world.sender.wait_for_count(1)
    assert world.sender.posts[0].body == payload


async def test_a_resume_forgets_the_failures_that_came_before_it(tmp_path: Path) -> None:
    """Whoever resumes says that the receiver is back: nothing is probed, nothing paused anew."""
    async with World(
        tmp_path, circuit_failures=2, circuit_pause_after_s=1, retry_slow_s=(0.6,)
    ) as world:
        endpoint = await world.endpoint()
        script(world, itertools.chain([500] * 4, itertools.repeat(200)))
        sent = await world.send(endpoint, 2)
        await world.wait_for_status(sent, "paused")
        tried = len(world.sender.posts)
        script(world, itertools.chain([500], itertools.repeat(200)))
        assert await world.directory.resume(PROJECT, endpoint) == 2
        await world.sender.wait_for_count(tried + 2)
        await world.wait_for_status(sent, "succeeded")


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


async def test_more_retries_in_flight_than_a_window_holds_do_not_hide_the_next(
    tmp_path: Path,
) -> None:
    """They are read again with every read; it ends, and what is behind them is found."""
    async with World(tmp_path, window=8, circuit_failures=0, retry_slow_s=(0.3,)) as world:
        endpoint = await world.endpoint(max_in_flight=40)
        script(world, itertools.repeat(503))
        sent = await world.send(endpoint, 60)
        await world.sender.wait_for_count(60)
        hang = asyncio.Event()

        async def answer(_request: Request) -> Outcome:
            await hang.wait()
            return answered(200)

        world.sender.answer = answer
        await world.sender.wait_for_count(100)  # 40 retries are in flight, all that may be
        reads = count_reads(world)
        for _ in range(200):
            await asyncio.sleep(0)
        assert reads() <= 2
        hang.set()
        await world.wait_for_status(sent, "succeeded")


def count_reads(world: World) -> Callable[[], int]:
    """Count the reads of scheduled retries from now on."""
    count = 0
    load = world.storage.load_retries_due

    async def counted(endpoint_id: str, *, limit: int) -> list[WaitingMessage]:
        nonlocal count
        count += 1
        return await load(endpoint_id, limit=limit)

    world.storage.load_retries_due = counted  # type: ignore[method-assign] # only counts
    return lambda: count


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


async def test_a_bug_after_the_sending_is_recorded_and_spaced_like_a_failure(
    tmp_path: Path,
) -> None:
    """The receiver may have the message: it must not get it again and again at once."""
    async with World(tmp_path, retry_slow_s=(0.4,)) as world:
        endpoint = await world.endpoint()
        broken = iter([True])

        async def break_once(_request: Request) -> Outcome:
            if next(broken, False):
                msg = "a bug"
                raise RuntimeError(msg)
            return answered(200)

        world.sender.answer = break_once
        sent = await world.send(endpoint)
        await world.wait_for_status(sent, "pending_retry")
        assert len(world.sender.posts) == 1
        await world.wait_for_status(sent, "succeeded")
        attempts, _ = await world.storage.list_attempts(PROJECT, sent[0], limit=9)
        assert [each.error_text for each in attempts] == ["internal error", None]
