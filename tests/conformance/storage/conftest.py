"""What the conformance suite of `engine.ports.Storage` runs on.

To run another implementation under the suite, add how it is built to `STORAGES`, and how its
counts are compared with what is there to `AUDITS`.
"""

import contextlib
import hashlib
import random
import sqlite3
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import msgspec
import pytest

from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import (
    Accepted,
    AttemptResult,
    EndpointConfig,
    Message,
    NewMessage,
    RetryType,
    Verdict,
    WaitingMessage,
)
from sluicegate.engine.operations import Moved, ReplayKind
from sluicegate.engine.outcome import Outcome, OutcomeKind, Timings
from sluicegate.engine.ports import ApiKeyRow, EndpointRow, LogQuery, SigningKeyRow, Storage
from sluicegate.storage import SecretBox, SqliteStorage
from sluicegate.storage.audit import miscounts

START_MS = 1_780_000_000_000
LATER_MS = 5_000
"""How much later than an attempt an operation is."""


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


def _sqlite(folder: Path, clock: ManualClock, chance: SeededRandom) -> SqliteStorage:
    path = str(folder / "suite.db")
    box = SecretBox.for_database(path, secret_key=None, random=chance)
    return SqliteStorage(
        path, secret_box=box, clock=clock, pending_bytes_max=1 << 26, reserve_bytes=1 << 16
    )


def _audit_sqlite(folder: Path) -> object:
    with contextlib.closing(sqlite3.connect(folder / "suite.db")) as db:
        return miscounts(db)


STORAGES: dict[str, Callable[[Path, ManualClock, SeededRandom], Storage]] = {"sqlite": _sqlite}
AUDITS: dict[str, Callable[[Path], object]] = {"sqlite": _audit_sqlite}


