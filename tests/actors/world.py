"""Real actors on real storage, with a receiver that is a port: it answers as it is told."""

import asyncio
import functools
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Self

from sluicegate.actors.directory import Directory
from sluicegate.actors.parts import Parts
from sluicegate.actors.payload_room import PayloadRoom
from sluicegate.actors.slots import Slots
from sluicegate.clock import SystemClock, SystemRandom
from sluicegate.engine.events import Event, EventName
from sluicegate.engine.ids import new_endpoint_id, new_signing_key_id
from sluicegate.engine.model import EndpointConfig, Message, NewMessage
from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.ports import EndpointRow, Request, SigningKeyRow
from sluicegate.engine.schedule import RetrySchedule
from sluicegate.engine.settings import Settings
from sluicegate.engine.signing import new_secret
from sluicegate.storage import SecretBox, SqliteStorage
from sluicegate.telemetry.counting import Counting
from sluicegate.turns.pacer import Pacer

PROJECT = "proj_" + "1" * 32
WAIT_S = 50.0


def answered(status: int, *, retry_after: str | None = None) -> Outcome:
    """Return the outcome of an answer with `status`."""
    error = None if status < 300 else f"HTTP {status}"
    return Outcome(kind=OutcomeKind.ANSWERED, status=status, error=error, retry_after=retry_after)


class MovableClock(SystemClock):
    """The machine's clocks, where a test may let an hour pass: what waits for a moment is due."""

    ahead_ms = 0

    def wall_ms(self) -> int:
        return super().wall_ms() + self.ahead_ms

    def steady_ms(self) -> int:
        return super().steady_ms() + self.ahead_ms


class ScriptedSender:
    """The `Sender` port with a receiver behind it that a test scripts."""

    def __init__(self) -> None:
        self.posts: list[Request] = []
        self.answer: Callable[[Request], Awaitable[Outcome]] = self.succeed
        self.changed = asyncio.Condition()
        self.in_flight = 0
        self.in_flight_max = 0

    async def succeed(self, _request: Request) -> Outcome:
        return answered(200)

    async def post(self, request: Request) -> Outcome:
        """Note the request, and answer as scripted."""
        if request.may_start is not None and not request.may_start():
            return Outcome(kind=OutcomeKind.RECALLED)
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)
        try:
            async with self.changed:
                self.posts.append(request)
                self.changed.notify_all()
            return await self.answer(request)
        finally:
            self.in_flight -= 1

    def ids(self, url: str | None = None) -> list[str]:
        """Return the message ids posted, in order; to one URL if given."""
        return [
            dict(request.headers)["webhook-id"]
            for request in self.posts
            if url is None or request.url == url
        ]

    async def wait_for_count(self, count: int) -> None:
        """Wait until so many requests were posted."""
        async with asyncio.timeout(WAIT_S), self.changed:
            await self.changed.wait_for(lambda: len(self.posts) >= count)


class Told:
    """The `Events` port: keeps what it is told."""

    def __init__(self) -> None:
        self.wanted = frozenset(EventName)
        self.events: list[Event] = []

    def tell(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)


