"""Writing into an outbox: a message in the host's own transaction. Public: `engine.outbox(…)`."""

from collections.abc import Mapping, Sequence

from sluicegate.engine.drafts import BATCH_MAX, MessageDraft, draft, json_text, message_draft
from sluicegate.engine.errors import InvalidRequestError, OutboxError
from sluicegate.engine.message_rules import MessageRules
from sluicegate.outbox.connections import KINDS, async_host_of, host_of
from sluicegate.outbox.enqueueing import OWNERS_PROJECT
from sluicegate.outbox.host import AsyncHost, Host
from sluicegate.outbox.table import Row, row_of

__all__ = ["AsyncOutbox", "Outbox", "outbox_of"]


def outbox_of(connection: object, rules: MessageRules) -> "Outbox | AsyncOutbox":
    """Return the outbox of a host's connection: see `OutboxCalls.outbox`."""
    host = host_of(connection)
    if host is not None:
        return Outbox(host, rules)
    async_host = async_host_of(connection)
    if async_host is not None:
        return AsyncOutbox(async_host, rules)
    kind = type(connection)
    raise OutboxError(
        f"an outbox needs a connection of {KINDS}, not a {kind.__module__}.{kind.__qualname__}"
    )


class Outbox:
    """Writes messages into the host's own transaction. Blocks as the connection's calls do.

    Used where the connection is: its thread, its transaction. What the driver raises is left to
    the host, to roll back.
    """

    def __init__(self, host: Host, rules: MessageRules) -> None:
        """Take the connection, and what messages must be like."""
        self._host = host
        self._rules = rules

    def send(
        self,
        endpoint_id: str,
        payload: object,
        *,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        retention_hours: int | None = None,
    ) -> str:
        """Write a message; it is accepted when the host's transaction is committed.

        Whether there is such an endpoint, and what the key stands for, is found out only by the
        engine that delivers: what it refuses it puts aside, with the reason, and logs.

        Args:
            endpoint_id: where to.
            payload: any JSON value; `bytes` are JSON text, delivered byte for byte.
            headers: sent beside the endpoint's own.
            idempotency_key: 1 to 255 of `[a-zA-Z0-9_-]`.
            retention_hours: how long the payload is kept once delivered; 0 = not at all.

        Returns:
            The message's id, by which receivers and `engine.get_message` know it.

        Raises:
            PayloadTooLargeError, InvalidHeadersError, InvalidRequestError: the message.
            EndpointNotFoundError: no endpoint can have this id.
            OutboxError: the tables are missing, or the connection would commit by itself.
        """
        row = _row(
            self._rules,
            endpoint_id=endpoint_id,
            payload=json_text(payload),
            headers=headers,
            idempotency_key=idempotency_key,
            retention_hours=retention_hours,
        )
        self._host.write([row])
        return row[0]

    def send_batch(self, messages: Sequence[Mapping[str, object]]) -> list[str]:
        """Write 1 to 1,000 messages, in order: all of them, or none and the first error.

        Args:
            messages: the arguments of `send`, by name.

        Returns:
            Their ids.

        Raises:
            InvalidRequestError: it is no list, or there are none or too many.
            SluicegateError: as `send`.
        """
        rows = _rows(self._rules, messages)
        self._host.write(rows)
        return [row[0] for row in rows]

    def create_tables(self) -> None:
        """Create the outbox's tables, where they are missing; commit the transaction afterwards.

        For programs without migrations; others have `sluicegate outbox-sql` for theirs.
        """
        self._host.create()


class AsyncOutbox:
    """Writes messages into the host's own transaction. Awaited on the host's event loop.

    Cancelled, a message may be in the transaction all the same: roll it back.
    """

    def __init__(self, host: AsyncHost, rules: MessageRules) -> None:
        """Take the connection, and what messages must be like."""
        self._host = host
        self._rules = rules

    async def send(
        self,
        endpoint_id: str,
        payload: object,
        *,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        retention_hours: int | None = None,
    ) -> str:
        """Write a message, as `Outbox.send` does; return its id."""
        row = _row(
            self._rules,
            endpoint_id=endpoint_id,
            payload=json_text(payload),
            headers=headers,
            idempotency_key=idempotency_key,
            retention_hours=retention_hours,
        )
        await self._host.write([row])
        return row[0]

    async def send_batch(self, messages: Sequence[Mapping[str, object]]) -> list[str]:
        """Write 1 to 1,000 messages, as `Outbox.send_batch` does; return their ids."""
        rows = _rows(self._rules, messages)
        await self._host.write(rows)
        return [row[0] for row in rows]

    async def create_tables(self) -> None:
        """Create the outbox's tables, as `Outbox.create_tables` does."""
        await self._host.create()


def _row(rules: MessageRules, **fields: object) -> Row:
    return row_of(rules.checked(OWNERS_PROJECT, draft(MessageDraft, **fields)))


def _rows(rules: MessageRules, messages: object) -> list[Row]:
    a_text = isinstance(messages, str | bytes | bytearray)
    if a_text or not isinstance(messages, Sequence) or not 1 <= len(messages) <= BATCH_MAX:
        raise InvalidRequestError(
            f"messages must be a list of 1 to {BATCH_MAX}",
            details={"field": "messages", "minimum": 1, "maximum": BATCH_MAX},
        )
    return [row_of(rules.checked(OWNERS_PROJECT, message_draft(each))) for each in messages]
