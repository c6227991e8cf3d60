"""What the resolver's threads do, done inline at virtual moments."""

from collections.abc import Callable

from sluicegate.simulation.loop import SimulationLoop

__all__ = ["VirtualThreads"]


class VirtualThreads:
    """Runs blocking calls inline, each when its time is over.

    Implements `sluicegate.http.outbound.threads.Threads`, without a limit of how many run at once.
    """

    def __init__(self, loop: SimulationLoop, takes_s: Callable[[], float]) -> None:
        """Take how long each call takes, in virtual seconds."""
        self._loop = loop
        self._takes_s = takes_s
        self._closed = False

    def submit(self, call: Callable[[], None]) -> None:
        """Run `call` when its time is over."""
        self._loop.call_later(self._takes_s(), self._run, call)

    def withdraw(self, call: Callable[[], None]) -> bool:
        """Take nothing back: what was submitted runs."""
        del call
        return False

    def close(self) -> None:
        """Run nothing more."""
        self._closed = True

    def _run(self, call: Callable[[], None]) -> None:
        if not self._closed:
            call()
