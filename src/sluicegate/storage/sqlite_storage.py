"""The `Storage` port on SQLite."""

import asyncio
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack
from typing import TypeVar

from sluicegate.engine.errors import SluicegateError, UnavailableError
from sluicegate.engine.model import (
    Accepted,
    ApiKey,
    Attempt,
    AttemptResult,
    Endpoint,
    EndpointConfig,
    EndpointState,
    LogEntry,
    Message,
    NewMessage,
    PauseReason,
    Principal,
    SigningKey,
    WaitingMessage,
)
from sluicegate.engine.ports import (
    ApiKeyRow,
    Clock,
    EndpointRow,
    LogQuery,
    SigningKeyRow,
    WorkItem,
)
from sluicegate.storage import endpoint_reads, logs, message_reads, projects, signing_keys, waiting
from sluicegate.storage.appends import Append
from sluicegate.storage.attempts import RecordAttempt
from sluicegate.storage.bridge import Connect, connect_sqlite
from sluicegate.storage.database_file import real_path
from sluicegate.storage.endpoint_writes import (
    CreateEndpoint,
    DeleteEndpoint,
    Pause,
    Resume,
    UpdateConfig,
)
from sluicegate.storage.give_ups import GiveUpMessage, GiveUpWaiting
from sluicegate.storage.readers import Readers
from sluicegate.storage.secret_box import SecretBox
from sluicegate.storage.session import Session
from sluicegate.storage.writer import Writer
from sluicegate.storage.writes import Write

__all__ = ["SqliteStorage"]

_R = TypeVar("_R")

_ROW_BYTES = 512
"""What a message weighs in the queue beside its payload, roughly."""


