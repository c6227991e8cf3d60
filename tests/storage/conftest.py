"""A database file to play with, and the storages on it."""

import hashlib
import random
import sqlite3
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiosqlite
import msgspec
import pytest

from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import (
    Accepted,
    AttemptResult,
    EndpointConfig,
    NewMessage,
    Verdict,
    WaitingMessage,
)
from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.ports import EndpointRow, NoTelemetry, SigningKeyRow, StorageFault
from sluicegate.storage import Connect, SecretBox, SqliteStorage, connect_sqlite
from sluicegate.turns.pacer import Pacer

START_MS = 1_780_000_000_000
PROJECT = "proj_" + "1" * 32


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_ms = START_MS

    def wall_ms(self) -> int:
        """Return the moment it stands at."""
        return self.now_ms

    def steady_ms(self) -> int:
        """Return the moment it stands at."""
        return self.now_ms

    def monotonic_s(self) -> float:
        """Return the moment it stands at."""
        return self.now_ms / 1000


class SeededRandom:
    """Chance that is the same in every run."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._count = 0

    def random(self) -> float:
        """Return a number in [0, 1)."""
        return self._random.random()

    def token_bytes(self, size: int, /) -> bytes:
        """Return so many bytes."""
        return self._random.randbytes(size)

    def uuid7(self) -> str:
        """Return an id that sorts after those before it."""
        self._count += 1
        tail = self._random.getrandbits(62) | 1 << 63
        return str(uuid.UUID(int=(START_MS + self._count) << 80 | 0x7 << 76 | tail))


class Faults(NoTelemetry):
    """Keeps what storages reported."""

    def __init__(self) -> None:
        self.seen: list[StorageFault] = []

    def storage_failed(self, fault: StorageFault) -> None:
        """Keep it."""
        self.seen.append(fault)


class Place:
    """A folder with one database, and short ways to open and fill it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "place.db"
        self.clock = ManualClock()
        self.chance = SeededRandom()
        self.faults = Faults()
        self.connections: list[aiosqlite.Connection] = []
        """Of the storages made here, in the order of their opening; a writer comes first."""
        self._storages: list[SqliteStorage] = []

    def storage(
        self,
        *,
        box: SecretBox | None = None,
        connect: Connect = connect_sqlite,
        pending_bytes_max: int = 1 << 26,
        reserve_bytes: int = 1 << 16,
        pacer: Pacer | None = None,
    ) -> SqliteStorage:
        """Return a storage on the file; it is closed at the end of the test."""

        def watched(path: str) -> aiosqlite.Connection:
            connection = connect(path)
            self.connections.append(connection)
            return connection

        storage = SqliteStorage(
            str(self.path),
            secret_box=box or self.box(),
            clock=self.clock,
            pending_bytes_max=pending_bytes_max,
            reserve_bytes=reserve_bytes,
            connect=watched,
            pacer=pacer,
        )
        storage.report_to(self.faults)
        self._storages.append(storage)
        return storage

    def box(self) -> SecretBox:
        """Return the box of the key file beside the database."""
        return SecretBox.for_database(str(self.path), secret_key=None, random=self.chance)

    async def opened(
        self,
        *,
        connect: Connect = connect_sqlite,
        pending_bytes_max: int = 1 << 26,
        pacer: Pacer | None = None,
    ) -> SqliteStorage:
        """Return an open storage with the project in it."""
        self.connections.clear()
        storage = self.storage(connect=connect, pending_bytes_max=pending_bytes_max, pacer=pacer)
        await storage.open()
        if await storage.default_project() is None:
            await storage.create_project(PROJECT, "first", created_at_ms=START_MS)
        return storage

    async def close(self) -> None:
        """Close every storage."""
        for storage in self._storages:
            await storage.close()

    def raw(self) -> sqlite3.Connection:
        """Return a connection of the test's own; the test closes it."""
        return sqlite3.connect(self.path, isolation_level=None)

    def endpoint_row(self, url: str | None = None) -> EndpointRow:
        """Return a new endpoint."""
        endpoint_id = "ep_" + self.chance.token_bytes(16).hex()
        key = SigningKeyRow(
            id="sk_" + self.chance.token_bytes(16).hex(),
            secret="whsec_" + self.chance.token_bytes(24).hex(),
            created_at_ms=START_MS,
        )
        return EndpointRow(
            id=endpoint_id,
            project_id=PROJECT,
            config=EndpointConfig(url=url or f"https://receiver.example/{endpoint_id}"),
            key=key,
            created_at_ms=START_MS,
        )

    async def endpoint(self, storage: SqliteStorage) -> str:
        """Create an endpoint and return its id."""
        row = self.endpoint_row()
        await storage.create_endpoint(row)
        return row.id

    def message(self, endpoint_id: str, payload: bytes = b"{}", **more: object) -> NewMessage:
        """Return a new message."""
        message = NewMessage(
            id=self.chance.uuid7(),
            project_id=PROJECT,
            endpoint_id=endpoint_id,
            payload=payload,
            payload_sha256=hashlib.sha256(payload).digest(),
            accepted_at_ms=self.clock.now_ms,
        )
        return msgspec.structs.replace(message, **more)

    async def send(self, storage: SqliteStorage, endpoint_id: str, count: int = 1) -> list[str]:
        """Append messages that must be accepted; return their ids."""
        messages = [self.message(endpoint_id) for _ in range(count)]
        answers = await storage.append(messages)
        assert answers == [Accepted(message_id=message.id) for message in messages]
        return [message.id for message in messages]

    def result(self, endpoint_id: str, message: WaitingMessage, **more: object) -> AttemptResult:
        """Return an attempt that was answered with 200."""
        result = AttemptResult(
            attempt_id=self.chance.uuid7(),
            seq=message.seq,
            message_id=message.id,
            endpoint_id=endpoint_id,
            attempt_no=message.attempt_count + 1,
            started_at_ms=self.clock.now_ms,
            finished_at_ms=self.clock.now_ms,
            accepted_at_ms=message.accepted_at_ms,
            request_headers=(),
            outcome=Outcome(kind=OutcomeKind.ANSWERED, status=200),
            verdict=Verdict(status=MessageStatus.SUCCEEDED),
            release_no=0,
        )
        return msgspec.structs.replace(result, **more)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """A folder without a database yet."""
    place = Place(tmp_path)
    try:
        yield place
    finally:
        await place.close()


@pytest.fixture
def new_place(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Place]:
    """Makes folders without a database yet; whoever makes one closes it."""
    return lambda: Place(tmp_path_factory.mktemp("place"))
