"""What every part of the storage shares: how it writes, how it reads, and what it was given."""

from typing import TypeVar

from sluicegate.engine.errors import UnavailableError
from sluicegate.storage.readers import Readers
from sluicegate.storage.secret_box import SecretBox
from sluicegate.storage.writer import Writer
from sluicegate.storage.writes import Write

__all__ = ["Access"]

_R = TypeVar("_R")


class Access:
    """The writer and the readers of an open database. `SqliteStorage` opens them.

    Each part of the storage is a class of its own that inherits from this one.
    """

    _box: SecretBox
    _window_payload_bytes_max: int
    _writer: Writer | None = None
    _readers: Readers | None = None

    @property
    def _writing(self) -> Writer:
        if self._writer is None:
            raise UnavailableError("the storage is not open")
        return self._writer

    async def _write(self, write: Write[_R]) -> _R:
        return await self._writing.write(write)

    @property
    def _read(self) -> Readers:
        if self._readers is None:
            raise UnavailableError("the storage is not open")
        return self._readers
