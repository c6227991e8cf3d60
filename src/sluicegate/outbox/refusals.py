"""What an engine refused out of an outbox: looked at, tried again, or dropped.

An endpoint that did not exist may exist by now, and a limit may be higher. Everything here blocks,
opens the file beside whoever else uses it, and leaves nothing open.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from sluicegate.engine.errors import OutboxError
from sluicegate.outbox.schema import MISSING, is_missing
from sluicegate.outbox.table import COLUMNS, transaction

__all__ = ["Refusal", "drop", "put_back", "read_refusals"]

_BUSY_S = 10.0
_NAMES = ", ".join(COLUMNS)
_READ = """
SELECT id, endpoint_id, refused_at_ms, code, reason, idempotency_key, length(payload)
FROM sluicegate_outbox_refused ORDER BY rowid DESC LIMIT ?
"""
_COUNT = "SELECT count(*) FROM sluicegate_outbox_refused"
_IDS = "SELECT id FROM sluicegate_outbox_refused ORDER BY rowid"
_PUT_BACK = f"""
INSERT INTO sluicegate_outbox ({_NAMES})
SELECT {_NAMES} FROM sluicegate_outbox_refused WHERE id = ? ON CONFLICT DO NOTHING
"""  # noqa: S608 - constants
_DROP = "DELETE FROM sluicegate_outbox_refused WHERE id = ?"


class Refusal(msgspec.Struct, frozen=True):
    """A message that was refused."""

    id: str
    endpoint_id: str
    refused_at_ms: int
    code: str
    reason: str
    idempotency_key: str | None
    size_bytes: int


def read_refusals(path: str, *, limit: int) -> tuple[list[Refusal], int]:
    """Return what was refused, the latest first, and how much there is in all.

    Args:
        path: the SQLite file that the outbox is in; one that does not exist has none.
        limit: so many at most.

    Raises:
        OutboxError: the file cannot be used, or has no outbox.
    """
    if not Path(path).exists():
        return [], 0
    with _opened(path) as db:
        (count,) = db.execute(_COUNT).fetchone()
        return [Refusal(*row) for row in db.execute(_READ, (limit,))], count


def put_back(path: str, ids: Sequence[str] | None) -> list[str]:
    """Put refused messages back where they wait, and say which they were.

    The engine that empties the outbox takes them behind what waits there already.

    Args:
        path: as for `read_refusals`.
        ids: of messages; those that were not refused here are left out. `None`: all.

    Raises:
        OutboxError: as for `read_refusals`.
    """
    return _settle(path, ids, _PUT_BACK, _DROP)


def drop(path: str, ids: Sequence[str] | None) -> list[str]:
    """Forget refused messages for ever, and say which they were; else as `put_back`."""
    return _settle(path, ids, _DROP)


def _settle(path: str, ids: Sequence[str] | None, *statements: str) -> list[str]:
    if not Path(path).exists():
        return []
    with _opened(path) as db, transaction(db):
        chosen = None if ids is None else set(ids)
        wanted = [id_ for (id_,) in db.execute(_IDS) if chosen is None or id_ in chosen]
        for statement in statements:
            db.executemany(statement, [(id_,) for id_ in wanted])
    return wanted


@contextmanager
def _opened(path: str) -> Iterator[sqlite3.Connection]:
    try:
        with closing(
            sqlite3.connect(
                f"{Path(path).absolute().as_uri()}?mode=rw",
                uri=True,
                isolation_level=None,
                timeout=_BUSY_S,
            )
        ) as db:
            db.execute("PRAGMA synchronous = EXTRA")
            db.execute("PRAGMA fullfsync = ON")
            yield db
    except sqlite3.Error as error:
        raise OutboxError(f"{path}: {MISSING if is_missing(error) else error}") from error
