"""A peer as what is measured, and what a reader must know of it."""

import contextlib
import time
from collections.abc import Callable
from typing import NamedTuple

from subjects import Subject
from wire import Job
from workers import BenchmarkError, Cpu

from peers.programs import Place

__all__ = ["PATH", "Kind", "Peer"]

PATH = "/enqueue"
"""Where each peer's front takes messages, one a request."""
_SETTLED_EVERY_S = 0.005


class Peer(Subject):
    """Something that takes messages over HTTP, keeps them, and posts them to the sink."""

    def __init__(
        self, cpu: Cpu, *, name: str, port: int, left: Callable[[], int], rehearsal: int = 0
    ) -> None:
        """Describe a running peer.

        Args:
            cpu: of all its programs.
            name: see `Subject`.
            port: its front's.
            left: returns how many messages it still keeps, not yet acknowledged as delivered.
            rehearsal: how many messages it must have seen before it is as fast as it can be.
        """
        super().__init__(cpu, name=name)
        self.rehearsal = rehearsal
        self._port = port
        self._left = left

    def target(self) -> Job:
        """See `Subject.target`: the body is the payload."""
        return {"port": self._port, "path": PATH, "headers": [], "openings": [""], "closing": ""}

    def accept(self, count: int) -> None:
        """Keep nothing: the rounds alone check it, and `settle`."""

    def settle(self, *, timeout_s: float) -> None:
        """Wait until it has acknowledged every message to itself and keeps none."""
        deadline_s = time.monotonic() + timeout_s
        while (left := self._left()) > 0:
            if time.monotonic() > deadline_s:
                raise BenchmarkError(f"{self.name}: {left} messages were not acknowledged")
            time.sleep(_SETTLED_EVERY_S)


class Kind(NamedTuple):
    """A peer that can be opened."""

    name: str
    packages: tuple[str, ...]
    """Those whose versions matter, as `Stock.versions` names them."""
    accepts: str
    """What is done, and how durably, before the producer is answered."""
    delivers: str
    opened: Callable[[Place], contextlib.AbstractContextManager[Peer]]
