"""The signals that ask a server to stop: the first politely, the second at once."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator

__all__ = ["StopSignals"]

_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopSignals:
    """SIGTERM, SIGINT and SIGHUP, counted. Made and used on the loop of the main thread.

    Attributes:
        first: set by the first of them.
        second: set by the second.
        name: what the last one is called; empty before the first.
    """

    def __init__(self) -> None:
        """Begin with none received."""
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        self.name = ""

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Catch the signals while the context lasts; then they do again what they did before."""
        loop = asyncio.get_running_loop()
        # What `nohup` has us ignore stays ignored.
        heeded = [each for each in _STOPPING if signal.getsignal(each) != signal.SIG_IGN]
        for number in heeded:
            loop.add_signal_handler(number, self._receive, number)
        try:
            yield
        finally:
            for number in heeded:
                loop.remove_signal_handler(number)

    def _receive(self, number: signal.Signals) -> None:
        self.name = number.name
        (self.second if self.first.is_set() else self.first).set()