class SqliteStorage:
    """Everything durable, in one SQLite file. Implements `sluicegate.engine.ports.Storage`.

    One connection writes and checkpoints, `readers` others only read; each has a thread of its
    own. Lives on the event loop that opened it, and is opened once.
    """

    def __init__(
        self,
        path: str,
        *,
        secret_box: SecretBox,
        clock: Clock,
        pending_bytes_max: int,
        window_payload_bytes_max: int = 4096,
        readers: int = 3,
        reserve_bytes: int = 4 << 20,
        connect: Connect = connect_sqlite,
    ) -> None:
        """Take what it needs; nothing is opened yet.

        Args:
            path: the database file; `.lock` and `.reserve` are made beside the real file.
            secret_box: seals signing secrets.
            clock: paces what is tried again after the disk was full.
            pending_bytes_max: how many bytes of messages may wait to be written.
            window_payload_bytes_max: larger payloads are not read with waiting messages.
            readers: how many connections read, at least 2: one is the delivery loop's own.
            reserve_bytes: disk space put aside for the results of attempts.
            connect: makes a connection to a database file.
        """
        self._box = secret_box
        self._window_payload_bytes_max = window_payload_bytes_max
        self._accepted: list[Callable[[AbstractSet[str]], None]] = []
        self._fatal: list[Callable[[BaseException], None]] = []
        self._session = Session(
            real_path(path),
            box=secret_box,
            readers=readers,
            reserve_bytes=reserve_bytes,
            connect=connect,
        )
        self._clock = clock
        self._pending_bytes_max = pending_bytes_max
        self._writer: Writer | None = None
        self._readers: Readers | None = None
        self._opening = asyncio.Lock()  # what is being opened is closed when it is open
        self._closing: asyncio.Task[None] | None = None

    # -- life -------------------------------------------------------------------------------

    async def open(self) -> None:
        """Lock, check, migrate and open the database; take the next epoch; start the writer.

        Blocks the loop for a few small file operations. If it raises, nothing stays open.

        Raises:
            StorageLockedError: another process owns the file.
            StorageVersionError: the file is another program's, or was written by a newer version.
            SettingError: the path cannot be used, or the secret key is another one.
            UnavailableError: the disk is full or failed.
            RuntimeError: it was opened or closed before.
        """
        if self._writer is not None or self._opening.locked() or self._closing is not None:
            raise RuntimeError("a storage is opened once, and not after it was closed")
        async with self._opening:
            connection, transactions, self._readers = await self._session.open()
            self._writer = Writer(
                connection,
                transactions,
                clock=self._clock,
                pending_bytes_max=self._pending_bytes_max,
                accepted=self._tell_accepted,
                fatal=self._tell_fatal,
            )

    async def close(self) -> None:
        """Finish queued writes, close every connection, release the lock. Twice is fine.

        If the caller is cancelled it is closed all the same.
        """
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        async with self._opening, AsyncExitStack() as stack:  # the last first
            stack.push_async_callback(self._session.close)
            if self._readers is not None:
                stack.callback(self._readers.refuse)
            if self._writer is not None:
                stack.push_async_callback(self._writer.close)

    def on_accepted(self, listener: Callable[[AbstractSet[str]], None]) -> None:
        """Call `listener` on the loop after each commit, with the endpoints that got messages."""
        self._accepted.append(listener)

    def on_fatal(self, listener: Callable[[BaseException], None]) -> None:
        """Call `listener` once when nothing may be written any more: the process must stop."""
        self._fatal.append(listener)

    def _tell_accepted(self, endpoint_ids: AbstractSet[str]) -> None:
        for listener in self._accepted:
            listener(endpoint_ids)

    def _tell_fatal(self, error: BaseException) -> None:
        for listener in self._fatal:
            listener(error)

    @property
    def commits(self) -> int:
        """Transactions committed since it was opened."""
        return 0 if self._writer is None else self._writer.commits

    @property
    def _writing(self) -> Writer:
        if self._writer is None:
            raise UnavailableError("the storage is not open")
        return self._writer

    async def _write(self, write: Write[_R]) -> _R:
        return await self._writing.write(write)

    @property
    def _read(self) -> Readers:
        if self._readers is None:
            raise UnavailableError("the storage is not open")
        return self._readers

    # -- projects and API keys ----------------------------------------------------------------

    async def create_project(self, project_id: str, label: str, *, created_at_ms: int) -> None:
        """Create a project."""
        await self._write(
            projects.CreateProject(project_id=project_id, label=label, created_at_ms=created_at_ms)
        )

    async def default_project(self) -> str | None:
        """Return the oldest project's id, or `None` before the first start."""
        return await self._read.read(projects.default_project)

    async def create_api_key(self, row: ApiKeyRow) -> None:
        """Store a key's hash."""
        await self._write(projects.CreateApiKey(row))

    async def list_api_keys(self, project_id: str) -> list[ApiKey]:
        """Return the project's keys, newest first."""
        return await self._read.read(projects.list_api_keys, project_id)

    async def delete_api_key(self, project_id: str, key_id: str) -> None:
        """Delete a key, unless it is the project's last."""
        await self._write(projects.DeleteApiKey(project_id=project_id, key_id=key_id))

    async def find_api_key(self, key_sha256: bytes) -> Principal | None:
        """Return whom a key stands for."""
        return await self._read.read(projects.find_api_key, key_sha256)

    async def touch_api_keys(self, used_at_ms: dict[str, int]) -> None:
        """Record when keys were last used; key id → moment."""
        await self._write(projects.TouchApiKeys(dict(used_at_ms)))

    # -- endpoints ----------------------------------------------------------------------------

    async def create_endpoint(self, row: EndpointRow) -> Endpoint:
        """Store an endpoint with its first signing key."""
        return await self._write(CreateEndpoint(row, self._box))

    async def get_endpoint(
        self, project_id: str, endpoint_id: str, *, in_flight: AbstractSet[str]
    ) -> Endpoint | None:
        """Return an endpoint with its counts; `None` when unknown, foreign or deleted."""
        return await self._read.read(
            endpoint_reads.get_endpoint, project_id, endpoint_id, in_flight=frozenset(in_flight)
        )

    async def list_endpoints(
        self, project_id: str, *, limit: int, before_no: int | None
    ) -> tuple[list[Endpoint], int | None]:
        """Return endpoints newest first, and the position to go on from."""
        return await self._read.read(
            endpoint_reads.list_endpoints, project_id, limit=limit, before_no=before_no
        )

    async def list_signing_keys(self, project_id: str, endpoint_id: str) -> list[SigningKey] | None:
        """Return an endpoint's signing keys, newest first; `None` if there is no endpoint."""
        return await self._read.read(signing_keys.list_signing_keys, project_id, endpoint_id)

    # -- control writes -----------------------------------------------------------------------

    async def load_state(self, endpoint_id: str) -> EndpointState | None:
        """Return what an actor needs at activation; `None` when unknown."""
        return await self._read.deliver(waiting.load_state, endpoint_id, box=self._box)

    async def pause(self, endpoint_id: str, *, reason: PauseReason, at_ms: int) -> EndpointState:
        """Make a pause durable. O(1), whatever waits."""
        return await self._write(
            Pause(endpoint_id=endpoint_id, reason=reason, at_ms=at_ms, box=self._box)
        )

    async def resume(
        self, endpoint_id: str, *, at_ms: int, in_flight: AbstractSet[str]
    ) -> tuple[EndpointState, int]:
        """Make a resume durable, and return how many messages were held. O(in flight)."""
        flying = frozenset(in_flight)
        return await self._write(
            Resume(endpoint_id=endpoint_id, at_ms=at_ms, in_flight=flying, box=self._box)
        )

    async def update_config(
        self,
        endpoint_id: str,
        change: Callable[[EndpointConfig], EndpointConfig],
        *,
        at_ms: int,
    ) -> EndpointState:
        """Apply `change`, a pure function that runs on the writing thread, to the configuration."""
        return await self._write(
            UpdateConfig(endpoint_id=endpoint_id, change=change, at_ms=at_ms, box=self._box)
        )

    async def add_signing_key(self, endpoint_id: str, key: SigningKeyRow) -> EndpointState:
        """Add a signing key, unless there are two."""
        return await self._write(
            signing_keys.AddSigningKey(endpoint_id=endpoint_id, key=key, box=self._box)
        )

    async def remove_signing_key(
        self, endpoint_id: str, key_id: str, *, at_ms: int
    ) -> EndpointState:
        """Remove a signing key, unless it is the last."""
        return await self._write(
            signing_keys.RemoveSigningKey(
                endpoint_id=endpoint_id, key_id=key_id, at_ms=at_ms, box=self._box
            )
        )

    async def delete_endpoint(self, endpoint_id: str, *, at_ms: int) -> EndpointState:
        """Mark an endpoint deleted; its URL is free again."""
        return await self._write(
            DeleteEndpoint(endpoint_id=endpoint_id, at_ms=at_ms, box=self._box)
        )

    async def give_up_waiting(
        self, endpoint_id: str, *, error: str, at_ms: int, limit: int, in_flight: AbstractSet[str]
    ) -> int:
        """Turn up to `limit` waiting messages into failed ones, oldest first; return how many."""
        return await self._write(
            GiveUpWaiting(
                endpoint_id=endpoint_id,
                error=error,
                at_ms=at_ms,
                limit=limit,
                in_flight=frozenset(in_flight),
            )
        )

    # -- messages -----------------------------------------------------------------------------

    async def append(self, messages: Sequence[NewMessage]) -> list[Accepted | SluicegateError]:
        """Store messages in one commit, in order; each slot answers for itself."""
        size_bytes = sum(_ROW_BYTES + len(message.payload) for message in messages)
        return await self._writing.append(
            Append(messages), rows=len(messages), size_bytes=size_bytes
        )

    async def get_message(
        self, project_id: str, message_id: str, *, in_flight: AbstractSet[str]
    ) -> Message | None:
        """Return a message with its derived status."""
        flying = frozenset({message_id}) if message_id in in_flight else frozenset()
        return await self._read.read(
            message_reads.get_message, project_id, message_id, in_flight=flying
        )

    async def get_payload(self, project_id: str, message_id: str) -> bytes | None:
        """Return the payload, or `None` when there is no such message."""
        return await self._read.read(message_reads.get_payload, project_id, message_id)

    async def list_attempts(
        self, project_id: str, message_id: str, *, limit: int
    ) -> tuple[list[Attempt], bool]:
        """Return attempts oldest first and whether there are more; `[]` for an unknown id."""
        return await self._read.read(
            message_reads.list_attempts, project_id, message_id, limit=limit
        )

    async def list_logs(
        self, query: LogQuery, *, in_flight: AbstractSet[str]
    ) -> tuple[list[LogEntry], int | None]:
        """Return a page of the log and, if there are more, the `seq` to go on before."""
        return await self._read.read(logs.list_logs, query, in_flight=frozenset(in_flight))

    # -- the delivery loop ----------------------------------------------------------------------

    async def load_queued(
        self, endpoint_id: str, *, after_seq: int, limit: int
    ) -> list[WaitingMessage]:
        """Return `QUEUED` messages with `seq > after_seq` in acceptance order."""
        return await self._read.deliver(
            waiting.load_queued,
            endpoint_id,
            after_seq=after_seq,
            limit=limit,
            bytes_max=self._window_payload_bytes_max,
        )

    async def load_retries_due(self, endpoint_id: str, *, limit: int) -> list[WaitingMessage]:
        """Return `PENDING_RETRY` messages by `(next_attempt_at_ms, seq)`, earliest first."""
        return await self._read.deliver(waiting.load_retries_due, endpoint_id, limit=limit)

    async def load_retries_in_order(
        self, endpoint_id: str, *, after_seq: int, below_release_no: int | None, limit: int
    ) -> list[WaitingMessage]:
        """Return `PENDING_RETRY` messages with `seq > after_seq` in acceptance order."""
        return await self._read.deliver(
            waiting.load_retries_in_order,
            endpoint_id,
            after_seq=after_seq,
            below_release_no=below_release_no,
            limit=limit,
            bytes_max=self._window_payload_bytes_max,
        )

    async def get_payload_by_seq(self, seq: int) -> bytes | None:
        """Return a waiting message's payload; `None` when it was removed."""
        return await self._read.deliver(waiting.read_payload, seq)

    async def record_attempt(self, result: AttemptResult) -> None:
        """Store a finished attempt and all that follows from it, in one commit."""
        await self._write(RecordAttempt(result))

    async def give_up_message(self, endpoint_id: str, seq: int, *, error: str, at_ms: int) -> None:
        """Turn one waiting message into `FAILED_PERMANENT`; anything else stays as it is."""
        await self._write(GiveUpMessage(endpoint_id=endpoint_id, seq=seq, error=error, at_ms=at_ms))

    async def work(self) -> list[WorkItem]:
        """Return every endpoint that is not paused, or is deleted, and has waiting messages."""
        return await self._read.deliver(waiting.work)
