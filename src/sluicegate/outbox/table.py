"""What is in the tables of an outbox, and how SQLite reads and writes them."""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from sluicegate.engine.drafts import MessageDraft, draft
from sluicegate.engine.errors import InvalidRequestError, OutboxError, SluicegateError
from sluicegate.engine.model import NewMessage
from sluicegate.engine.outbox import OutboxEntry
from sluicegate.outbox.schema import MISSING, tables

__all__ = [
    "COLUMNS",
    "Row",
    "claim",
    "create_tables",
    "entry_of",
    "insert",
    "read_entries",
    "read_outbox_id",
    "row_of",
    "settle",
    "still_there",
    "transaction",
]

Row = tuple[str, str, bytes, str | None, str | None, int | None, int]
"""A message by `COLUMNS`."""

COLUMNS = (
    "id",
    "endpoint_id",
    "payload",
    "headers",
    "idempotency_key",
    "retention_hours",
    "accepted_at_ms",
)

_NAMES = ", ".join(COLUMNS)
_NAME = """
INSERT INTO sluicegate_outbox_meta ("only", outbox_id) VALUES (1, ?) ON CONFLICT DO NOTHING
"""
_INSERT = f"INSERT INTO sluicegate_outbox ({_NAMES}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - constants
_READ = f"SELECT {_NAMES} FROM sluicegate_outbox ORDER BY no LIMIT ?"  # noqa: S608 - a constant
_REFUSE = (
    f"INSERT INTO sluicegate_outbox_refused (refused_at_ms, code, reason, {_NAMES})"  # noqa: S608 - a constant
    f" SELECT ?, ?, ?, {_NAMES} FROM sluicegate_outbox WHERE id = ?"
    # It was refused before, tried again, and its entry here was put back by a backup.
    " ON CONFLICT DO NOTHING"
)
_REMOVE = "DELETE FROM sluicegate_outbox WHERE id = ?"

_encoder = msgspec.json.Encoder()


def create_tables(db: sqlite3.Connection, *, outbox_id: str) -> None:
    """Create what is missing, within the caller's transaction.

    Args:
        db: where to.
        outbox_id: the new outbox's, if it is new.
    """
    for statement in tables("sqlite"):
        db.execute(statement)
    db.execute(_NAME, (outbox_id,))


def read_outbox_id(db: sqlite3.Connection) -> str:
    """Return which outbox this is."""
    return str(db.execute("SELECT outbox_id FROM sluicegate_outbox_meta").fetchone()[0])


def claim(db: sqlite3.Connection, *, engine_id: str) -> tuple[str, str]:
    """Let an engine be the one that empties the outbox, unless one is already.

    Returns:
        Which outbox this is, and whose it is now.

    Raises:
        OutboxError: the table is there, but empty.
    """
    outbox_id, owner_id = _read_meta(db)
    if owner_id is None:
        with transaction(db):
            db.execute(
                "UPDATE sluicegate_outbox_meta SET engine_id = ? WHERE engine_id IS NULL",
                (engine_id,),
            )
        outbox_id, owner_id = _read_meta(db)
    return str(outbox_id), str(owner_id)


def _read_meta(db: sqlite3.Connection) -> tuple[object, object]:
    found = db.execute("SELECT outbox_id, engine_id FROM sluicegate_outbox_meta").fetchone()
    if found is None:
        raise OutboxError(MISSING)
    outbox_id, owner_id = found
    return outbox_id, owner_id


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Begin with the lock for writing; commit, or roll back on any error."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def row_of(message: NewMessage) -> Row:
    """Return how a checked message stands in the table."""
    return (
        message.id,
        message.endpoint_id,
        message.payload,
        _encoder.encode(message.headers).decode() if message.headers else None,
        message.idempotency_key,
        message.retention_hours,
        message.accepted_at_ms,
    )


def insert(db: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Write messages, in order, within the caller's transaction."""
    db.executemany(_INSERT, rows)


def read_entries(db: sqlite3.Connection, *, rows_max: int, bytes_max: int) -> list[OutboxEntry]:
    """Return what was written first: up to `rows_max`, or `bytes_max` of payloads and one more."""
    entries: list[OutboxEntry] = []
    found = db.execute(_READ, (rows_max,))
    try:
        for entry in map(entry_of, found):
            entries.append(entry)
            bytes_max -= entry.size_bytes
            if bytes_max <= 0:
                break
    finally:
        found.close()  # or the lock of the reader stays
    return entries


def settle(
    db: sqlite3.Connection,
    *,
    moved: Sequence[str],
    refused: Sequence[tuple[str, SluicegateError]],
    at_ms: int,
) -> None:
    """Take messages out, within the caller's transaction: refused ones are put aside."""
    db.executemany(_REFUSE, [(at_ms, error.code, error.message, id_) for id_, error in refused])
    db.executemany(_REMOVE, [(id_,) for id_ in (*moved, *(id_ for id_, _ in refused))])


def still_there(db: sqlite3.Connection, ids: Iterable[str]) -> Iterator[str]:
    """Return those of `ids` that wait in the table."""
    for id_ in ids:
        if db.execute("SELECT 1 FROM sluicegate_outbox WHERE id = ?", (id_,)).fetchone():
            yield id_


def entry_of(row: Sequence[object]) -> OutboxEntry:
    """Return what a row says, whoever wrote it; nothing of it is checked but its types."""
    id_, endpoint_id, payload, headers, idempotency_key, retention_hours, accepted_at_ms = row
    body = payload.encode() if isinstance(payload, str) else payload
    made: MessageDraft | SluicegateError
    try:
        made = draft(
            MessageDraft,
            endpoint_id=endpoint_id,
            payload=bytes(body) if isinstance(body, bytes | memoryview) else body,
            headers=_headers(headers),
            idempotency_key=idempotency_key,
            retention_hours=retention_hours,
        )
    except SluicegateError as error:
        made = error
    return OutboxEntry(
        id=str(id_),
        accepted_at_ms=accepted_at_ms if isinstance(accepted_at_ms, int) else 0,
        draft=made,
        size_bytes=len(body) if isinstance(body, bytes | memoryview) else 0,
    )


def _headers(text: object) -> object:
    if not isinstance(text, str):
        return text
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise InvalidRequestError(
            "headers must be a JSON object of strings", details={"field": "headers"}
        ) from None
