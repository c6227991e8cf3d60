"""The outboxes that the setting `outboxes` names."""

from collections.abc import Callable

from sluicegate.engine.errors import SettingError
from sluicegate.engine.ports import Clock
from sluicegate.engine.settings import Settings
from sluicegate.forks import LOADING
from sluicegate.outbox.source import Source
from sluicegate.outbox.sqlite_source import SqliteOutbox
from sluicegate.storage.database_file import real_path

__all__ = ["foreign_sources", "sqlite_path"]

_SQLITE = "sqlite:///"


def foreign_sources(settings: Settings, *, clock: Clock) -> list[Source]:
    """Return the outbox of each database that is named; nothing is opened.

    Raises:
        SettingError: one is named twice, is the engine's own file, or needs a package that is
            not installed.
    """
    taken = {real_path(settings.database)}
    sources: list[Source] = []
    for url in settings.outboxes:
        path = sqlite_path(url)
        place = url if path is None else path
        make = _postgresql() if path is None else SqliteOutbox
        sources.append(make(place, clock=clock, poll_s=settings.outbox_poll_s))
        if place in taken:
            raise SettingError(
                f"outboxes: {sources[-1].name} is named twice, or the engine's own database",
                details={"setting": "outboxes"},
            )
        taken.add(place)
    return sources


def sqlite_path(url: str) -> str | None:
    """Return the real path of the SQLite file that an outbox is in; `None`: it is in no file."""
    return real_path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None


def _postgresql() -> Callable[..., Source]:
    try:
        with LOADING:
            from sluicegate.outbox.postgresql_source import PostgresqlOutbox  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SettingError(
            "outboxes: PostgreSQL needs psycopg, `pip install 'sluicegate[outbox-postgresql]'`"
            f" and libpq ({error})",
            details={"setting": "outboxes"},
        ) from None
    return PostgresqlOutbox
