"""Endpoint actors in a process of their own: real actors, real storage, a receiver that is none.

Every attempt is answered 503 at once, so each actor holds one message that waits on a retry half
an hour away. `actor_idle_s` is raised, or they would retire after a minute.

    python benchmarks/memory_worker.py DATABASE
"""

import asyncio
import gc
import hashlib
import sys
import tracemalloc
from collections.abc import Iterator, Sequence

import psutil  # type: ignore[import-untyped] # comes without types
from wire import Job, payload, serve_jobs, work

from sluicegate.actors.directory import Directory
from sluicegate.actors.parts import Parts
from sluicegate.actors.payload_room import PayloadRoom
from sluicegate.actors.slots import Slots
from sluicegate.clock import SystemClock, SystemRandom
from sluicegate.engine.ids import new_signing_key_id
from sluicegate.engine.model import EndpointConfig, NewMessage
from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.ports import EndpointRow, Request, SigningKeyRow
from sluicegate.engine.schedule import RetrySchedule
from sluicegate.engine.settings import Settings
from sluicegate.engine.signing import new_secret
from sluicegate.storage import SecretBox, SqliteStorage

_PROJECT = "proj_" + "0" * 32
_AT_ONCE = 500
_STAYS_S = 86_400.0


class Unavailable:
    """The `Sender` port before a receiver that is always out of order."""

    def __init__(self) -> None:
        self.posts = 0
        self.enough = asyncio.Event()
        """Set when there were `wanted` posts."""
        self.wanted = 0

    async def post(self, request: Request) -> Outcome:
        """Answer 503."""
        del request
        self.posts += 1
        if self.posts == self.wanted:
            self.enough.set()
        return Outcome(kind=OutcomeKind.ANSWERED, status=503, error="HTTP 503")


class Actors:
    """A directory on a database, and what it weighs."""

    def __init__(self, database: str) -> None:
        self._settings = Settings(database=database, dev=True, actor_idle_s=_STAYS_S)
        self._clock, self._random = SystemClock(), SystemRandom()
        self._sender = Unavailable()
        self._storage = SqliteStorage(
            database,
            secret_box=SecretBox.for_database(database, secret_key=None, random=self._random),
            clock=self._clock,
            pending_bytes_max=self._settings.pending_bytes_max,
        )
        self._directory = Directory(
            Parts(
                storage=self._storage,
                sender=self._sender,
                clock=self._clock,
                random=self._random,
                slots=Slots(self._settings, self._clock),
                payloads=PayloadRoom(self._settings.waiting_payloads_bytes_max),
                schedule=RetrySchedule.from_settings(self._settings),
                settings=self._settings,
                user_agent="Sluicegate/benchmark",
            )
        )
        self._traced_bytes = 0

    async def open(self) -> None:
        """Open the database and start as the server does."""
        await self._storage.open()
        self._storage.on_accepted(self._directory.accepted)
        if await self._storage.default_project() is None:
            await self._storage.create_project(_PROJECT, "benchmark", created_at_ms=0)
        await self._directory.start()

    async def close(self) -> None:
        """Close everything."""
        await self._directory.close()
        await self._storage.close()

    async def answer(self, job: Job) -> Job:
        """Carry out a job and weigh the process.

        `fill`: store endpoints. `trace`: begin to count what Python allocates. `activate`: send
        one message to each of some endpoints, and wait until each has been tried.
        """
        numbers = range(job.get("first", 0), job.get("end", 0))
        match job["do"]:
            case "fill":
                for some in _portions(numbers):
                    await asyncio.gather(*(self._create(number) for number in some))
            case "trace":
                gc.collect()
                tracemalloc.start()
                self._traced_bytes = tracemalloc.get_traced_memory()[0]
            case "activate":
                await self._activate(numbers)
            case _:
                pass
        return self._weigh()

    async def _activate(self, numbers: range) -> None:
        self._sender.wanted = self._sender.posts + len(numbers)
        self._sender.enough.clear()
        for some in _portions(numbers):
            await self._storage.append([self._message(number) for number in some])
        await self._sender.enough.wait()
        while self._directory.in_flight():
            await self._settled()

    async def _settled(self) -> None:
        """Wait for a commit: results that were queued before it are recorded with it."""
        await self._storage.touch_api_keys({})

    def _weigh(self) -> Job:
        gc.collect()
        traced = tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else 0
        return {
            "rss_bytes": psutil.Process().memory_info().rss,
            "active": self._directory.active,
            "traced_bytes": traced - self._traced_bytes,
        }

    async def _create(self, number: int) -> None:
        await self._storage.create_endpoint(
            EndpointRow(
                id=_endpoint_id(number),
                project_id=_PROJECT,
                config=EndpointConfig(url=f"http://receiver-{number}.invalid/hook"),
                key=SigningKeyRow(
                    id=new_signing_key_id(self._random),
                    secret=new_secret(self._random),
                    created_at_ms=0,
                ),
                created_at_ms=0,
            )
        )

    def _message(self, number: int) -> NewMessage:
        text = payload(number)
        return NewMessage(
            id=self._random.uuid7(),
            project_id=_PROJECT,
            endpoint_id=_endpoint_id(number),
            payload=text,
            payload_sha256=hashlib.sha256(text).digest(),
            accepted_at_ms=self._clock.wall_ms(),
        )


def _endpoint_id(number: int) -> str:
    return f"ep_{number:032x}"


def _portions(numbers: range) -> Iterator[Sequence[int]]:
    for first in range(numbers.start, numbers.stop, _AT_ONCE):
        yield range(first, min(first + _AT_ONCE, numbers.stop))


async def main() -> None:
    """Answer jobs until standard input ends."""
    actors = Actors(sys.argv[1])
    await actors.open()
    try:
        await serve_jobs({}, actors.answer)
    finally:
        await actors.close()


if __name__ == "__main__":
    work(main())
