"""Random lives of three endpoints, judged by what a client and a receiver can see.

Each seed drives real actors on a real database: sends, pauses and resumes (many at once), new
configurations, restarts, and a receiver of changing mood. The oracle reads a log of answers and
posts, and knows nothing of what is inside.
"""

import asyncio
import contextlib
import os
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sluicegate.actors.payload_room import PayloadRoom
from sluicegate.actors.window import NotLoaded, Window
from sluicegate.engine.errors import AlreadyPausedError, NotPausedError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import EndpointConfig, WaitingMessage
from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.ports import Request

from .world import PROJECT, World, answered, until

SEEDS = range(int(os.environ.get("SLUICEGATE_SEEDS", "16")))
STEPS = 60
ATTEMPTS_MAX = 4

MOODS: dict[str, dict[int, int]] = {
    "well": {200: 1},
    "shaky": {200: 6, 500: 2, 429: 1, 400: 1},
    "failing": {500: 8, 429: 1, 200: 1},
    "leaving": {200: 8, 410: 1, 500: 1},
}

Event = tuple[Any, ...]


class Receiver:
    """Logs each post when its first byte would go out, and each answer when it is given."""

    def __init__(self, log: list[Event], chance: random.Random) -> None:
        self.log = log
        self.mood = "well"
        self.hanging = asyncio.Event()
        self.hanging.set()
        self._chance = chance

    async def post(self, request: Request) -> Outcome:
        if request.may_start is not None and not request.may_start():
            return Outcome(kind=OutcomeKind.RECALLED)
        headers = dict(request.headers)
        message_id, attempt_no = headers["webhook-id"], int(headers["X-Webhook-Attempt"])
        self.log.append(("post", request.url.rpartition("/")[2], message_id, attempt_no))
        for _ in range(self._chance.choice((0, 0, 1, 3, 10))):
            await asyncio.sleep(0)
        if self._chance.random() < 0.1:
            await asyncio.sleep(self._chance.random() * 0.01)
        await self.hanging.wait()
        weights = MOODS[self.mood]
        (status,) = self._chance.choices(list(weights), list(weights.values()))
        self.log.append(("answer", message_id, attempt_no, status))
        return answered(status)


