"""Pause and resume cost the same whatever waits (contract, section 5, rule 3)."""

import sqlite3
from typing import TYPE_CHECKING

from sluicegate.engine.model import PauseReason
from sluicegate.storage import SqliteStorage
from sluicegate.storage.audit import miscounts
from sluicegate.storage.bridge import call

if TYPE_CHECKING:
    from tests.storage.conftest import Place

BACKLOG = 100_000
CHANGES = 3
"""The endpoint's row twice, its counts once."""

FILL = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
INSERT INTO messages (id, project_no, endpoint_no, status, accepted_at_ms, updated_at_ms,
    next_attempt_at_ms, size_bytes, payload_sha256)
SELECT randomblob(16), e.project_no, e.no, iif(i % 2, 'queued', 'pending_retry'), i, i,
    iif(i % 2, NULL, i), 2, zeroblob(32)
FROM n, endpoints e WHERE e.id = :endpoint_id
"""
COUNT = """
UPDATE endpoint_loads SET queued_count = :rows, pending_retry_count = :rows
WHERE endpoint_no = (SELECT no FROM endpoints WHERE id = :endpoint_id)
"""


def fill(db: sqlite3.Connection, endpoint_id: str) -> None:
    """Let messages wait, half of them on a retry."""
    db.execute(FILL, {"rows": BACKLOG, "endpoint_id": endpoint_id})
    db.execute(COUNT, {"rows": BACKLOG // 2, "endpoint_id": endpoint_id})


class Meter:
    """Counts the steps of SQLite's virtual machine and the rows that change."""

    def __init__(self) -> None:
        self.steps = 0

    def start(self, db: sqlite3.Connection) -> int:
        """Begin to count; return the rows changed so far."""
        self.steps = 0
        db.set_progress_handler(self._step, 1)
        return db.total_changes

    def stop(self, db: sqlite3.Connection) -> int:
        """Cease to count; return the rows changed so far."""
        db.set_progress_handler(None, 0)
        return db.total_changes

    def _step(self) -> None:
        self.steps += 1


async def cost_of_a_pause_and_a_resume(
    place: "Place", storage: SqliteStorage, endpoint_id: str
) -> tuple[int, int, int]:
    """Return how many steps and changed rows they took, and how many were held."""
    meter, writer = Meter(), place.connections[0]
    before = await call(writer, meter.start)
    await storage.pause(endpoint_id, reason=PauseReason.MANUAL, at_ms=1)
    _, held = await storage.resume(endpoint_id, at_ms=2, in_flight=set())
    after = await call(writer, meter.stop)
    return meter.steps, after - before, held


async def test_pause_and_resume_touch_as_many_rows_with_100_000_waiting_as_with_none(
    place: "Place",
) -> None:
    """Rows of the endpoint only, in the same steps of SQLite's."""
    storage = await place.opened()
    empty, full = await place.endpoint(storage), await place.endpoint(storage)
    await call(place.connections[0], fill, full)
    assert await call(place.connections[0], miscounts) == []
    steps, changes, held = await cost_of_a_pause_and_a_resume(place, storage, empty)
    assert (changes, held) == (CHANGES, 0)
    assert steps > 100
    full_steps, changes, held = await cost_of_a_pause_and_a_resume(place, storage, full)
    assert (changes, held) == (CHANGES, BACKLOG)
    assert abs(full_steps - steps) <= 20


async def test_a_window_costs_the_same_at_any_depth(place: "Place") -> None:
    """64 messages from the middle of 100,000, read by as many steps as from their head."""
    storage = await place.opened()
    endpoint = await place.endpoint(storage)
    await call(place.connections[0], fill, endpoint)
    meter = Meter()
    reader = place.connections[1]
    await storage.load_queued(endpoint, after_seq=0, limit=1)  # the first reads the schema too
    costs = []
    for after_seq in (0, BACKLOG // 2):
        await call(reader, meter.start)
        window = await storage.load_queued(endpoint, after_seq=after_seq, limit=64)
        await call(reader, meter.stop)
        assert len(window) == 64
        costs.append(meter.steps)
    assert abs(costs[1] - costs[0]) <= 20
    assert costs[0] < 64 * 100
