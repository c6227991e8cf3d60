"""The `Storage` port on SQLite: opening, closing, and the parts it is made of."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

from sluicegate.engine.model import Arrivals
from sluicegate.engine.ports import Clock, NoTelemetry, OnAccepted, Telemetry
from sluicegate.storage.activity_storage import SqliteActivityStorage
from sluicegate.storage.bridge import Connect, connect_sqlite
from sluicegate.storage.control_storage import SqliteControlStorage
from sluicegate.storage.database_file import real_path
from sluicegate.storage.delivery_storage import SqliteDeliveryStorage
from sluicegate.storage.disk_space import FreeBytes, free_bytes
from sluicegate.storage.endpoint_storage import SqliteEndpointStorage
from sluicegate.storage.export_storage import SqliteExportStorage
from sluicegate.storage.message_storage import SqliteMessageStorage
from sluicegate.storage.operation_storage import SqliteOperationStorage
from sluicegate.storage.overview_storage import SqliteOverviewStorage
from sluicegate.storage.project_storage import SqliteProjectStorage
from sluicegate.storage.relay_storage import SqliteRelayStorage
from sluicegate.storage.reserve import RESERVE_BYTES
from sluicegate.storage.retention_storage import SqliteRetentionStorage
from sluicegate.storage.secret_box import SecretBox
from sluicegate.storage.session import Session
from sluicegate.storage.writer import Writer
from sluicegate.turns.pacer import Pacer

__all__ = ["SqliteStorage"]


class SqliteStorage(
    SqliteProjectStorage,
    SqliteEndpointStorage,
    SqliteControlStorage,
    SqliteMessageStorage,
    SqliteOperationStorage,
    SqliteExportStorage,
    SqliteDeliveryStorage,
    SqliteOverviewStorage,
    SqliteActivityStorage,
    SqliteRetentionStorage,
    SqliteRelayStorage,
):
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
        window_payload_bytes_max: int = 32_768,
        readers: int = 3,
        reserve_bytes: int = RESERVE_BYTES,
        connect: Connect = connect_sqlite,
        free_bytes: FreeBytes = free_bytes,
        pacer: Pacer | None = None,
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
            free_bytes: tells how much room there is on the disk.
            pacer: where sends wait in line; shared with what makes them.
        """
        self._box = secret_box
        self._window_payload_bytes_max = window_payload_bytes_max
        self._accepted: list[OnAccepted] = []
        self._committed: list[Callable[[], None]] = []
        self._fatal: list[Callable[[BaseException], None]] = []
        self._session = Session(
            real_path(path),
            box=secret_box,
            readers=readers,
            reserve_bytes=reserve_bytes,
            connect=connect,
            free_bytes=free_bytes,
        )
        self._clock = clock
        self._telemetry: Telemetry = NoTelemetry()
        self._line = (Pacer() if pacer is None else pacer).sends
        self._pending_bytes_max = pending_bytes_max
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
            connection, transactions, self._readers = await self._session.open(
                telemetry=self._telemetry
            )
            self._writer = Writer(
                connection,
                transactions,
                clock=self._clock,
                pending_bytes_max=self._pending_bytes_max,
                telemetry=self._telemetry,
                accepted=self._tell_accepted,
                committed=self._tell_committed,
                fatal=self._tell_fatal,
                line=self._line,
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

    def on_accepted(self, listener: OnAccepted) -> None:
        """Call `listener` on the loop after each commit, with what each endpoint got."""
        self._accepted.append(listener)

    def on_committed(self, listener: Callable[[], None]) -> None:
        """Call `listener` on the loop after each commit. It is called often, and must be cheap."""
        self._committed.append(listener)

    def on_fatal(self, listener: Callable[[BaseException], None]) -> None:
        """Call `listener` once when nothing may be written any more: the process must stop."""
        self._fatal.append(listener)

    def report_to(self, telemetry: Telemetry) -> None:
        """Tell `telemetry` of commits and failures; called before `open`."""
        self._telemetry = telemetry

    def _tell_accepted(self, accepted: Mapping[str, Arrivals]) -> None:
        for listener in self._accepted:
            listener(accepted)

    def _tell_committed(self) -> None:
        for listener in self._committed:
            listener()

    def _tell_fatal(self, error: BaseException) -> None:
        for listener in self._fatal:
            listener(error)

    @property
    def commits(self) -> int:
        """Transactions committed since it was opened."""
        return 0 if self._writer is None else self._writer.commits