class Life:
    """One seed's driver."""

    def __init__(self, world: World, log: list[Event], chance: random.Random) -> None:
        self.world = world
        self.log = log
        self.chance = chance
        self.receiver = Receiver(log, chance)
        self.accepted: dict[str, list[str]] = {}
        self.ordered: set[str] = set()
        self._resumes: dict[str, int] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def begin(self) -> None:
        """Create an ordinary, an ordered and a rate-limited endpoint."""
        ordinary = await self.world.endpoint()
        ordered = await self.world.endpoint(ordered=True)
        limited = await self.world.endpoint(rate_limit_rps=500, burst=5, max_in_flight=2)
        self.ordered = {ordered}
        for endpoint in (ordinary, ordered, limited):
            self.accepted[endpoint], self._resumes[endpoint] = [], 0

    async def live(self) -> None:
        """Take random steps, some of them while others are under way."""
        steps: list[tuple[int, Callable[[str], Coroutine[Any, Any, None]]]] = [
            (30, self.send),
            (14, self.pause),
            (12, self.resume),
            (6, self.resume_when_calm),
            (8, self.reconfigure),
            (10, self.change_mood),
            (16, self.wait_a_little),
            (2, self.restart),
        ]
        for _ in range(STEPS):
            endpoint = self.chance.choice(list(self.accepted))
            (step,) = self.chance.choices([s for _, s in steps], [weight for weight, _ in steps])
            if step in (self.restart, self.resume_when_calm):
                await self.settle()
                await step(endpoint)
            elif step is not self.wait_a_little and self.chance.random() < 0.5:
                task = asyncio.ensure_future(step(endpoint))
                self._running.add(task)
            else:
                await step(endpoint)
        await self.settle()

    async def settle(self) -> None:
        """Wait for every step that is under way."""
        running, self._running = self._running, set()
        await asyncio.gather(*running)

    # -- steps --------------------------------------------------------------------------------

    async def send(self, endpoint: str) -> None:
        self.accepted[endpoint] += await self.world.send(endpoint, self.chance.randint(1, 8))

    async def pause(self, endpoint: str) -> None:
        count = self.chance.choice((1, 1, 1, 5))
        await asyncio.gather(*(self._pause(endpoint) for _ in range(count)))

    async def _pause(self, endpoint: str) -> None:
        resumes = self._resumes[endpoint]
        with contextlib.suppress(AlreadyPausedError):
            await self.world.directory.pause(PROJECT, endpoint)
        if resumes == self._resumes[endpoint]:
            self.log.append(("shut", endpoint))

    async def resume(self, endpoint: str) -> None:
        self._resumes[endpoint] += 1
        self.log.append(("open", endpoint))
        with contextlib.suppress(NotPausedError):
            await self.world.directory.resume(PROJECT, endpoint)

    async def resume_when_calm(self, endpoint: str) -> None:
        """With nothing in flight: what is requeued is what was held."""
        await self._pause(endpoint)
        self.receiver.hanging.set()

        async def nothing_is_in_flight() -> bool:
            return self.world.directory.in_flight().isdisjoint(self.accepted[endpoint])

        await until(nothing_is_in_flight)
        ids = self.accepted[endpoint]
        statuses = [str((await self.world.message(each)).status) for each in ids]
        assert not {"queued", "pending_retry", "delivering"}.intersection(statuses)
        self._resumes[endpoint] += 1
        self.log.append(("open", endpoint))
        held = await self.world.directory.resume(PROJECT, endpoint)
        assert held == statuses.count("paused"), "requeued is not held"

    async def reconfigure(self, endpoint: str) -> None:
        changes: dict[str, object] = {
            "max_in_flight": self.chance.choice((1, 2, 16)),
            "rate_limit_rps": self.chance.choice((0, 0, 300)),
            "burst": self.chance.choice((0, 3)),
        }
        if endpoint not in self.ordered:
            changes["ordered"] = self.chance.random() < 0.3

        def change(config: EndpointConfig) -> EndpointConfig:
            return msgspec.structs.replace(config, **changes)

        await self.world.directory.reconfigure(PROJECT, endpoint, change)

    async def change_mood(self, _endpoint: str) -> None:
        self.receiver.mood = self.chance.choice(list(MOODS))
        if self.chance.random() < 0.3:
            self.receiver.hanging.clear()
        else:
            self.receiver.hanging.set()

    async def wait_a_little(self, _endpoint: str) -> None:
        if self.chance.random() < 0.5:
            await asyncio.sleep(self.chance.random() * 0.02)
        for _ in range(self.chance.randint(0, 30)):
            await asyncio.sleep(0)

    async def restart(self, _endpoint: str) -> None:
        drains = self.chance.random() < 0.3
        if drains:
            self.receiver.hanging.set()
            assert await self.world.directory.drain(10)
        await self.world.restart()
        self.log.append(("restart",) if not drains else ("drained",))

    # -- the end ------------------------------------------------------------------------------

    async def end(self) -> None:
        """Everything heals; then everything must finish."""
        self.receiver.mood = "well"
        self.receiver.hanging.set()
        ids = [each for endpoint in self.accepted for each in self.accepted[endpoint]]

        async def all_is_done() -> bool:
            for endpoint in self.accepted:
                await self.resume(endpoint)
            for each in ids:
                status = (await self.world.message(each)).status
                if status not in {"succeeded", "failed_permanent"}:
                    return False
            return True

        await until(all_is_done)
        last = {event[1]: event for event in self.log if event[0] == "answer"}
        for each in ids:
            message = await self.world.message(each)
            _, _, attempt_no, status = last[each]
            assert message.status == ("succeeded" if status == 200 else "failed_permanent")
            assert message.attempt_count == attempt_no


