"""The files of one machine, and what a crash leaves of them."""

import random
import shutil
from pathlib import Path

from sluicegate.simulation.disk.descriptors import Descriptors
from sluicegate.simulation.disk.tearing import torn, torn_in_place
from sluicegate.simulation.trace import Trace

__all__ = ["Files"]

_DATABASE = "sluicegate.db"
_PAGE_BYTES = 4096
_SECTOR_BYTES = 512
_PARTIAL = ".part"
_RESERVE = ".reserve"


class Files:
    """A folder with a database and what stands beside it; a new one after each crash.

    Attributes:
        folder: where they are now.
        synced_log: the log's content as of the last sync, if it has changed since.
    """

    def __init__(self, root: Path, chance: random.Random, trace: Trace) -> None:
        """Begin empty, within an existing empty folder."""
        self._root = root
        self._random = chance
        self._trace = trace
        self._generation = 0
        self._left: dict[Path, bytes] = {}
        self._descriptors = Descriptors(root)
        self.folder = self._make_folder()
        self.synced_log: bytes | None = None

    @property
    def database(self) -> Path:
        """The database file."""
        return self.folder / _DATABASE

    @property
    def log(self) -> Path:
        """The write-ahead log; there may be none."""
        return self.folder / f"{_DATABASE}-wal"

    def log_bytes(self) -> bytes:
        """Return what is in the log."""
        return self.log.read_bytes() if self.log.exists() else b""

    # -- deaths in the middle ---------------------------------------------------------------------

    def tear_log(self, before: bytes, *, power_loss: bool) -> None:
        """Let the crash to come leave a part of what was logged after `before`."""
        if power_loss and self.synced_log is not None:
            before = self.synced_log
        self._left[self.log] = torn(before, self.log_bytes(), chance=self._random, whole=power_loss)

    def tear_database(self, before: bytes, *, power_loss: bool) -> None:
        """Let the crash to come leave a part of what a checkpoint did to the file `before`."""
        self._left[self.database] = torn_in_place(
            before,
            self.database.read_bytes(),
            chance=self._random,
            piece_bytes=_SECTOR_BYTES if power_loss else _PAGE_BYTES,
        )

    # -- crashes --------------------------------------------------------------------------------

    def survive(self, *, power_loss: bool) -> Path:
        """Go on in a new folder with what a crash leaves; return the old one, to be `bury`ed."""
        before, left, log = self.folder, self._left, self.log
        if power_loss and self.synced_log is not None and log not in left and log.exists():
            written = log.read_bytes()
            left[log] = torn(self.synced_log, written, chance=self._random, whole=True)
            self._trace.note("disk.tore", len(written) - len(self.synced_log))
        self._generation += 1
        self.folder = self._make_folder()
        self._left = {}
        for file in sorted(before.rglob("*")):
            there = self.folder / file.relative_to(before)
            if file.is_dir():
                there.mkdir(mode=0o700)
            elif file in left:
                there.write_bytes(left[file])
            elif power_loss and file.suffix == _PARTIAL:
                content = file.read_bytes()
                there.write_bytes(content[: self._random.randint(0, len(content))])
            elif power_loss and file.suffix == _RESERVE and self._random.random() < 0.5:  # noqa: PLR2004 - a coin
                continue
            elif not file.name.endswith("-shm"):
                shutil.copy(file, there)
        if power_loss:
            self.synced_log = None
        return before

    def bury(self, folder: Path) -> None:
        """Close what the dead had open in a folder, and remove it."""
        self._descriptors.close_all_in(folder)
        shutil.rmtree(folder)

    def remove(self) -> None:
        """Remove everything. Nothing of the dead may run any more."""
        if self._root.exists():
            self.bury(self.folder)
            self._descriptors.bury()
            shutil.rmtree(self._root)

    def _make_folder(self) -> Path:
        folder = self._root / f"life-{self._generation}"
        folder.mkdir(mode=0o700)
        return folder
