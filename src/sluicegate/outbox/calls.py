"""What an engine has for hosts that write messages in transactions of their own."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Protocol, overload

from sluicegate.forks import LOADING

if TYPE_CHECKING:
    from sluicegate.engine.message_rules import MessageRules
    from sluicegate.outbox.writing import AsyncOutbox, Outbox

__all__ = ["OutboxCalls"]


class _Connection(Protocol):
    def commit(self) -> None: ...


class _AsyncConnection(Protocol):
    def commit(self) -> Awaitable[object]: ...


class OutboxCalls:
    """What an engine has for hosts that write messages in transactions of their own."""

    _message_rules: "MessageRules"

    @overload
    def outbox(self, connection: _Connection) -> "Outbox": ...

    @overload
    def outbox(self, connection: _AsyncConnection) -> "AsyncOutbox": ...

    def outbox(self, connection: object) -> "Outbox | AsyncOutbox":
        """Return the outbox of the host's own database, as this connection sees it.

            engine.outbox(connection).send(endpoint_id, {"event": "order.created"})

        The message is a row in the host's database, in the transaction that is open on the
        connection: committed with it, or rolled back. The engine whose setting `outboxes` names
        that database moves it over, once, and delivers it. Here the engine need not be open, and
        may be of either mode; any process may write.

        Args:
            connection: of `sqlite3`, `aiosqlite`, psycopg, SQLAlchemy (or a session of it) or
                Django, to SQLite or PostgreSQL. It stays the host's: nothing is committed, rolled
                back or closed.

        Returns:
            For an asynchronous connection one whose methods are awaited.

        Raises:
            OutboxError: it is no connection of these.
        """
        with LOADING:
            from sluicegate.outbox.writing import outbox_of  # noqa: PLC0415 - see `LOADING`

        return outbox_of(connection, self._message_rules)
