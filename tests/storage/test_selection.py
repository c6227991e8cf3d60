"""Merging endpoints' waiting messages gives what filtering the project's gives."""

import itertools
import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.ports import LogQuery
from sluicegate.storage import schema, selection
from sluicegate.storage.audit import miscounts
from sluicegate.storage.rows import id_text

PROJECTS, ENDPOINTS = 2, 6
STATUSES = ("queued", "pending_retry", "succeeded", "failed_permanent")
ENDPOINT = (
    "INSERT INTO endpoints (no, id, project_no, shard, url, rate_limit_rps, burst, ordered,"
    " max_in_flight, timeout_s, created_at_ms, updated_at_ms, paused_at_ms, pause_reason,"
    " deleted_at_ms) VALUES (:no, 'e' || :no, :project_no, 0, 'u' || :no, 0, 0, 0, 1, 1, 0, 0,"
    " iif(:paused, 1, NULL), iif(:paused, 'manual', NULL), iif(:deleted, 1, NULL))"
)
MESSAGE = (
    "INSERT INTO messages (seq, id, project_no, endpoint_no, status, accepted_at_ms,"
    " updated_at_ms, next_attempt_at_ms, size_bytes, payload_sha256, deleted_at_ms)"
    " VALUES (:seq, :id, :project_no, :no, :status, :at_ms, 0,"
    " iif(:status = 'pending_retry', 1, NULL), 0, zeroblob(32), iif(:deleted, 1, NULL))"
)
COUNT = (
    "INSERT INTO endpoint_loads (endpoint_no, queued_count, pending_retry_count, failed_count)"
    " SELECT e.no, count(*) FILTER (WHERE m.status = 'queued'),"
    " count(*) FILTER (WHERE m.status = 'pending_retry'), count(*) FILTER"
    " (WHERE m.status = 'failed_permanent' AND m.deleted_at_ms IS NULL)"
    " FROM endpoints e LEFT JOIN messages m ON m.endpoint_no = e.no GROUP BY e.no"
)
MINUTE = (
    "INSERT INTO accepted_minutes SELECT accepted_at_ms / 60000, min(seq), max(seq)"
    " FROM messages GROUP BY 1"
)


@pytest.fixture(scope="module")
def empty() -> Iterator[sqlite3.Connection]:
    """A database with two projects and nothing else."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(db, version=0)
    db.execute("INSERT INTO projects VALUES (1, 'p1', '', 0), (2, 'p2', '', 0)")
    yield db
    db.close()


class World(msgspec.Struct, frozen=True):
    """What is in the database, and what is in flight."""

    endpoints: list[tuple[int, bool, bool]]
    """Project, paused, deleted."""
    messages: list[tuple[int, str, bool, int, bool]]
    """Endpoint, stored status, deleted, minute of acceptance, in flight."""

    def fill(self, db: sqlite3.Connection) -> list[str]:
        """Store everything; return the ids of what is in flight."""
        for no, (project_no, paused, deleted) in enumerate(self.endpoints, 1):
            row = {"no": no, "project_no": project_no, "paused": paused, "deleted": deleted}
            db.execute(ENDPOINT, row)
        in_flight = []
        for seq, (no, status, deleted, minute, flying) in enumerate(self.messages, 1):
            blob = seq.to_bytes(16, "big")
            values: dict[str, object] = {
                "seq": seq,
                "id": blob,
                "no": no,
                "project_no": self.endpoints[no - 1][0],
                "status": status,
                "at_ms": minute * 60_000,
                "deleted": deleted and status not in {"queued", "pending_retry"},
            }
            db.execute(MESSAGE, values)
            if flying:
                in_flight.append(id_text(blob))
        db.execute(COUNT)
        db.execute(MINUTE)
        assert miscounts(db) == []
        return in_flight

    def plainly(self, query: LogQuery, *, limit: int) -> list[int]:
        """Return what is meant by looking at every message."""
        found = []
        for seq, (no, status, deleted, minute, flying) in enumerate(self.messages, 1):
            project_no, paused, orphan = self.endpoints[no - 1]
            waits = status in {"queued", "pending_retry"}
            gone = deleted and not waits
            seen = status
            if flying and (waits or (gone and status == "failed_permanent")):
                seen = "delivering"
            elif waits and orphan:
                seen = "failed_permanent"
            elif waits and paused:
                seen = "paused"
            if (
                f"p{project_no}" == query.project_id
                and query.endpoint_id in {None, f"e{no}"}
                and query.status in {None, seen}
                and query.deleted in {None, gone}
                and (query.before_seq is None or seq < query.before_seq)
                and (query.start_at_ms is None or minute * 60_000 >= query.start_at_ms)
                and (query.end_at_ms is None or minute * 60_000 < query.end_at_ms)
            ):
                found.append(seq)
        return found[::-1][:limit]


worlds = st.builds(
    World,
    endpoints=st.lists(
        st.tuples(
            st.sampled_from((1, 1, PROJECTS)), st.booleans(), st.sampled_from((False, False, True))
        ),
        min_size=ENDPOINTS,
        max_size=ENDPOINTS,
    ),
    messages=st.lists(
        st.tuples(
            st.integers(1, ENDPOINTS),
            st.sampled_from(STATUSES),
            st.booleans(),
            st.integers(0, 3),
            st.sampled_from((False, False, False, True)),
        ),
        min_size=8,
        max_size=40,
    ),
)
queries: st.SearchStrategy[LogQuery] = st.builds(
    LogQuery,
    project_id=st.sampled_from(("p1", "p2", "p3")),
    limit=st.just(0),
    before_seq=st.none() | st.integers(1, 41),
    endpoint_id=st.none() | st.integers(1, ENDPOINTS).map(lambda no: f"e{no}"),
    status=st.none() | st.sampled_from(MessageStatus),
    deleted=st.sampled_from((None, None, False, True)),
    start_at_ms=st.none() | st.sampled_from((0, 1, 60_000, 120_001)),
    end_at_ms=st.none() | st.sampled_from((1, 60_000, 120_000, 240_000)),
)
MEANT: dict[str, Any] = {"limit": st.integers(1, 12), "world": worlds}


def parts_of_a_log(before_seq: int) -> list[dict[str, Any]]:
    """Return what else may be asked of each status: its place, its time, whether deleted."""
    return [
        {},
        {"before_seq": before_seq},
        {"start_at_ms": 60_000},
        {"end_at_ms": 120_000},
        {"deleted": True},
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(queries=st.lists(queries, min_size=1, max_size=5), **MEANT)
def test_every_query_finds_what_a_plain_reading_finds(
    empty: sqlite3.Connection,
    monkeypatch: pytest.MonkeyPatch,
    queries: list[LogQuery],
    limit: int,
    world: World,
) -> None:
    """Whether what waits on few endpoints is merged, or filtered out of the project's."""
    # Deleted waiting messages do not exist, so a selection by status never meets one.
    half = len(world.messages) // 2 + 1
    every = [
        *queries,
        *(
            LogQuery(project_id="p1", limit=0, status=status, **part)
            for status, part in itertools.product(MessageStatus, parts_of_a_log(half))
        ),
    ]
    empty.execute("BEGIN")
    try:
        in_flight = world.fill(empty)
        for query in every:
            for merged_max in (0, 2, 1000):
                monkeypatch.setattr(selection, "_MERGED_MAX", merged_max)
                found = selection.find_seqs(empty, query, in_flight=in_flight, limit=limit)
                assert found == world.plainly(query, limit=limit), (query, merged_max)
    finally:
        empty.execute("ROLLBACK")
