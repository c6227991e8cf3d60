"""What the database itself holds to."""

import asyncio
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluicegate.engine.lifecycle import STORED, WAITING, MessageStatus
from sluicegate.engine.model import PauseReason, RetryType
from sluicegate.engine.outcome import Outcome, OutcomeKind, Timings
from sluicegate.storage import schema

if TYPE_CHECKING:
    from tests.storage.conftest import Place

STATUS = (
    "INSERT INTO messages (id, project_no, endpoint_no, status, accepted_at_ms, updated_at_ms,"
    " next_attempt_at_ms, size_bytes, payload_sha256, deleted_at_ms)"
    " VALUES (randomblob(16), 1, 1, ?, 0, 0, ?, 0, zeroblob(32), ?)"
)


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    """A database with one endpoint."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(db, version=0)
    db.execute("INSERT INTO projects VALUES (1, 'p', '', 0)")
    db.execute(
        "INSERT INTO endpoints (no, id, project_no, shard, url, rate_limit_rps, burst, ordered,"
        " max_in_flight, timeout_s, created_at_ms, updated_at_ms)"
        " VALUES (1, 'e', 1, 0, 'u', 0, 0, 0, 1, 1, 0, 0)"
    )
    yield db
    db.close()


def accepts(db: sqlite3.Connection, sql: str, *values: object) -> bool:
    """Return whether the database takes a statement."""
    try:
        db.execute(sql, values)
    except sqlite3.IntegrityError:
        return False
    return True


def test_a_row_holds_the_stored_statuses_and_no_other(db: sqlite3.Connection) -> None:
    """As `lifecycle.STORED` says; a status that is derived never gets into a row."""
    for status in MessageStatus:
        due_at_ms = 1 if status is MessageStatus.PENDING_RETRY else None
        assert accepts(db, STATUS, status, due_at_ms, None) == (status in STORED), status
    assert not accepts(db, STATUS, "lost", None, None)


def test_a_row_has_a_next_attempt_exactly_while_it_waits_on_one(db: sqlite3.Connection) -> None:
    """Else it would be due and not found, or found and not due."""
    for status in STORED:
        waits = status is MessageStatus.PENDING_RETRY
        assert accepts(db, STATUS, status, 1, None) == waits
        assert accepts(db, STATUS, status, None, None) == (not waits)


def test_a_deleted_message_does_not_wait(db: sqlite3.Connection) -> None:
    """It would be delivered, without its payload."""
    for status in STORED:
        due_at_ms = 1 if status is MessageStatus.PENDING_RETRY else None
        assert accepts(db, STATUS, status, due_at_ms, 1) == (status not in WAITING)


def test_reasons_and_retry_types_are_those_of_the_records(db: sqlite3.Connection) -> None:
    """And a pause has both a moment and a reason, or neither."""
    pause = "UPDATE endpoints SET paused_at_ms = ?, pause_reason = ?"
    for reason in PauseReason:
        assert accepts(db, pause, 1, reason)
    assert accepts(db, pause, None, None)
    for values in ((1, "lunch"), (1, None), (None, "manual")):
        assert not accepts(db, pause, *values)
    accepts(db, STATUS, "queued", None, None)
    for retry_type in RetryType:
        assert accepts(db, "UPDATE messages SET retry_type = ?", retry_type)
    assert not accepts(db, "UPDATE messages SET retry_type = 'never'")


def test_counts_never_go_below_nothing(db: sqlite3.Connection) -> None:
    """A miscount is a fault at once, not a wrong number later."""
    db.execute("INSERT INTO endpoint_loads (endpoint_no) VALUES (1)")
    for sql in (
        "UPDATE endpoint_loads SET queued_count = queued_count - 1",
        "UPDATE endpoint_loads SET pending_retry_count = pending_retry_count - 1",
        "UPDATE endpoint_loads SET failed_count = failed_count - 1",
    ):
        assert not accepts(db, sql)


def size_of(path: Path) -> int:
    """Return how large a file is, in bytes."""
    return path.stat().st_size


async def test_a_delivered_message_of_512_bytes_takes_no_more_than_1536(place: "Place") -> None:
    """With its attempt, its nine request headers and four of the response, and all indexes."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    await storage.close()
    empty_bytes = size_of(place.path)
    storage = await place.opened()
    payload = b'"' + b"x" * 510 + b'"'
    count = 4_000
    for _ in range(count // 500):
        await storage.append([place.message(endpoint, payload) for _ in range(500)])
    outcome = Outcome(
        kind=OutcomeKind.ANSWERED,
        status=200,
        headers=(
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", "2"),
            ("Date", "Mon, 23 Nov 2026 21:19:00 GMT"),
            ("Server", "Python/3.11 aiohttp/3.14.5"),
        ),
        body=b"OK",
        resolved_ip="203.0.113.7",
        timings=Timings(
            dns_ms=1.5,
            tcp_connect_ms=10.1,
            tls_handshake_ms=20.2,
            ttfb_ms=33.3,
            transfer_ms=0.4,
            total_ms=66.5,
        ),
    )
    waiting = await storage.load_queued(endpoint, after_seq=0, limit=count)
    results = []
    for message in waiting:
        digest = hashlib.sha256(message.id.encode()).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Sluicegate/0.1.0",
            "X-Webhook-Id": message.id,
            "X-Webhook-Timestamp": "1780000000",
            "X-Webhook-Signature": f"sha256={digest}",
            "webhook-id": message.id,
            "webhook-timestamp": "1780000000",
            "webhook-signature": f"v1,{digest[:43]}=",
            "X-Webhook-Attempt": "1",
        }
        results.append(
            place.result(endpoint, message, outcome=outcome, request_headers=tuple(headers.items()))
        )
    await asyncio.gather(*(storage.record_attempt(result) for result in results))
    await storage.close()
    assert (size_of(place.path) - empty_bytes) / count <= 1536
