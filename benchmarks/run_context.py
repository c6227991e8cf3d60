"""What the parts of a run share: where, on which cores, how much, and who sends and receives."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar

import machine
import trustme
from ours import DATABASE, Server, serving
from rounds import Rounds
from steps import Steps
from stored import FIRST_STORED, Owner, make_database
from subjects import Floor, Relay
from workers import Cores, Worker

__all__ = ["Run"]

_T = TypeVar("_T")

_REPEATS_S = 90.0
_CA = "authority.pem"


class Run:
    """A run of the benchmark, as its parts see it.

    Attributes:
        folder: for databases and other files; removed at the end.
        cores: which core is whose.
        steps: told what is being done.
        load: the load generator.
        sink: the receiver.
        peers_folder: where the packages of the peers are kept.
        rounds: makes rounds with both.
        repeats_left_s: seconds that may still be spent on measuring again what other programs
            disturbed.
        faults: what must not be: a message lost, or recorded otherwise than it was delivered.
        remarks: what the reader must know to judge the figures: who disturbed, what was full.
        counts: what became of the messages that our servers accepted.
    """

    def __init__(
        self,
        *,
        folder: Path,
        peers_folder: Path,
        cores: Cores,
        steps: Steps,
        load: Worker,
        sink: Worker,
        quick: bool,
    ) -> None:
        self.folder = folder
        self.cores = cores
        self.steps = steps
        self.load = load
        self.sink = sink
        self.peers_folder = peers_folder
        self.rounds = Rounds(load, sink)
        self.repeats_left_s = 0.0 if quick else _REPEATS_S
        self.faults: list[str] = []
        self.remarks: list[str] = []
        self.counts = {"accepted": 0, "succeeded": 0, "held": 0, "lost": 0}
        self._quick = quick

    @classmethod
    @contextlib.contextmanager
    def opened(
        cls, *, chosen: str | None, peers_folder: Path, steps: Steps, quick: bool
    ) -> Iterator[Self]:
        """Start the load generator and the sink, on the core of this process; end them at last.

        Args:
            chosen: the folder in which the run's own is made; by default one on a disk.
            peers_folder: see the attribute.
            steps: told what is being done.
            quick: measure less.
        """
        cores = Cores()
        cores.take_place()
        parent = machine.working_folder(chosen)
        with tempfile.TemporaryDirectory(prefix="sluicegate-bench-", dir=parent) as name:
            folder = Path(name)
            certificate = _certify(folder)
            with (
                Worker.run("sink", str(certificate), core=cores.others) as sink,
                Worker.run("load", core=cores.others) as load,
            ):
                yield cls(
                    folder=folder,
                    peers_folder=peers_folder,
                    cores=cores,
                    steps=steps,
                    load=load,
                    sink=sink,
                    quick=quick,
                )

    def sized(self, full: _T, *, quick: _T) -> _T:
        """Return `full`, or `quick` in a quick run."""
        return quick if self._quick else full

    @property
    def sink_url(self) -> str:
        """The URL of the receiver that needs no TLS and keeps connections.

        Anything may be added to it, as to those of `receiver`.
        """
        return self.receiver("http")

    def receiver(self, kind: str) -> str:
        """Return the URL of a receiver.

        Args:
            kind: `http` or `https`; with ` closing`, it closes the connection after each answer.
        """
        return str(self.sink.ready["urls"][kind])

    @contextlib.contextmanager
    def relay(self, *, name: str = "aiohttp relay", receiver: str = "http") -> Iterator[Relay]:
        """Run the baseline; `receiver` as for `receiver`."""
        arguments = (self.receiver(receiver), str(self.folder / _CA))
        with Worker.run("relay", *arguments, core=self.cores.subject) as worker:
            yield Relay(worker, name=name)

    @contextlib.contextmanager
    def floor(self) -> Iterator[Floor]:
        """Run the least that keeps the promise."""
        database, core = self.new_folder() / DATABASE, self.cores.subject
        with Floor.run(database, self.sink_url, name="the floor", core=core) as floor:
            yield floor

    @contextlib.contextmanager
    def serving(
        self, owners: Sequence[Owner] = (), *, first: int = FIRST_STORED, **settings: object
    ) -> Iterator[Server]:
        """Run a server of ours, which trusts the sink, and check its database when all is done.

        Every message that its ledger counts as accepted must then be delivered and recorded, or
        wait.

        Args:
            owners: endpoints that the database holds at the start, with messages that wait.
            first: the number of the first of these messages.
            settings: those that are not the defaults.
        """
        place = self.new_folder()
        stored_ids = make_database(place / DATABASE, owners, first=first) if owners else []
        settings["tls_ca_file"] = self.folder / _CA
        with serving(place, core=self.cores.subject, settings=settings) as server:
            server.stored_ids = stored_ids
            server.ledger.accepted = sum(owner.waiting for owner in owners)
            yield server
            self.check(server.ledger.accepted, server.stop())

    def new_folder(self) -> Path:
        """Return a new folder within the run's."""
        return Path(tempfile.mkdtemp(dir=self.folder))

    def check(self, accepted: int, stored: Mapping[str, int]) -> None:
        """Compare what was accepted with what a database holds, and count it.

        Args:
            accepted: how many messages.
            stored: how many there are, by status.
        """
        succeeded, held = stored.get("succeeded", 0), stored.get("queued", 0)
        held += stored.get("pending_retry", 0)
        lost = accepted - succeeded - held
        if lost:
            self.faults.append(f"{accepted} accepted, but the database holds {dict(stored)}")
        counts = {"accepted": accepted, "succeeded": succeeded, "held": held, "lost": lost}
        for name, count in counts.items():
            self.counts[name] += count


def _certify(folder: Path) -> Path:
    """Make an authority, `_CA`, and a certificate for the sink; return that one's file."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / _CA)
    certificate = folder / "sink.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
    return certificate