class World:
    """A directory of endpoint actors on a database of its own."""

    def __init__(self, path: Path, **settings: object) -> None:
        values: dict[str, object] = {
            "database": str(path / "world.db"),
            "retry_slow_s": (0.05, 0.05, 0.05),
            "retry_fast_s": (0.02,),
            "retry_jitter": 0.0,
            "actor_idle_s": 60.0,
        }
        self.settings = Settings(**(values | settings))  # type: ignore[arg-type] # by keyword
        self.clock = MovableClock()
        self.random = SystemRandom()
        self.sender = ScriptedSender()
        self.counting = Counting()
        self.told = Told()
        self.storage = self._open()
        self.slots = Slots(self.settings, self.clock)
        self.pacer = Pacer()
        self.payloads = PayloadRoom(self.settings.waiting_payloads_bytes_max)
        self.directory = self._make_directory()
        self._sent = 0

    def _open(self) -> SqliteStorage:
        database = self.settings.database
        return SqliteStorage(
            database,
            secret_box=SecretBox.for_database(database, secret_key=None, random=self.random),
            clock=self.clock,
            pending_bytes_max=1 << 28,
        )

    def counted(self, name: str, **labels: str) -> float:
        """Return what was counted under a name and labels."""
        samples = (each for family in self.counting.collect() for each in family.samples)
        return next(each.value for each in samples if (each.name, each.labels) == (name, labels))

    def _make_directory(self) -> Directory:
        return Directory(self.parts())

    def parts(self) -> Parts:
        """Return what the actors of a directory share."""
        return Parts(
            storage=self.storage,
            sender=self.sender,
            clock=self.clock,
            random=self.random,
            slots=self.slots,
            payloads=self.payloads,
            pacer=self.pacer,
            schedule=RetrySchedule.from_settings(self.settings),
            settings=self.settings,
            user_agent="Sluicegate/test",
            telemetry=self.counting,
            events=self.told,
        )

    async def __aenter__(self) -> Self:
        await self.storage.open()
        self.storage.on_accepted(self.directory.accepted)
        if await self.storage.default_project() is None:
            await self.storage.create_project(PROJECT, "test", created_at_ms=0)
        await self.directory.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.directory.close()
        await self.storage.close()
        assert not self.pacer.in_haste, "nobody waits any more"
        room_bytes = self.settings.waiting_payloads_bytes_max
        assert self.payloads.left_bytes == room_bytes, "an actor kept room that it does not need"

    async def restart(self) -> None:
        """Stop everything and start anew on the same file, as a new process would."""
        await self.__aexit__()
        self.storage = self._open()
        self.directory = self._make_directory()
        await self.__aenter__()

    async def endpoint(self, **config: object) -> str:
        """Create an endpoint and return its id."""
        endpoint_id = new_endpoint_id(self.random)
        values = {"url": f"https://example.com/{endpoint_id}"} | config
        await self.storage.create_endpoint(
            EndpointRow(
                id=endpoint_id,
                project_id=PROJECT,
                config=EndpointConfig(**values),  # type: ignore[arg-type] # by keyword
                key=SigningKeyRow(
                    id=new_signing_key_id(self.random),
                    secret=new_secret(self.random),
                    created_at_ms=0,
                ),
                created_at_ms=self.clock.wall_ms(),
            )
        )
        return endpoint_id

    async def known_endpoint(self, **config: object) -> str:
        """Create one whose receiver has taken a message: it may have all its attempts at once."""
        endpoint_id = await self.endpoint(**config)
        await self.wait_for_status(await self.send(endpoint_id), "succeeded")
        self.sender.posts.clear()
        return endpoint_id

    async def send(self, endpoint_id: str, count: int = 1) -> list[str]:
        """Store messages in one commit and return their ids."""
        payloads = [b'{"n":%d}' % (self._sent + number) for number in range(count)]
        self._sent += count
        return await self._append(endpoint_id, payloads)

    async def send_payload(self, endpoint_id: str, payload: bytes) -> list[str]:
        """Store one message with this payload."""
        return await self._append(endpoint_id, [payload])

    async def _append(self, endpoint_id: str, payloads: list[bytes]) -> list[str]:
        messages = [
            NewMessage(
                id=self.random.uuid7(),
                project_id=PROJECT,
                endpoint_id=endpoint_id,
                payload=payload,
                payload_sha256=hashlib.sha256(payload).digest(),
                accepted_at_ms=self.clock.wall_ms(),
            )
            for payload in payloads
        ]
        for accepted in await self.storage.append(messages):
            if isinstance(accepted, Exception):
                raise accepted
        return [message.id for message in messages]

    async def message(self, message_id: str) -> Message:
        """Return a message as a reader sees it."""
        found = await self.storage.get_message(
            PROJECT, message_id, in_flight=self.directory.in_flight()
        )
        assert found is not None
        return found

    async def wait_for_status(self, message_ids: list[str], status: str) -> None:
        """Wait until every message reads `status`."""

        async def reached(message_id: str) -> bool:
            return (await self.message(message_id)).status == status

        for message_id in message_ids:
            await until(functools.partial(reached, message_id))


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again until it holds: for what only a reader of the rows can see."""
    async with asyncio.timeout(WAIT_S):
        while not await condition():  # noqa: ASYNC110 - a commit sets no event of a reader's
            await asyncio.sleep(0.005)


def script(world: World, statuses: Iterator[int]) -> None:
    """Answer with one status after the other."""

    async def answer(_request: Request) -> Outcome:
        return answered(next(statuses))

    world.sender.answer = answer