class Oracle:
    """Reads a log, and raises at the first promise that was broken."""

    def __init__(self, accepted: dict[str, list[str]], ordered: set[str]) -> None:
        self.accepted = accepted
        self.ordered = ordered
        self.number = {each: n for ids in accepted.values() for n, each in enumerate(ids)}
        self.run = 0
        self.shut: set[str] = set()
        self.tried: set[str] = set()
        self.newest: dict[str, int] = {}
        self.flying: dict[str, str] = {}
        self.final: dict[str, int] = {}

    def read(self, log: list[Event]) -> None:
        for event in log:
            match event:
                case ("shut", endpoint):
                    self.shut.add(endpoint)
                case ("open", endpoint):
                    self.shut.discard(endpoint)
                case ("post", endpoint, message_id, _):
                    self.post(endpoint, message_id)
                case ("answer", message_id, attempt_no, status):
                    self.answer(message_id, attempt_no, status)
                case ("restart",):  # what was in flight may be sent again, answered or not
                    self.run += 1
                    self.flying.clear()
                    self.newest.clear()
                case _:  # drained
                    assert not self.flying

    def post(self, endpoint: str, message_id: str) -> None:
        assert endpoint not in self.shut, "a post after the pause was answered"
        assert message_id not in self.flying, "a message twice in flight"
        assert self.final.get(message_id) != self.run, "a post after the message was done"
        number = self.number[message_id]
        if message_id not in self.tried:
            assert number > self.newest.get(endpoint, -1), "a first attempt out of order"
            self.newest[endpoint] = number
            self.tried.add(message_id)
        if endpoint in self.ordered:
            assert endpoint not in self.flying.values(), "two at once on an ordered endpoint"
            before = self.accepted[endpoint][:number]
            assert all(each in self.final for each in before), "ahead of one that is not done"
        self.flying[message_id] = endpoint

    def answer(self, message_id: str, attempt_no: int, status: int) -> None:
        self.flying.pop(message_id, None)
        if status in {200, 400, 410} or attempt_no >= ATTEMPTS_MAX:
            self.final[message_id] = self.run
        else:
            self.final.pop(message_id, None)


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_promise_is_kept(tmp_path: Path, seed: int) -> None:
    """Nothing is lost, doubled, sent after a pause or out of order; in the end all is done."""
    chance = random.Random(seed)
    log: list[Event] = []
    world = World(
        tmp_path,
        window=chance.choice((1, 2, 4, 64)),
        in_flight_max=chance.choice((1, 3, 512)),
        actor_idle_s=chance.choice((0.0, 0.005, 60.0)),
        circuit_failures=chance.choice((0, 3, 10)),
        retry_slow_s=(0.005, 0.02, 0.01),
        retry_fast_s=(0.01,),
        attempts_max=ATTEMPTS_MAX,
    )
    life = Life(world, log, chance)
    world.sender.post = life.receiver.post  # type: ignore[method-assign] # one that logs
    async with world:
        await life.begin()
        await life.live()
        await life.end()
    Oracle(life.accepted, life.ordered).read(log)


def test_a_read_that_began_before_a_pause_is_thrown_away() -> None:
    """Its rows are behind a cursor that is gone: those before them would never be found."""
    window = Window(2, PayloadRoom(0))
    first, second, third, fourth = (
        WaitingMessage(
            seq=seq,
            id=str(seq),
            status=MessageStatus.QUEUED,
            accepted_at_ms=0,
            next_attempt_at_ms=None,
            release_no=0,
            attempt_count=0,
            cycle_attempts=0,
            fast_retries=0,
            headers={},
            payload=None,
        )
        for seq in range(1, 5)
    )
    wants = window.begin_read(flying=0)
    assert wants is not None
    window.end_read(wants, queued=[first, second], due=[], in_order=None, flying=())
    window.take(first)
    wants = window.begin_read(flying=0)
    assert wants is not None
    window.reset()
    window.end_read(wants, queued=[third, fourth], due=None, in_order=None, flying={1})
    assert isinstance(window.next(0), NotLoaded)
    again = window.begin_read(flying=0)
    assert again is not None
    assert again.queued_after == 0
    window.end_read(again, queued=[first, second], due=[], in_order=None, flying={1})
    assert window.next(0) == second
