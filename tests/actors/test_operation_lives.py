"""Random lives full of replays, cancels, hastened retries and deletes, judged from outside.

Each seed drives real actors on a real database. Whatever an operation races (attempts, retries,
pauses, other operations, restarts), each message ends in one lawful state: nothing is sent that
was given up or deleted, nothing that was replayed is forgotten, every count is exact.
"""

import asyncio
import contextlib
import functools
import os
import random
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sluicegate.engine.errors import (
    AlreadyPausedError,
    DeliveryInProgressError,
    InvalidRequestError,
    InvalidStatusError,
    NotPausedError,
    PayloadUnavailableError,
    ReplayLimitExceededError,
    RetryInProgressError,
)
from sluicegate.engine.lifecycle import TRANSITIONS, MessageStatus, Trigger
from sluicegate.engine.message_operations import MessageOperations
from sluicegate.engine.operations import ReplayKind, ReplayStatus
from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.ports import Request
from sluicegate.storage.audit import miscounts

from .world import PROJECT, World, answered, until

SEEDS = range(int(os.environ.get("SLUICEGATE_SEEDS", "16")))
STEPS = 90
STATUSES = (200, 200, 500, 500, 429, 400)


def _reachable() -> dict[MessageStatus, set[MessageStatus]]:
    """Return, for each status, those that lawful steps lead to while nothing is replayed."""
    reach = {status: {status} for status in MessageStatus}
    for _ in MessageStatus:
        for (before, trigger), after in TRANSITIONS.items():
            for known in reach.values():
                if before in known and trigger is not Trigger.REPLAY:
                    known.add(after)
    return reach


REACHABLE = _reachable()


