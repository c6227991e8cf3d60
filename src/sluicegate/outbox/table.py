"""The tables of an outbox, on SQLite: what is in them, and how it is read."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from sluicegate.engine.drafts import MessageDraft, draft
from sluicegate.engine.errors import InvalidRequestError, SluicegateError
from sluicegate.engine.model import NewMessage
from sluicegate.engine.outbox import OutboxEntry

__all__ = [
    "COLUMNS",
    "Row",
    "create_tables",
    "entry_of",
    "insert",
    "read_entries",
    "read_outbox_id",
    "row_of",
    "settle",
    "still_there",
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
_TYPES = """
    id TEXT NOT NULL UNIQUE,
    endpoint_id TEXT NOT NULL,
    payload BLOB NOT NULL,
    headers TEXT, -- a JSON object of texts
    idempotency_key TEXT,
    retention_hours INTEGER,
    accepted_at_ms INTEGER NOT NULL -- milliseconds since the Unix epoch
"""
_TABLES = (
    # What waits, in the order of writing.
    f"CREATE TABLE IF NOT EXISTS sluicegate_outbox (no INTEGER PRIMARY KEY, {_TYPES})",
    # What the engine refused, apart from what waits, so that it is in nobody's way.
    f"""CREATE TABLE IF NOT EXISTS sluicegate_outbox_refused (
    refused_at_ms INTEGER NOT NULL, code TEXT NOT NULL, reason TEXT NOT NULL, {_TYPES})""",
    # One row: which outbox this is, and which engine's (its first project), once it has one.
    """CREATE TABLE IF NOT EXISTS sluicegate_outbox_meta (
    only INTEGER PRIMARY KEY CHECK (only = 1), outbox_id TEXT NOT NULL, engine_id TEXT)""",
)
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
    for statement in _TABLES:
        db.execute(statement)
    db.execute(
        "INSERT INTO sluicegate_outbox_meta (only, outbox_id) VALUES (1, ?) ON CONFLICT DO NOTHING",
        (outbox_id,),
    )


def read_outbox_id(db: sqlite3.Connection) -> str:
    """Return which outbox this is."""
    return str(db.execute("SELECT outbox_id FROM sluicegate_outbox_meta").fetchone()[0])


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
