"""Outboxes in PostgreSQL, as a relay reads them. Needs psycopg (the extra `outbox-postgresql`)."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sluicegate.engine.errors import SettingError, SluicegateError
from sluicegate.engine.outbox import OutboxEntry
from sluicegate.engine.ports import Clock
from sluicegate.outbox.schema import CHANNEL, MISSING, is_missing
from sluicegate.outbox.source import FOREIGN, SourceError
from sluicegate.outbox.table import COLUMNS, entry_of

__all__ = ["PostgresqlOutbox"]

_CONNECT_S = 10
_STEP_S = 60.0
"""How long one look, or the removal of a piece, may take; then the connection is given up."""
_NAMES = ", ".join(COLUMNS)
# The sum is made where the rows are: 256 messages may have 256 MiB.
_TAKE = f"""
SELECT {_NAMES} FROM (
    SELECT *, sum(octet_length(payload)) OVER (ORDER BY no) - octet_length(payload) AS before
    FROM (SELECT * FROM sluicegate_outbox ORDER BY no LIMIT %s) AS first
) AS summed WHERE before < %s ORDER BY no
"""  # noqa: S608 - constants
_REFUSE = (
    f"INSERT INTO sluicegate_outbox_refused (refused_at_ms, code, reason, {_NAMES})"  # noqa: S608 - a constant
    f" SELECT %s, %s, %s, {_NAMES} FROM sluicegate_outbox WHERE id = %s ON CONFLICT DO NOTHING"
)
_REMOVE = "DELETE FROM sluicegate_outbox WHERE id = ANY(%s)"
_STILL_THERE = "SELECT id FROM sluicegate_outbox WHERE id = ANY(%s)"
_CLAIM = "UPDATE sluicegate_outbox_meta SET engine_id = %s WHERE engine_id IS NULL"
_META = "SELECT outbox_id, engine_id FROM sluicegate_outbox_meta"
# What was moved must not come back; anything but `off` keeps what is committed.
_DURABLE = """
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') = 'off'
"""


class PostgresqlOutbox:
    """Implements `Source` on a host's own database.

    It is told of a commit by `NOTIFY`, which the outbox's trigger sends and PostgreSQL delivers
    with the commit; and it looks regularly, because a connection pool in between, or a host that
    has dropped the trigger, tells nothing. No transaction is open, and no row locked, between
    two calls.
    """

    def __init__(self, url: str, *, clock: Clock, poll_s: float) -> None:
        """Take where the database is, and how long to wait between two looks.

        Raises:
            SettingError: libpq does not understand the URL.
        """
        try:
            parts = conninfo_to_dict(url)
        except psycopg.ProgrammingError as error:
            raise SettingError(
                f"outboxes: {error}".strip(), details={"setting": "outboxes"}
            ) from None
        where = parts.get("host") or parts.get("service") or "local"
        port = f":{parts['port']}" if parts.get("port") else ""
        self.name = f"postgresql://{where}{port}/{parts.get('dbname') or ''}"
        self._conninfo = make_conninfo(
            url,
            connect_timeout=parts.get("connect_timeout") or _CONNECT_S,
            application_name=parts.get("application_name") or "sluicegate",
        )
        self._clock = clock
        self._poll_s = poll_s
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None

    async def open(self, engine_id: str) -> str | None:
        """Connect, listen, and claim the outbox."""
        with _translated():
            self._connection = await psycopg.AsyncConnection.connect(
                self._conninfo,
                autocommit=True,
                prepare_threshold=None,  # a pool in between may have none of them
            )
        async with self._step() as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            await connection.execute(_DURABLE)
            await connection.execute(_CLAIM, [engine_id])
            found = await (await connection.execute(_META)).fetchone()
        if found is None:
            raise SourceError(MISSING)
        if found[1] != engine_id:
            raise SourceError(FOREIGN)
        return str(found[0])

    async def take(self, *, rows_max: int, bytes_max: int) -> list[OutboxEntry]:
        """Return what was written first."""
        async with self._step() as connection:
            found = await connection.execute(_TAKE, [rows_max, bytes_max], binary=True)
            return [entry_of(row) for row in await found.fetchall()]

    async def settle(
        self, *, moved: Sequence[str], refused: Sequence[tuple[str, SluicegateError]]
    ) -> None:
        """Take messages out in one transaction, durably."""
        at_ms = self._clock.wall_ms()
        async with self._step() as connection, connection.transaction():
            for id_, error in refused:
                await connection.execute(_REFUSE, [at_ms, error.code, error.message, id_])
            await connection.execute(_REMOVE, [[*moved, *(id_ for id_, _ in refused)]])

    async def still_there(self, ids: Sequence[str]) -> list[str]:
        """Return those that wait."""
        async with self._step() as connection:
            found = await connection.execute(_STILL_THERE, [list(ids)])
            return [id_ for (id_,) in await found.fetchall()]

    async def wait(self) -> None:
        """Wait until a commit is told of, or for the next look."""
        assert self._connection is not None, "open it first"
        with _translated():
            async for _ in self._connection.notifies(timeout=self._poll_s, stop_after=1):
                pass

    async def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                await connection.close()

    @asynccontextmanager
    async def _step(self) -> AsyncIterator[psycopg.AsyncConnection[tuple[Any, ...]]]:
        assert self._connection is not None, "open it first"
        with _translated():
            async with asyncio.timeout(_STEP_S):
                yield self._connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (psycopg.Error, OSError) as error:  # TimeoutError is an OSError
        raise SourceError(MISSING if is_missing(error) else str(error) or "no answer") from error
