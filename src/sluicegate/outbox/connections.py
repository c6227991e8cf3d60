"""Which kind of connection the host has given: only what is loaded already is asked."""

import sqlite3
import sys
from typing import Any, cast

import aiosqlite

from sluicegate.outbox.host import AiosqliteHost, AsyncHost, Host, SqliteHost
from sluicegate.outbox.host_drivers import (
    AlchemyHost,
    AsyncAlchemyHost,
    AsyncPsycopgHost,
    DjangoHost,
    PsycopgHost,
)

__all__ = ["KINDS", "async_host_of", "host_of"]

KINDS = "sqlite3, aiosqlite, psycopg, SQLAlchemy or Django"
"""For errors."""


def host_of(connection: object) -> Host | None:
    """Return what writes on a blocking connection; `None` if it is none."""
    given = cast("Any", connection)
    if isinstance(connection, sqlite3.Connection):
        return SqliteHost(connection)
    if _is_of(connection, "psycopg", "Connection"):
        return PsycopgHost(given)
    if _is_of(connection, "sqlalchemy", "Connection"):
        return AlchemyHost(given, session=False)
    if _is_of(connection, "sqlalchemy.orm", "Session", "scoped_session"):
        return AlchemyHost(given, session=True)
    if _is_of(connection, "django.db.backends.base.base", "BaseDatabaseWrapper") or _is_of(
        connection, "django.utils.connection", "ConnectionProxy"
    ):
        return DjangoHost(given)
    return None


def async_host_of(connection: object) -> AsyncHost | None:
    """Return what writes on an asynchronous connection; `None` if it is none."""
    given = cast("Any", connection)
    if isinstance(connection, aiosqlite.Connection):
        return AiosqliteHost(connection)
    if _is_of(connection, "psycopg", "AsyncConnection"):
        return AsyncPsycopgHost(given)
    if _is_of(connection, "sqlalchemy.ext.asyncio", "AsyncConnection"):
        return AsyncAlchemyHost(given, session=False)
    if _is_of(connection, "sqlalchemy.ext.asyncio", "AsyncSession"):
        return AsyncAlchemyHost(given, session=True)
    return None


def _is_of(connection: object, module: str, *names: str) -> bool:
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(
        connection, tuple(getattr(loaded, name) for name in names)
    )
