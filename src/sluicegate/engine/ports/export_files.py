"""The port to the files of exports."""

from collections.abc import Sequence
from typing import Protocol

from sluicegate.engine.errors import SluicegateError

__all__ = ["ExportFileError", "ExportFiles"]


class ExportFileError(SluicegateError):
    """A file could not be written: its message, for people, says why. A fault of the disk."""


class ExportFiles(Protocol):
    """One file for each export, in a folder that is this engine's alone.

    A file is begun, appended to and finished; only then it has its own name. Nothing here blocks
    the loop, and what is asked for is done in the order of asking, one after the other.
    """

    async def begin(self, export_id: str, text: bytes) -> None:
        """Begin a file anew, with `text`.

        Raises:
            ExportFileError: the disk is full (nearly), or failed.
        """
        ...

    async def append(self, export_id: str, text: bytes) -> None:
        """Write more into a file that was begun.

        Raises:
            ExportFileError: as `begin`; or the file is gone.
        """
        ...

    async def finish(self, export_id: str) -> None:
        """Give a file its name; when this returns it would survive power loss. Twice is fine.

        Raises:
            ExportFileError: as `append`.
        """
        ...

    async def remove(self, export_id: str) -> None:
        """Remove a file, finished or not, if there is one. A failure is logged, not raised."""
        ...

    async def path(self, export_id: str) -> str | None:
        """Return where a finished file is; `None` when there is none."""
        ...

    async def names(self) -> Sequence[str]:
        """Return the ids of all exports of which there is a file, finished or not."""
        ...

    async def close(self) -> None:
        """Wait until what runs has ended, and take no more. Twice is fine."""
        ...
