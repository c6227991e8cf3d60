"""What a query costs must not grow with what is stored: each finds its rows by an index."""

import re
import sqlite3
from collections.abc import Iterator
from itertools import product

import pytest

from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.ports import LogQuery
from sluicegate.storage import (
    activity,
    activity_packing,
    export_reads,
    export_writes,
    heads,
    overview_storage,
    retention_storage,
    retention_writes,
    schema,
    selection,
    waiting,
)

SORTED = "USE TEMP B-TREE FOR ORDER BY"


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    """An empty database of the newest schema."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(db, version=0)
    yield db
    db.close()


def plan_of(db: sqlite3.Connection, sql: str) -> list[str]:
    """Return the steps of SQLite's plan."""
    parameters = dict.fromkeys(re.findall(r":(\w+)", sql), 0)
    return [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]


def assert_no_walk(steps: list[str]) -> None:
    """Check that no step reads a whole table of messages, payloads or attempts."""
    assert any(step.startswith("SEARCH m USING") for step in steps), steps
    for step in steps:
        assert not re.match(r"SCAN (m|p|a|messages|payloads|attempts)\b", step), steps


@pytest.mark.parametrize(
    "sql",
    [
        waiting.LOAD_QUEUED,
        waiting.LOAD_RETRIES_DUE,
        waiting.LOAD_RETRIES_IN_ORDER,
        heads.QUEUED,
        heads.DUE,
    ],
)
def test_the_delivery_loop_reads_in_the_order_of_an_index(db: sqlite3.Connection, sql: str) -> None:
    """A window of 64 is read in the same time whether 64 or 1,000,000 wait."""
    steps = plan_of(db, sql)
    assert_no_walk(steps)
    assert SORTED not in steps


@pytest.mark.parametrize("sql", [export_reads.WINDOW_END, export_reads.EXPORT_ROWS])
def test_a_page_of_an_export_is_read_in_the_order_of_acceptance(
    db: sqlite3.Connection, sql: str
) -> None:
    """From where the page before ended, by the messages' own key: no page costs more."""
    steps = plan_of(db, sql)
    assert_no_walk(steps)
    assert "SEARCH m USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in steps
    assert SORTED not in steps


def test_the_next_export_is_found_by_an_index(db: sqlite3.Connection) -> None:
    """It is looked for before each piece, however many exports are kept."""
    steps = plan_of(db, export_reads.NEXT_EXPORT)
    assert "SEARCH x USING INDEX exports_unfinished (status=?)" in steps
    assert SORTED not in steps


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        (export_writes.LIVE, "exports_live (project_no=?)"),
        (export_writes.EXPIRE, "exports_completed (expires_at_ms<?)"),
        (export_reads.EXPORT_TIMES, "exports_completed"),
        (export_reads.EXPORT_TIMES, "exports_over"),
        (export_writes.FORGET, "exports_over (created_at_ms<?)"),
    ],
)
def test_what_is_written_about_exports_is_found_by_an_index(
    db: sqlite3.Connection, sql: str, index: str
) -> None:
    """A write is short, whatever is kept."""
    steps = plan_of(db, sql)
    assert any(step.endswith(f"INDEX {index}") for step in steps), steps
    assert SORTED not in steps


def test_work_is_found_by_the_endpoints_counts(db: sqlite3.Connection) -> None:
    """Messages are touched only through an index, of endpoints that have any."""
    assert_no_walk(plan_of(db, waiting.WORK))


@pytest.mark.parametrize("sql", overview_storage.OVERVIEW_QUERIES)
def test_monitoring_walks_counts_of_endpoints_and_no_messages(
    db: sqlite3.Connection, sql: str
) -> None:
    """A scrape costs the same whether 1,000 or 1,000,000 messages are stored."""
    steps = plan_of(db, sql)
    assert steps
    for step in steps:
        assert not re.match(r"SCAN (m|messages|payloads|attempts)\b", step), steps
        assert "TEMP B-TREE FOR ORDER BY" not in step, steps
        if re.match(r"SEARCH messages\b", step):
            assert re.search(
                r"\((endpoint_no=\?|project_no=\? AND status=\? AND <expr>=\?)\)", step
            ), steps


@pytest.mark.parametrize(
    "sql", [retention_writes.EXPIRED, retention_writes.PAST_HISTORY, retention_storage.NEXT_CLASS]
)
def test_what_is_past_its_time_is_found_in_the_order_of_an_index(
    db: sqlite3.Connection, sql: str
) -> None:
    """A sweep costs what it removes, not what is stored."""
    [step] = plan_of(db, sql)
    assert step.startswith("SEARCH messages USING INDEX messages_by_retention (retention_class")
    if sql != retention_storage.NEXT_CLASS:
        assert step.endswith("(retention_class=? AND updated_at_ms<?)")


@pytest.mark.parametrize(
    ("endpoint_id", "status", "bound_ms", "deleted"),
    list(product((None, "ep_x"), (None, *MessageStatus), (None, 1), (None, False))),
)
def test_a_page_of_the_log_is_read_in_the_order_of_indexes(
    db: sqlite3.Connection,
    endpoint_id: str | None,
    status: MessageStatus | None,
    bound_ms: int | None,
    *,
    deleted: bool | None,
) -> None:
    """Newest first without a sort, and not past deleted ones that are not wanted."""
    query = LogQuery(
        project_id="p",
        limit=1,
        endpoint_id=endpoint_id,
        status=status,
        start_at_ms=bound_ms,
        end_at_ms=bound_ms,
        deleted=deleted,
    )
    finding = plan_of(db, selection.seqs_sql(query))
    assert_no_walk(finding)
    for step in finding:
        if re.search(r"INDEX messages_(by_status|finished)", step):
            assert "status=? AND <expr>=? AND seq>? AND seq<?" in step
    if endpoint_id is None and status is MessageStatus.FAILED_PERMANENT:
        # What waits on deleted endpoints is swept at once: there is next to nothing to sort.
        orphans = [step for step in finding if step == SORTED]
        assert len(orphans) == 2
    else:
        assert SORTED not in finding


def test_activity_is_read_from_one_minute_with_rows_to_the_next(db: sqlite3.Connection) -> None:
    """However many endpoints have rows in the same minutes: each step is a search by key."""
    steps = plan_of(db, activity.ACTIVITY)
    assert steps.count("SEARCH a USING PRIMARY KEY (minute>?)") == 1
    key = "(minute=? AND project_no=? AND endpoint_no=?)"
    assert steps.count(f"SEARCH a USING PRIMARY KEY {key}") == 1
    assert not [step for step in steps if step.startswith("SCAN") and step != "SCAN stored"]


def test_rows_to_be_packed_are_found_by_their_minute(db: sqlite3.Connection) -> None:
    """A piece of the chore costs what it moves."""
    sql = activity_packing.OLD_ROWS.replace("?", ":x")
    assert plan_of(db, sql) == ["SEARCH activity USING PRIMARY KEY (minute=?)"]
