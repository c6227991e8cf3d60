"""The tables of an outbox, for each kind of database that may have one.

`sluicegate_outbox` holds what waits, in the order of writing; `sluicegate_outbox_refused` what the
engine refused, apart, so that it is in nobody's way; `sluicegate_outbox_meta` one row: which outbox
this is, and which engine empties it (by its first project), once one does.
"""

import sqlite3
from typing import Literal, cast, get_args

from sluicegate.engine.errors import OutboxError

__all__ = [
    "CHANNEL",
    "MISSING",
    "Dialect",
    "dialect_of",
    "drop_statements",
    "is_missing",
    "outbox_sql",
    "statements",
    "tables",
]

Dialect = Literal["sqlite", "postgresql"]
"""A kind of database that an outbox can be in."""

CHANNEL = "sluicegate_outbox"
"""What PostgreSQL notifies on when something was written, as soon as it is committed."""

MISSING = (
    "the database has no tables for an outbox: create them with "
    "`engine.outbox(connection).create_tables()`, or put what `sluicegate outbox-sql` prints into "
    "your migrations"
)
"""What to tell whoever finds none."""

_UNDEFINED_TABLE = "42P01"
"""https://www.postgresql.org/docs/current/errcodes-appendix.html."""
_COLUMNS = """
    id TEXT NOT NULL UNIQUE,
    endpoint_id TEXT NOT NULL,
    payload {bytes} NOT NULL,
    headers TEXT, -- a JSON object of texts
    idempotency_key TEXT,
    retention_hours {int},
    accepted_at_ms {int} NOT NULL -- milliseconds since the Unix epoch
)"""
_TABLES = (
    f"CREATE TABLE IF NOT EXISTS sluicegate_outbox (\n    no {{key}},{_COLUMNS}",
    f"""CREATE TABLE IF NOT EXISTS sluicegate_outbox_refused (
    refused_at_ms {{int}} NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,{_COLUMNS}""",
    # `only` is a word of PostgreSQL's own.
    """CREATE TABLE IF NOT EXISTS sluicegate_outbox_meta (
    "only" {int} PRIMARY KEY CHECK ("only" = 1),
    outbox_id TEXT NOT NULL,
    engine_id TEXT
)""",
)
_TYPES = {
    "sqlite": {"bytes": "BLOB", "int": "INTEGER", "key": "INTEGER PRIMARY KEY"},
    "postgresql": {
        "bytes": "BYTEA",
        "int": "BIGINT",
        "key": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    },
}
_RANDOM_ID = {
    "sqlite": "lower(hex(randomblob(16)))",
    "postgresql": "replace(gen_random_uuid()::text, '-', '')",
}
_NAMED = """INSERT INTO sluicegate_outbox_meta ("only", outbox_id)
    VALUES (1, {}) ON CONFLICT DO NOTHING"""
_BELL = (
    f"""CREATE OR REPLACE FUNCTION sluicegate_outbox_written() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('{CHANNEL}', '');
    RETURN NULL;
END $$""",
    """CREATE OR REPLACE TRIGGER sluicegate_outbox_written AFTER INSERT ON sluicegate_outbox
    FOR EACH STATEMENT EXECUTE FUNCTION sluicegate_outbox_written()""",
)


def dialect_of(name: str) -> Dialect:
    """Return the kind of database that SQLAlchemy and Django have under this name.

    Raises:
        OutboxError: no outbox can be in such a database.
    """
    for known in get_args(Dialect):
        if name == known:
            return cast("Dialect", known)
    raise OutboxError(f"an outbox can be in SQLite or PostgreSQL, not in {name}")


def tables(dialect: Dialect) -> tuple[str, ...]:
    """Return the statements that create the tables alone, where they are missing."""
    return tuple(each.format_map(_TYPES[dialect]) for each in _TABLES)


def statements(dialect: Dialect) -> tuple[str, ...]:
    """Return the statements that make an outbox. They change nothing where there is one."""
    bell = _BELL if dialect == "postgresql" else ()
    return (*tables(dialect), *bell, _NAMED.format(_RANDOM_ID[dialect]))


def drop_statements(dialect: Dialect) -> tuple[str, ...]:
    """Return the statements that remove an outbox, with what waits in it."""
    named = ("sluicegate_outbox", "sluicegate_outbox_refused", "sluicegate_outbox_meta")
    bell = ("DROP FUNCTION IF EXISTS sluicegate_outbox_written",)
    return (
        *(f"DROP TABLE IF EXISTS {table}" for table in named),
        *(bell if dialect == "postgresql" else ()),
    )


def outbox_sql(dialect: Dialect) -> str:
    """Return them as one text, for a host's own migrations."""
    return ";\n\n".join(statements(dialect)) + ";\n"


def is_missing(error: BaseException) -> bool:
    """Say whether a statement about an outbox failed because there are no tables of one.

    Args:
        error: as the driver raised it, or as SQLAlchemy or Django wrapped it.
    """
    return any(
        getattr(each, "sqlstate", getattr(each, "pgcode", None)) == _UNDEFINED_TABLE
        or (isinstance(each, sqlite3.OperationalError) and "no such table: slu" in str(each))
        for each in (error, getattr(error, "orig", None), error.__cause__)
        if each is not None
    )
