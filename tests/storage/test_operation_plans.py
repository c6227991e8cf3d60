"""What is done to messages later is found by an index too, however many messages there are."""

import re
import sqlite3
from collections.abc import Callable, Iterator

import pytest
from tests.storage.test_plans import SORTED, assert_no_walk

from sluicegate.storage import operation_writes, replayable, schema, selection


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    """An empty database of the newest schema."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(db, version=0)
    yield db
    db.close()


def plan_of(db: sqlite3.Connection, sql: str) -> list[str]:
    """Return the steps of SQLite's plan; the parameters are named, or are not."""
    named = dict.fromkeys(re.findall(r":(\w+)", sql), 0)
    values = named or (0,) * sql.count("?")
    return [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


@pytest.mark.parametrize("of_endpoint", [False, True])
@pytest.mark.parametrize(
    ("sql_of", "index"),
    [
        (replayable.failed_sql, "messages_replayable"),
        (replayable.slow_sql, "messages_retry_in_order"),
    ],
)
def test_what_a_bulk_replay_means_is_read_in_the_order_of_an_index(
    db: sqlite3.Connection, sql_of: Callable[..., str], index: str, *, of_endpoint: bool
) -> None:
    """Endpoint by endpoint, from those that count any; without a sort, up to the limit."""
    steps = plan_of(db, sql_of(of_endpoint=of_endpoint))
    assert_no_walk(steps)
    assert any(f"INDEX {index} (endpoint_no=?" in step for step in steps), steps
    assert SORTED not in steps
    assert not any(re.match(r"SCAN (e|endpoints)\b", step) for step in steps), steps


@pytest.mark.parametrize(
    "statement",
    [
        operation_writes._GET,  # noqa: SLF001 - what is asked of the database is looked at
        operation_writes._REPLAY,  # noqa: SLF001 - same
        operation_writes._HASTEN,  # noqa: SLF001 - same
        operation_writes._GIVE_UP,  # noqa: SLF001 - same
        operation_writes._MARK_DELETED,  # noqa: SLF001 - same
        replayable._FIND,  # noqa: SLF001 - same
    ],
)
def test_one_message_is_found_by_its_id_or_number(db: sqlite3.Connection, statement: str) -> None:
    """Nothing that is done to a message depends on how many there are."""
    steps = plan_of(db, statement)
    assert all(step.startswith(("SEARCH", "SCALAR", "CORRELATED")) for step in steps), steps
    assert any(re.match(r"SEARCH (m|messages) USING", step) for step in steps), steps


@pytest.mark.parametrize("paused", [False, True])
def test_endpoints_that_messages_wait_on_are_found_by_what_they_count(
    db: sqlite3.Connection, *, paused: bool
) -> None:
    """Messages are not looked at; and of paused endpoints no other endpoint either."""
    sql = selection._PAUSED_WITH_WAITING if paused else selection._WITH_WAITING  # noqa: SLF001 - same
    steps = plan_of(db, sql)
    assert not any("messages" in step for step in steps), steps
    if paused:
        assert steps[0] == "SEARCH e USING INDEX endpoints_paused (project_no=?)"
        assert steps[1].startswith("SEARCH l USING INTEGER PRIMARY KEY")
