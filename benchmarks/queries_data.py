"""A database with a long history, made by SQL: as the service would have left it, in a minute."""

import sqlite3
import time
from pathlib import Path

from sluicegate.clock import SystemRandom
from sluicegate.storage import schema
from sluicegate.storage.database import prepare_writer
from sluicegate.storage.secret_box import SecretBox

__all__ = [
    "BOX",
    "BUSY",
    "DAYS",
    "DELETED",
    "ENDPOINTS",
    "PAUSED",
    "PROJECT",
    "QUIET",
    "endpoint_id",
    "make",
]

DAYS = 30
ENDPOINTS = 200
PROJECT = "proj_" + "1" * 32
BOX = SecretBox(bytes(32), random=SystemRandom())
"""What signing keys would be sealed with: there are none."""
_BEFORE_ACTIVITY = 2
"""The schema version in which the rows are made; the steps after it are those of an upgrade."""


def endpoint_id(no: int) -> str:
    """Return the id of an endpoint."""
    return f"ep_{no:032x}"


BUSY, PAUSED, DELETED, QUIET = (endpoint_id(no) for no in (1, 2, 3, ENDPOINTS))
"""A fifth of all messages; a tenth, half of it held; a deleted one; next to nothing."""

_ENDPOINTS = """
INSERT INTO endpoints (no, id, project_no, shard, url, rate_limit_rps, burst, ordered,
    max_in_flight, timeout_s, created_at_ms, updated_at_ms, paused_at_ms, pause_reason,
    deleted_at_ms)
SELECT value, printf('ep_%032x', value), 1, value % 4096, 'https://receiver.example/' || value,
    0, 0, 0, 16, 30, 0, 0, CASE value WHEN 2 THEN 1 END, CASE value WHEN 2 THEN 'manual' END,
    CASE value WHEN 3 THEN 1 END
FROM generated WHERE value <= :endpoints
"""
# A hash of the number decides what became of a message: 1 % wait, 3 % wait on a retry, 4 % failed.
# The second half of what went to the paused endpoint, 50,000 of a million, is held.
_MESSAGES = """
INSERT INTO messages (seq, id, project_no, endpoint_no, status, accepted_at_ms, updated_at_ms,
    attempt_count, cycle_attempts, next_attempt_at_ms, retry_type, size_bytes, payload_sha256,
    first_attempt_at_ms, delivered_at_ms, response_status, response_latency_ms, last_error,
    deleted_at_ms)
SELECT value, unhexed(value), 1, endpoint, status, at_ms, at_ms, status <> 'queued',
    status <> 'queued', CASE status WHEN 'pending_retry' THEN :now_ms + 3600000 END,
    CASE status WHEN 'pending_retry' THEN 'slow' END, 16, zeroblob(32), at_ms + 5,
    CASE status WHEN 'succeeded' THEN at_ms + 40 END,
    CASE status WHEN 'queued' THEN NULL WHEN 'succeeded' THEN 200 ELSE 503 END, 35,
    CASE WHEN status IN ('pending_retry', 'failed_permanent') THEN 'HTTP 503' END,
    CASE WHEN status = 'succeeded' AND hash % 50 = 0 THEN at_ms + 60000 END
FROM (
    SELECT *, CASE
        WHEN endpoint = 2 THEN CASE WHEN value > :count / 2 THEN 'queued' ELSE 'succeeded' END
        WHEN hash / 11 % 100 < 1 AND endpoint <> 3 THEN 'queued'
        WHEN hash / 11 % 100 < 4 AND endpoint <> 3 THEN 'pending_retry'
        WHEN hash / 11 % 100 < 8 THEN 'failed_permanent'
        ELSE 'succeeded'
        END AS status
    FROM (
        SELECT *, CASE
            WHEN value % 10000 = 0 THEN :endpoints
            WHEN hash % 5 = 0 THEN 1
            WHEN hash % 10 = 1 THEN 2
            ELSE 3 + hash / 7 % (:endpoints - 3)
            END AS endpoint
        FROM (
            SELECT value, value * 2654435761 % 4294967296 AS hash,
                :start_ms + value * (:now_ms - :start_ms) / :count AS at_ms
            FROM generated
        )
    )
)
"""
_ATTEMPTS = """
INSERT INTO attempts (seq, attempt_no, id, started_at_ms, processing_ms, response_status,
    response_latency_ms, error_text, retry_type, conn_reused, response_body_truncated)
SELECT seq, 1, id, accepted_at_ms + 5, 35, response_status, 35, last_error,
    CASE status WHEN 'pending_retry' THEN 'slow' END, 1, 0
FROM messages WHERE status <> 'queued'
"""
_LOADS = """
INSERT INTO endpoint_loads (endpoint_no, queued_count, pending_retry_count, failed_count)
SELECT e.no, count(*) FILTER (WHERE m.status = 'queued'),
    count(*) FILTER (WHERE m.status = 'pending_retry'),
    count(*) FILTER (WHERE m.status = 'failed_permanent' AND m.deleted_at_ms IS NULL)
FROM endpoints e LEFT JOIN messages m ON m.endpoint_no = e.no GROUP BY e.no
"""
_MINUTES = """
INSERT INTO accepted_minutes
SELECT accepted_at_ms / 60000, min(seq), max(seq) FROM messages GROUP BY 1
"""


def make(path: Path, *, count: int, now_ms: int) -> float:
    """Make a database with `count` messages of the last `DAYS` days; return the upgrade's seconds.

    The upgrade is what a start does to a file of the version before activity was counted.
    """
    known = schema.migrations()
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    db.execute("PRAGMA journal_mode = WAL")
    schema.migrate(db, version=0, known=[step for step in known if step[0] <= _BEFORE_ACTIVITY])
    values = {
        "count": count,
        "endpoints": ENDPOINTS,
        "now_ms": now_ms,
        "start_ms": now_ms - DAYS * 86_400_000,
    }
    db.create_function("unhexed", 1, lambda seq: seq.to_bytes(16, "big"), deterministic=True)
    db.execute("BEGIN")
    db.execute("CREATE TEMP TABLE generated (value INTEGER PRIMARY KEY)")
    db.executemany("INSERT INTO generated VALUES (?)", ((no,) for no in range(1, count + 1)))
    db.execute("INSERT INTO projects VALUES (1, ?, 'benchmark', 0)", (PROJECT,))
    for sql in (_ENDPOINTS, _MESSAGES):
        db.execute(sql, values)
    for sql in (_ATTEMPTS, _LOADS, _MINUTES):
        db.execute(sql)
    db.execute("INSERT INTO payloads SELECT seq, CAST('{\"id\": 12345678}' AS BLOB) FROM messages")
    db.execute("COMMIT")
    begun_s = time.perf_counter()
    prepare_writer(db, path=str(path), box=BOX)
    upgrade_s = time.perf_counter() - begun_s
    db.close()
    return upgrade_s
