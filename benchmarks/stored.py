"""A database made before its server starts: many endpoints and a million waiting messages.

Endpoints and the first message go through an `Engine`, as they always do. The other messages are
copies of the first one's row, made by SQL and counted as a commit counts them: whatever columns
the tables have, and in seconds.
"""

import asyncio
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ours import API_KEY
from wire import PAYLOAD_BYTES, payload

from sluicegate import Engine
from sluicegate.engine.metrics_windows import MINUTE_MS
from sluicegate.engine.settings import Settings
from sluicegate.storage.gathered_activity import add_counts

__all__ = ["FIRST_STORED", "Owner", "make_database"]

FIRST_STORED = 9_000_000_000
"""The number of the first message that is stored so: no round uses so high a one."""
_AT_ONCE = 500
_COPIED_AT_ONCE = 10_000
_UNSAFE = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -256000")


class Owner(NamedTuple):
    """An endpoint that is to be stored."""

    url: str
    waiting: int = 0
    """How many messages wait for it."""
    paused: bool = False


def make_database(
    path: Path,
    owners: Sequence[Owner],
    *,
    payload_bytes: int = PAYLOAD_BYTES,
    first: int = FIRST_STORED,
) -> list[str]:
    """Make a database with endpoints and messages that wait for them, and the usual API key.

    The messages are numbered from `first` on, the first of each endpoint before any second, each
    payload as `wire.payload` makes it.

    Args:
        path: of the file, which must not be there.
        owners: the endpoints.
        payload_bytes: how long each payload is.
        first: the number of the first message.

    Returns:
        The endpoints' ids, in the order of `owners`.
    """
    ids = asyncio.run(_begin(path, owners, payload(first, payload_bytes)))
    if any(owner.waiting for owner in owners):
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            for pragma in _UNSAFE:  # and quick: nobody else has the file yet
                db.execute(f"PRAGMA {pragma}")
            db.execute("BEGIN")
            _multiply(db, ids, owners, partial(_numbered, first, payload_bytes))
            _let_go(db, ids, owners)
            db.execute("COMMIT")
            db.execute("PRAGMA journal_mode = WAL")
        with path.open("rb") as file:
            os.fsync(file.fileno())
    return ids


def _numbered(first: int, payload_bytes: int, at: int) -> bytes:
    return payload(first + at, payload_bytes)


async def _begin(path: Path, owners: Sequence[Owner], first_payload: bytes) -> list[str]:
    """Store the endpoints, and the first message if there is to be any; return their ids."""
    settings = Settings(database=str(path), dev=True, bootstrap_api_key=API_KEY, metrics=False)
    ids: list[str] = []
    async with Engine(settings) as engine:
        left = iter(owners)
        while some := list(islice(left, _AT_ONCE)):
            made = await asyncio.gather(*(engine.create_endpoint(url=owner.url) for owner in some))
            ids += [endpoint.id for endpoint in made]
        first_owner = next((at for at, owner in enumerate(owners) if owner.waiting), None)
        paused = {at for at, owner in enumerate(owners) if owner.paused or at == first_owner}
        await asyncio.gather(*(engine.pause(ids[at]) for at in paused))
        if first_owner is not None:
            await engine.send(ids[first_owner], first_payload)
    return ids


def _let_go(db: sqlite3.Connection, ids: Sequence[str], owners: Sequence[Owner]) -> None:
    """Resume the endpoint that was paused only so that the first message waits."""
    held = [id_ for id_, owner in zip(ids, owners, strict=True) if not owner.paused]
    db.executemany(
        "UPDATE endpoints SET paused_at_ms = NULL, pause_reason = NULL WHERE id = ?",
        [(id_,) for id_ in held],
    )


def _multiply(
    db: sqlite3.Connection,
    ids: Sequence[str],
    owners: Sequence[Owner],
    payload_of: Callable[[int], bytes],
) -> None:
    """Store copies of the only message, as many as each endpoint is to have, and count them."""
    nos = dict(db.execute("SELECT id, no FROM endpoints"))
    waiting = {nos[id_]: owner.waiting for id_, owner in zip(ids, owners, strict=True)}
    names = [name for _, name, *_ in db.execute("PRAGMA table_info(messages)")]  # none generated
    quoted = ", ".join(f"quote({name})" for name in names)
    first = dict(zip(names, db.execute(f"SELECT {quoted} FROM messages").fetchone(), strict=True))  # noqa: S608 - the table's own names
    own = first | {"seq": "?", "id": "?", "endpoint_no": "?", "payload_sha256": "?"}
    insert = f"INSERT INTO messages ({', '.join(own)}) VALUES ({', '.join(own.values())})"  # noqa: S608 - the same, and its own values
    seq, id_ = db.execute("SELECT seq, id FROM messages").fetchone()
    base = int.from_bytes(id_)
    copies = islice(enumerate(_by_turns(waiting)), 1, None)  # the first is there
    while some := list(islice(copies, _COPIED_AT_ONCE)):
        texts = [(seq + at, payload_of(at)) for at, _ in some]
        rows = (
            (seq + at, (base + at).to_bytes(16), no, hashlib.sha256(text).digest())
            for (at, no), (_, text) in zip(some, texts, strict=True)
        )
        db.executemany(insert, rows)
        db.executemany("INSERT INTO payloads (seq, body) VALUES (?, ?)", texts)
    _count(db, waiting)


def _by_turns(waiting: dict[int, int]) -> Iterator[int]:
    """Yield each endpoint's number as often as messages wait for it, one after the other."""
    left = [no for no, count in waiting.items() if count]
    turn = 0
    while left:
        yield from left
        turn += 1
        left = [no for no in left if waiting[no] > turn]


def _count(db: sqlite3.Connection, waiting: dict[int, int]) -> None:
    """Count the copies of the first message as accepted with it."""
    owner_no, project_no, at_ms = db.execute(
        "SELECT endpoint_no, project_no, accepted_at_ms FROM messages ORDER BY seq LIMIT 1"
    ).fetchone()
    copies = {no: count - (no == owner_no) for no, count in waiting.items()}
    total, minute = sum(copies.values()), at_ms // MINUTE_MS
    db.executemany(
        "UPDATE endpoint_loads SET queued_count = queued_count + ? WHERE endpoint_no = ?",
        [(count, no) for no, count in copies.items()],
    )
    db.execute("UPDATE accepted_minutes SET seq_last = seq_last + ?", (total,))
    db.execute("UPDATE usage_months SET accepted = accepted + ?", (total,))
    counted = {no: count for no, count in copies.items() if count} | {0: total}
    add_counts(db, [(minute, project_no, no, n, 0, 0, 0, 0, 0) for no, n in counted.items()])
