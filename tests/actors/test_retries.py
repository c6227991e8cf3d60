"""The delivery loop: retries, each at its moment, and the circuit (contract, section 7)."""

import asyncio
import functools
import itertools
from collections.abc import Callable
from pathlib import Path

from sluicegate.engine.model import WaitingMessage
from sluicegate.engine.outcome import Outcome
from sluicegate.engine.ports import Request

from .world import PROJECT, World, answered, script, until


def let_an_hour_pass(world: World, endpoint: str) -> None:
    """Let every retry be due that waits for an hour, and the endpoint's actor look."""
    world.clock.ahead_ms += 3_600_000
    world.directory.hint(endpoint)


async def test_a_retryable_failure_is_tried_again_and_does_not_block_others(
    tmp_path: Path,
) -> None:
    """`ordered: false`: a failing message never blocks the next."""
    async with World(tmp_path, retry_slow_s=(3600.0,)) as world:
        endpoint = await world.endpoint()
        script(world, itertools.chain([503], itertools.repeat(200)))
        sent = await world.send(endpoint, 3)
        await world.wait_for_status(sent[1:], "succeeded")
        await world.wait_for_status(sent[:1], "pending_retry")
        let_an_hour_pass(world, endpoint)
        await world.wait_for_status(sent, "succeeded")
        assert world.sender.ids() == [*sent, sent[0]]
        attempts, _ = await world.storage.list_attempts(PROJECT, sent[0], limit=9)
        assert [(a.attempt_no, a.response_status, a.retry_type) for a in attempts] == [
            (1, 503, "slow"),
            (2, 200, None),
        ]


async def test_a_cycle_ends_after_attempts_max(tmp_path: Path) -> None:
    """The last attempt of the cycle makes it permanent."""
    async with World(tmp_path, attempts_max=3) as world:
        endpoint = await world.endpoint()
        script(world, itertools.repeat(500))
        sent = await world.send(endpoint)
        await world.wait_for_status(sent, "failed_permanent")
        assert (await world.message(sent[0])).attempt_count == 3


async def test_an_open_circuit_probes_with_the_oldest_and_burns_no_other_attempt(
    tmp_path: Path,
) -> None:
    """After 3 failures in a row only the oldest is tried, one at a time; a 2xx releases all."""
    async with World(tmp_path, circuit_failures=3, attempts_max=8, retry_slow_s=(3600.0,)) as world:
        endpoint = await world.endpoint(max_in_flight=1)
        script(world, itertools.chain([500] * 5, itertools.repeat(200)))
        sent = await world.send(endpoint, 10)

        async def tried(times: int) -> bool:
            return (await world.message(sent[0])).attempt_count == times

        await world.wait_for_status(sent[:3], "pending_retry")
        for times in (1, 2, 3):
            await until(functools.partial(tried, times))
            let_an_hour_pass(world, endpoint)
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


async def test_an_idle_actor_retires_and_comes_back_for_its_retry(tmp_path: Path) -> None:
    """An endpoint whose next retry is far off costs no actor, and is not forgotten."""
    async with World(
        tmp_path, actor_idle_s=0.02, retry_slow_s=(0.6,), attempts_max=1000, circuit_failures=0
    ) as world:
        endpoint = await world.endpoint()
        script(world, itertools.repeat(500))  # until it was seen without an actor
        sent = await world.send(endpoint)

        async def rests() -> bool:
            waits = (await world.message(sent[0])).status == "pending_retry"
            return waits and not world.directory.active

        await until(rests)
        world.sender.answer = world.sender.succeed
        await world.wait_for_status(sent, "succeeded")


async def test_a_retry_survives_a_restart(tmp_path: Path) -> None:
    """What was scheduled is due at its moment in the next process."""
    async with World(tmp_path, retry_slow_s=(3600.0,)) as world:
        endpoint = await world.endpoint()
        script(world, itertools.chain([500], itertools.repeat(200)))
        sent = await world.send(endpoint)
        await world.wait_for_status(sent, "pending_retry")
        world.clock.ahead_ms += 3_599_500  # half a second is left
        await world.restart()
        await world.wait_for_status(sent, "succeeded")
        assert (await world.message(sent[0])).attempt_count == 2


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


async def test_more_retries_in_flight_than_a_window_holds_do_not_hide_the_next(
    tmp_path: Path,
) -> None:
    """They are read again with every read; it ends, and what is behind them is found."""
    async with World(tmp_path, window=8, circuit_failures=0, retry_slow_s=(3600.0,)) as world:
        endpoint = await world.endpoint(max_in_flight=40)
        script(world, itertools.repeat(503))
        sent = await world.send(endpoint, 60)
        await world.wait_for_status(sent, "pending_retry")
        hang = asyncio.Event()

        async def answer(_request: Request) -> Outcome:
            await hang.wait()
            return answered(200)

        world.sender.answer = answer
        let_an_hour_pass(world, endpoint)
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


async def test_a_bug_after_the_sending_is_recorded_and_spaced_like_a_failure(
    tmp_path: Path,
) -> None:
    """The receiver may have the message: it must not get it again and again at once."""
    async with World(tmp_path, retry_slow_s=(3600.0,)) as world:
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
        let_an_hour_pass(world, endpoint)
        await world.wait_for_status(sent, "succeeded")
        attempts, _ = await world.storage.list_attempts(PROJECT, sent[0], limit=9)
        assert [each.error_text for each in attempts] == ["internal error", None]