class Bench:
    """An open storage with one project, and short ways to fill it."""

    def __init__(
        self, make: Callable[[], Storage], clock: ManualClock, chance: SeededRandom
    ) -> None:
        self._make = make
        self.clock = clock
        self.chance = chance
        self.storage = make()
        self.project = "proj_" + "1" * 32

    async def open(self) -> None:
        """Open the storage and create the project."""
        await self.storage.open()
        await self.storage.create_project(self.project, "first", created_at_ms=START_MS)

    async def reopen(self) -> None:
        """Close the storage and open what it left, as a restart does."""
        await self.storage.close()
        self.storage = self._make()
        await self.storage.open()

    def signing_key(self) -> SigningKeyRow:
        """Return a new signing key."""
        key_id = "sk_" + self.chance.token_bytes(16).hex()
        secret = "whsec_" + self.chance.token_bytes(24).hex()
        return SigningKeyRow(id=key_id, secret=secret, created_at_ms=self.clock.now_ms)

    def api_key(self, project: str | None = None, label: str | None = None) -> ApiKeyRow:
        """Return a new API key."""
        return ApiKeyRow(
            id="key_" + self.chance.token_bytes(16).hex(),
            project_id=project or self.project,
            key_sha256=self.chance.token_bytes(32),
            prefix="sg_live_abc",
            label=label,
            created_at_ms=self.clock.now_ms,
        )

    def endpoint_row(self, project: str | None = None, **config: object) -> EndpointRow:
        """Return a new endpoint; with a URL of its own unless one is given."""
        endpoint_id = "ep_" + self.chance.token_bytes(16).hex()
        plain = EndpointConfig(url=f"https://receiver.example/{endpoint_id}")
        return EndpointRow(
            id=endpoint_id,
            project_id=project or self.project,
            config=msgspec.structs.replace(plain, **config),
            key=self.signing_key(),
            created_at_ms=self.clock.now_ms,
        )

    async def endpoint(self, project: str | None = None, **config: object) -> str:
        """Create an endpoint and return its id."""
        row = self.endpoint_row(project, **config)
        await self.storage.create_endpoint(row)
        return row.id

    def message(self, endpoint_id: str, payload: object = b'{"n":1}', **more: object) -> NewMessage:
        """Return a new message."""
        assert isinstance(payload, bytes)
        message = NewMessage(
            id=self.chance.uuid7(),
            project_id=self.project,
            endpoint_id=endpoint_id,
            payload=payload,
            payload_sha256=hashlib.sha256(payload).digest(),
            accepted_at_ms=self.clock.now_ms,
        )
        return msgspec.structs.replace(message, **more)

    async def send(self, endpoint_id: str, count: int = 1, **more: object) -> list[str]:
        """Append messages that must be accepted; return their ids."""
        messages = [self.message(endpoint_id, **more) for _ in range(count)]
        answers = await self.storage.append(messages)
        assert answers == [Accepted(message_id=message.id) for message in messages]
        return [message.id for message in messages]

    async def waiting(self, endpoint_id: str) -> list[WaitingMessage]:
        """Return everything that waits, in acceptance order."""
        queued = await self.storage.load_queued(endpoint_id, after_seq=0, limit=1000)
        retries = await self.storage.load_retries_in_order(
            endpoint_id, after_seq=0, below_release_no=None, limit=1000
        )
        return sorted([*queued, *retries], key=lambda message: message.seq)

    def result(
        self,
        endpoint_id: str,
        message: WaitingMessage,
        status: MessageStatus = MessageStatus.SUCCEEDED,
        **more: object,
    ) -> AttemptResult:
        """Return what an attempt of `message` that led to `status` came to."""
        code = 200 if status is MessageStatus.SUCCEEDED else 503
        error = None if code == 200 else "HTTP 503"
        retries = status is MessageStatus.PENDING_RETRY
        result = AttemptResult(
            attempt_id=self.chance.uuid7(),
            seq=message.seq,
            message_id=message.id,
            endpoint_id=endpoint_id,
            attempt_no=message.attempt_count + 1,
            started_at_ms=self.clock.now_ms + 10,
            finished_at_ms=self.clock.now_ms + 30,
            accepted_at_ms=message.accepted_at_ms,
            request_headers=(("Content-Type", "application/json"),),
            outcome=Outcome(
                kind=OutcomeKind.ANSWERED,
                status=code,
                error=error,
                timings=Timings(total_ms=19.6),
            ),
            verdict=Verdict(
                status=status,
                next_attempt_at_ms=self.clock.now_ms + 60_000 if retries else None,
                retry_type=RetryType.SLOW if retries else None,
                last_error=error,
            ),
            release_no=0,
        )
        return msgspec.structs.replace(result, **more)

    async def attempt(
        self,
        endpoint_id: str,
        message_id: str,
        status: MessageStatus = MessageStatus.SUCCEEDED,
        **more: object,
    ) -> AttemptResult:
        """Record an attempt of a waiting message."""
        [message] = [one for one in await self.waiting(endpoint_id) if one.id == message_id]
        result = self.result(endpoint_id, message, status, **more)
        await self.storage.record_attempt(result)
        return result

    async def ended(
        self,
        endpoint_id: str,
        status: MessageStatus,
        count: int = 1,
        *,
        fast: bool = False,
        retention_hours: int | None = None,
    ) -> list[str]:
        """Return new messages whose first attempts have come to `status`; none if `QUEUED`."""
        ids = await self.send(endpoint_id, count, retention_hours=retention_hours)
        more: dict[str, object] = {}
        if fast:
            more["verdict"] = Verdict(
                status=status,
                next_attempt_at_ms=self.clock.now_ms + 30_000,
                retry_type=RetryType.FAST,
                last_error="HTTP 429",
            )
        for message_id in ids if status is not MessageStatus.QUEUED else ():
            await self.attempt(endpoint_id, message_id, status, **more)
        return ids

    async def replay(
        self,
        endpoint_id: str,
        *message_ids: str,
        kind: ReplayKind = ReplayKind.COUNTED,
        in_flight: Iterable[str] = (),
    ) -> list[Moved | SluicegateError]:
        """Replay messages, `LATER_MS` from now."""
        return await self.storage.replay_messages(
            endpoint_id,
            message_ids,
            kind=kind,
            in_flight=frozenset(in_flight),
            at_ms=self.clock.now_ms + LATER_MS,
        )

    async def delete(self, endpoint_id: str, *message_ids: str) -> list[Moved | SluicegateError]:
        """Delete messages for the key `key_1`, `LATER_MS` from now."""
        return await self.storage.delete_messages(
            endpoint_id, message_ids, deleted_by="key_1", at_ms=self.clock.now_ms + LATER_MS
        )

    async def get(self, message_id: str, *in_flight: str) -> Message:
        """Return a message that must be there."""
        message = await self.storage.get_message(self.project, message_id, in_flight=set(in_flight))
        assert message is not None
        return message

    async def counts(self, endpoint_id: str, *in_flight: str) -> dict[str, int]:
        """Return an endpoint's counts that are not 0."""
        endpoint = await self.storage.get_endpoint(
            self.project, endpoint_id, in_flight=set(in_flight)
        )
        assert endpoint is not None
        return {
            name: count for name, count in msgspec.structs.asdict(endpoint.counts).items() if count
        }

    async def logged(self, *in_flight: str, **query: object) -> list[str]:
        """Return the ids of a log page of up to 500 messages."""
        plain = LogQuery(project_id=self.project, limit=500)
        entries, _ = await self.storage.list_logs(
            msgspec.structs.replace(plain, **query), in_flight=set(in_flight)
        )
        return [entry.message_id for entry in entries]


@pytest.fixture(params=sorted(STORAGES))
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    """An open storage of each implementation; in the end its counts are exact, whatever it did."""
    clock, chance = ManualClock(), SeededRandom()
    bench = Bench(lambda: STORAGES[request.param](tmp_path, clock, chance), clock, chance)
    await bench.open()
    try:
        yield bench
    finally:
        await bench.storage.close()
    assert AUDITS[request.param](tmp_path) == []
