"""The outboxes that the setting `outboxes` names."""

from collections.abc import Iterator

from sluicegate.engine.errors import SettingError
from sluicegate.engine.ports import Clock
from sluicegate.engine.settings import Settings
from sluicegate.outbox.source import Source
from sluicegate.outbox.sqlite_source import SqliteOutbox
from sluicegate.storage.database_file import real_path

__all__ = ["foreign_sources"]

_SQLITE = "sqlite:///"


def foreign_sources(settings: Settings, *, clock: Clock) -> list[Source]:
    """Return the outbox of each database that is named; nothing is opened.

    Raises:
        SettingError: one is named twice, or is the engine's own file.
    """
    taken = {real_path(settings.database)}
    sources: list[Source] = list(_sources(settings, clock=clock))
    for source in sources:
        if source.name in taken:
            raise SettingError(
                f"outboxes: {source.name} is named twice, or the engine's own database",
                details={"setting": "outboxes"},
            )
        taken.add(source.name)
    return sources


def _sources(settings: Settings, *, clock: Clock) -> Iterator[Source]:
    for url in settings.outboxes:
        path = real_path(url.removeprefix(_SQLITE))
        yield SqliteOutbox(path, clock=clock, poll_s=settings.outbox_poll_s)
