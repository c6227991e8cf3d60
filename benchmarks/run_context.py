"""What the parts of a run share: where, on which cores, how much, and who sends and receives."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self, TypeVar

import machine
from ours import Server, serving
from rounds import Rounds
from steps import Steps
from subjects import Relay
from workers import Cores, Worker

__all__ = ["Run"]

_T = TypeVar("_T")

_REPEATS_S = 90.0


class Run:
    """A run of the benchmark, as its parts see it.

    Attributes:
        folder: for databases and other files; removed at the end.
        cores: which core is whose.
        steps: told what is being done.
        load: the load generator.
        sink: the receiver.
        rounds: makes rounds with both.
        repeats_left_s: seconds that may still be spent on measuring again what other programs
            disturbed.
        faults: what must not be: a message lost, or recorded otherwise than it was delivered.
        remarks: what the reader must know to judge the figures: who disturbed, what was full.
        counts: what became of the messages that our servers accepted.
    """

    def __init__(
        self, *, folder: Path, cores: Cores, steps: Steps, load: Worker, sink: Worker, quick: bool
    ) -> None:
        self.folder = folder
        self.cores = cores
        self.steps = steps
        self.load = load
        self.sink = sink
        self.rounds = Rounds(load, sink)
        self.repeats_left_s = 0.0 if quick else _REPEATS_S
        self.faults: list[str] = []
        self.remarks: list[str] = []
        self.counts = {"accepted": 0, "succeeded": 0, "held": 0, "lost": 0}
        self._quick = quick
        self._servers = 0

    @classmethod
    @contextlib.contextmanager
    def opened(cls, *, chosen: str | None, steps: Steps, quick: bool) -> Iterator[Self]:
        """Start the load generator and the sink, on the core of this process; end them at last.

        Args:
            chosen: the folder in which the run's own is made; by default one on a disk.
            steps: told what is being done.
            quick: measure less.
        """
        cores = Cores()
        cores.take_place()
        parent = machine.working_folder(chosen)
        with (
            tempfile.TemporaryDirectory(prefix="sluicegate-bench-", dir=parent) as folder,
            Worker.run("sink", core=cores.others) as sink,
            Worker.run("load", core=cores.others) as load,
        ):
            yield cls(
                folder=Path(folder), cores=cores, steps=steps, load=load, sink=sink, quick=quick
            )

    def sized(self, full: _T, *, quick: _T) -> _T:
        """Return `full`, or `quick` in a quick run."""
        return quick if self._quick else full

    @property
    def sink_url(self) -> str:
        """The URL of the receiver, to which anything may be added."""
        return f"http://127.0.0.1:{self.sink.ready['port']}/hook"

    @contextlib.contextmanager
    def relay(self) -> Iterator[Relay]:
        """Run the baseline."""
        with Worker.run("relay", self.sink_url, core=self.cores.subject) as worker:
            yield Relay(worker)

    @contextlib.contextmanager
    def serving(self) -> Iterator[Server]:
        """Run a server of ours on a new database, and check the file when all is done.

        Every message that the server `accepted` must then be delivered and recorded, or wait.
        """
        self._servers += 1
        place = self.folder / f"server-{self._servers}"
        place.mkdir()
        with serving(place, core=self.cores.subject) as server:
            yield server
            stored = server.stop()
        succeeded, held = stored.get("succeeded", 0), stored.get("queued", 0)
        lost = server.accepted - succeeded - held
        if lost:
            self.faults.append(f"{server.accepted} accepted, but the database holds {stored}")
        for name, count in (
            ("accepted", server.accepted),
            ("succeeded", succeeded),
            ("held", held),
            ("lost", lost),
        ):
            self.counts[name] += count
