"""How fast what waits in a database flows, as its rows tell."""

import time

from ours import Server
from run_context import Run
from stored import FIRST_STORED
from wire import PAYLOAD_BYTES
from workers import BenchmarkError

__all__ = ["Arrivals", "drain"]

_LOOK_S = 0.002
_TIMEOUT_S = 180.0


def drain(
    server: Server, numbers: tuple[int, int], *, count: int | None = None, look_s: float = _LOOK_S
) -> tuple[float, float, int]:
    """Wait until so much of what waits for some endpoints is recorded as delivered.

    Args:
        server: its messages flow already.
        numbers: of the first and last of the endpoints.
        count: how many messages; all if not given.
        look_s: how often to look.

    Returns:
        Messages a second from this moment on, the CPU time of each in µs, and how much of the
        server's memory was resident at most, in bytes.

    Raises:
        BenchmarkError: it takes too long.
    """
    before = server.ledger.waiting(numbers)
    began_s, resident_bytes = time.monotonic(), 0
    server.cpu.start()
    target = 0 if count is None else max(0, before - count)
    while (left := server.ledger.waiting(numbers)) > target:
        resident_bytes = max(resident_bytes, server.resident_bytes)
        if time.monotonic() > began_s + _TIMEOUT_S:
            raise BenchmarkError(f"{left - target} of {before - target} messages did not flow")
        time.sleep(look_s)
    took_s, flowed = time.monotonic() - began_s, before - left
    return flowed / took_s, server.cpu.used_s() / flowed * 1e6, resident_bytes


class Arrivals:
    """Checks that of what was stored before a start each message arrived once that was recorded."""

    _BOOK = "stored"

    def __init__(self, run: Run, stored: int) -> None:
        """Open a book for `stored` messages; their server has not started."""
        self._run = run
        self._succeeded = run.counts["succeeded"]
        book = {"first": FIRST_STORED, "count": stored, "payload_bytes": PAYLOAD_BYTES}
        run.sink.do({"do": "open", "book": self._BOOK, **book}, timeout_s=5)

    def check(self) -> None:
        """Compare: the server has ended."""
        came = self._run.sink.do({"do": "report", "book": self._BOOK, "timeout_s": 0}, timeout_s=5)
        recorded = self._run.counts["succeeded"] - self._succeeded
        if came["received"] != recorded or came["duplicates"] or came["signed"] != recorded:
            self._run.faults.append(f"{recorded} recorded as delivered, but the sink has {came}")
