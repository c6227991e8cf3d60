"""Where Django's own databases are, as the setting `outboxes` has it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.db import connections

from sluicegate.engine.errors import SettingError

__all__ = ["outbox_urls"]

_LIBPQ_NAMES = {
    "HOST": "host",
    "PORT": "port",
    "NAME": "dbname",
    "USER": "user",
    "PASSWORD": "password",
}
_LIBPQ_OPTIONS = frozenset(
    {"connect_timeout", "options", "passfile", "service", "target_session_attrs"}
)


def outbox_urls(named: object) -> tuple[str, ...]:
    """Return the URL of each database: of an alias in `DATABASES`, or a URL as it is.

    Raises:
        SettingError: there is no such alias, or no outbox can be in such a database.
        TypeError: it is no list of texts.
    """
    if isinstance(named, str) or not isinstance(named, list | tuple):
        raise TypeError("outboxes: must be a list of aliases in DATABASES, or of URLs")
    return tuple(str(each) if "://" in str(each) else _url_of(str(each)) for each in named)


def _url_of(alias: str) -> str:
    try:
        database = connections.settings[alias]
    except KeyError:
        raise SettingError(f"outboxes: there is no {alias!r} in DATABASES") from None
    engine = str(database.get("ENGINE", ""))
    if "sqlite" in engine or "spatialite" in engine:
        return f"sqlite:///{database['NAME']}"
    if "postg" in engine:  # postgresql, postgis
        return f"postgresql:///?{urlencode(_libpq(database))}"
    raise SettingError(f"outboxes: {alias} is {engine}, and must be SQLite or PostgreSQL")


def _libpq(database: Mapping[str, Any]) -> dict[str, str]:
    given = {_LIBPQ_NAMES[name]: database.get(name) for name in _LIBPQ_NAMES}
    options = database.get("OPTIONS", {})
    given |= {
        name: options[name] for name in options if name in _LIBPQ_OPTIONS or name.startswith("ssl")
    }
    return {name: str(value) for name, value in given.items() if value}