class Receiver:
    """Refuses to be sent what must not be sent; answers by chance."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.well = False
        self.dead: set[str] = set()
        """Messages that were deleted, or given up and not replayed since."""
        self.shut: set[str] = set()
        """Endpoints whose pause was answered."""
        self.flying: set[str] = set()
        self.last: dict[str, tuple[int, int]] = {}
        """Message → number and status of its last attempt."""
        self.problems: list[str] = []

    async def post(self, request: Request) -> Outcome:
        if request.may_start is not None and not request.may_start():
            return Outcome(kind=OutcomeKind.RECALLED)
        headers = dict(request.headers)
        message_id, attempt_no = headers["webhook-id"], int(headers["X-Webhook-Attempt"])
        endpoint = request.url.rpartition("/")[2]
        if message_id in self.dead:
            self.problems.append(f"{message_id}: sent although given up or deleted")
        if endpoint in self.shut:
            self.problems.append(f"{message_id}: sent although paused")
        if message_id in self.flying:
            self.problems.append(f"{message_id}: twice in flight")
        if attempt_no != self.last.get(message_id, (0, 0))[0] + 1:
            self.problems.append(f"{message_id}: attempt {attempt_no} after {self.last}")
        self.flying.add(message_id)
        for _ in range(self.chance.choice((0, 0, 1, 3, 10))):
            await asyncio.sleep(0)
        if self.chance.random() < 0.2:
            await asyncio.sleep(self.chance.random() * 0.01)
        status = 200 if self.well else self.chance.choice(STATUSES)
        self.last[message_id] = (attempt_no, status)
        self.flying.discard(message_id)
        return answered(status)


class Life:
    """One seed's driver. Operations on one message follow each other; all else races."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world = world
        self.chance = chance
        self.receiver = Receiver(chance)
        self.messages: dict[str, list[str]] = {}
        self.deleted: set[str] = set()
        self.cancelled: set[str] = set()
        self.awaited: dict[str, int] = {}
        """Message → how many attempts it had when its replay was answered."""
        self._locks: dict[str, asyncio.Lock] = {}
        self._gates: dict[str, asyncio.Lock] = {}
        self._seen: dict[str, MessageStatus] = {}
        self._running: set[asyncio.Task[None]] = set()

    @property
    def operations(self) -> MessageOperations:
        return MessageOperations(self.world.storage, self.world.directory)

    async def live(self) -> None:
        """Take random steps, most of them while others are under way."""
        for ordered in (False, True):
            endpoint = await self.world.endpoint(ordered=ordered)
            self.messages[endpoint], self._gates[endpoint] = [], asyncio.Lock()
        steps: dict[Callable[[str], Awaitable[None]], int] = {
            self.send: 20,
            self.replay: 16,
            self.replay_many: 6,
            self.retry_now: 14,
            self.cancel: 14,
            self.delete: 10,
            self.delete_many: 3,
            self.pause_or_resume: 8,
            self.look: 14,
            self.rest: 20,
        }
        for _ in range(STEPS):
            endpoint = self.chance.choice(list(self.messages))
            (step,) = self.chance.choices(list(steps), list(steps.values()))
            if self.chance.random() < 0.02:
                await self.settle()
                await self.restart()
            elif step != self.rest and self.chance.random() < 0.7:
                task = asyncio.ensure_future(step(endpoint))
                self._running.add(task)
            else:
                await step(endpoint)
        await self.settle()

    async def settle(self) -> None:
        """Wait for every step that is under way."""
        running, self._running = self._running, set()
        await asyncio.gather(*running)

    def some(self, endpoint: str) -> str | None:
        """Return one of the endpoint's messages, rather a late one."""
        ids = self.messages[endpoint]
        return self.chance.choice(ids[-12:]) if ids else None

    @contextlib.asynccontextmanager
    async def alone(self, *message_ids: str) -> Any:
        """Keep other operations on these messages away."""
        async with contextlib.AsyncExitStack() as stack:
            for each in sorted(message_ids):
                await stack.enter_async_context(self._locks.setdefault(each, asyncio.Lock()))
            yield

    # -- steps --------------------------------------------------------------------------------

    async def send(self, endpoint: str) -> None:
        self.messages[endpoint] += await self.world.send(endpoint, self.chance.randint(1, 6))

    async def replay(self, endpoint: str) -> None:
        message_id = self.some(endpoint)
        if message_id is None:
            return
        kind = self.chance.choice(list(ReplayKind))
        async with self.alone(message_id):
            before = await self.begin_replay(message_id)
            try:
                await self.operations.replay(PROJECT, message_id, kind=kind)
            except (
                DeliveryInProgressError,
                RetryInProgressError,
                InvalidStatusError,
                PayloadUnavailableError,
                ReplayLimitExceededError,
                InvalidRequestError,
            ):
                self.end_replay(message_id, before=None)
            else:
                self.end_replay(message_id, before=before)

    async def replay_many(self, endpoint: str) -> None:
        ids = list(self.messages[endpoint][-8:])
        if not ids:
            return
        async with self.alone(*ids):
            before = {each: await self.begin_replay(each) for each in ids}
            summary = await self.operations.replay_batch(PROJECT, ids)
            done = summary.ids(ReplayStatus.REPLAYED)
            for each in ids:
                self.end_replay(each, before=before[each] if each in done else None)

    async def begin_replay(self, message_id: str) -> int:
        """From now on the message may be sent again."""
        self.receiver.dead.discard(message_id)
        return (await self.world.message(message_id)).attempt_count

    def end_replay(self, message_id: str, *, before: int | None) -> None:
        if before is not None:
            assert message_id not in self.deleted, "a deleted message was replayed"
            self.cancelled.discard(message_id)
            self.awaited[message_id] = before
            self._seen[message_id] = MessageStatus.QUEUED
        elif message_id in self.deleted | self.cancelled:
            self.receiver.dead.add(message_id)

    async def retry_now(self, endpoint: str) -> None:
        message_id = self.some(endpoint)
        if message_id is not None:
            async with self.alone(message_id):
                with contextlib.suppress(InvalidStatusError):
                    await self.operations.retry_now(PROJECT, message_id)
                    assert message_id not in self.deleted | self.cancelled

    async def cancel(self, endpoint: str) -> None:
        message_id = self.some(endpoint)
        if message_id is not None:
            async with self.alone(message_id):
                with contextlib.suppress(InvalidStatusError):
                    await self.operations.cancel(PROJECT, message_id)
                    self.cancelled.add(message_id)
                    self.awaited.pop(message_id, None)
                    self.receiver.dead.add(message_id)

    async def delete(self, endpoint: str) -> None:
        message_id = self.some(endpoint)
        if message_id is not None:
            async with self.alone(message_id):
                await self.operations.delete(PROJECT, message_id, by=None)
                self.note_deleted(message_id)

    async def delete_many(self, endpoint: str) -> None:
        ids = list(self.messages[endpoint][-5:])
        if ids:
            async with self.alone(*ids):
                await self.operations.delete_batch(PROJECT, ids, by=None)
                for each in ids:
                    self.note_deleted(each)

    def note_deleted(self, message_id: str) -> None:
        self.deleted.add(message_id)
        self.awaited.pop(message_id, None)
        self.receiver.dead.add(message_id)

    async def pause_or_resume(self, endpoint: str) -> None:
        async with self._gates[endpoint]:
            if endpoint in self.receiver.shut:
                self.receiver.shut.discard(endpoint)
                with contextlib.suppress(NotPausedError):
                    await self.world.directory.resume(PROJECT, endpoint)
            else:
                with contextlib.suppress(AlreadyPausedError):
                    await self.world.directory.pause(PROJECT, endpoint)
                self.receiver.shut.add(endpoint)

    async def look(self, endpoint: str) -> None:
        """What a reader sees follows from what it saw before."""
        message_id = self.some(endpoint)
        if message_id is not None:
            async with self.alone(message_id):
                now = (await self.world.message(message_id)).status
                before = self._seen.get(message_id, MessageStatus.QUEUED)
                assert now in REACHABLE[before], f"{before} → {now}"
                self._seen[message_id] = now

    async def rest(self, _endpoint: str) -> None:
        await asyncio.sleep(self.chance.random() * 0.01)

    async def restart(self) -> None:
        await self.world.directory.drain(10)
        await self.world.restart()

    # -- the end ------------------------------------------------------------------------------

    async def end(self) -> None:
        """Everything heals; then everything must finish as it should."""
        self.receiver.well = True
        for endpoint in self.messages:
            self.receiver.shut.discard(endpoint)
            with contextlib.suppress(NotPausedError):
                await self.world.directory.resume(PROJECT, endpoint)
        every = [each for ids in self.messages.values() for each in ids]
        for each in every:
            await until(functools.partial(self._is_done, each))
        for each in every:
            message = await self.world.message(each)
            attempt_no, status = self.receiver.last.get(each, (0, 0))
            assert message.attempt_count == attempt_no
            assert (message.deleted_at is not None) == (each in self.deleted)
            assert message.attempt_count > self.awaited.get(each, -1), "a replay was forgotten"
            if each not in self.deleted | self.cancelled:
                expected = "succeeded" if status == 200 else "failed_permanent"
                assert message.status == expected
            if each in self.deleted and status == 200:
                assert message.status in {"succeeded", "failed_permanent"}
        assert self.receiver.problems == []

    async def _is_done(self, message_id: str) -> bool:
        status = (await self.world.message(message_id)).status
        return status in {MessageStatus.SUCCEEDED, MessageStatus.FAILED_PERMANENT}


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_operation_ends_in_one_lawful_state(tmp_path: Path, seed: int) -> None:
    """Nothing is sent that must not be, no replay is forgotten, every count is exact."""
    chance = random.Random(seed)
    world = World(
        tmp_path,
        window=chance.choice((1, 2, 4, 64)),
        in_flight_max=chance.choice((1, 3, 512)),
        actor_idle_s=chance.choice((0.0, 0.005, 60.0)),
        circuit_failures=chance.choice((0, 3, 10)),
        retry_slow_s=(0.005, 0.05, 0.02),
        retry_fast_s=(0.02,),
        attempts_max=chance.choice((2, 4)),
    )
    life = Life(world, chance)
    world.sender.post = life.receiver.post  # type: ignore[method-assign] # one that judges
    async with world:
        await life.live()
        await life.end()
    with contextlib.closing(sqlite3.connect(world.settings.database)) as db:
        assert miscounts(db) == []
        left = db.execute(
            "SELECT count(*) FROM payloads p JOIN messages m ON m.seq = p.seq"
            " WHERE m.deleted_at_ms IS NOT NULL"
        ).fetchone()
        assert left == (0,)
