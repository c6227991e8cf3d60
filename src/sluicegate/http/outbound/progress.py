"""How far one attempt has come, and when: what its outcome is made of."""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar

from sluicegate.engine.outcome import Timings
from sluicegate.engine.ports import Clock

__all__ = ["PROGRESS", "Progress"]


class Progress:
    """The trail of one attempt, left by the parts it passes through on the loop.

    Moments are seconds on the loop's clock and `None` until they have come.

    Args:
        clock: tells the moments.
        may_start: the request's own, asked when the connection stands.

    Attributes:
        started_s: when the attempt began.
        look_up_s: when the look-up of the host name began.
        looked_up_s: when it ended.
        connecting_s: when the first packet went to an address (the latest, if there are more).
        connected_s: when TCP stood.
        ready_s: when TLS stood too, or a connection of the pool was taken.
        sent_s: when the last byte of the request was handed to the transport.
        answered_s: when the response's head was complete.
        connect_by_s: when TCP and TLS must stand.
        dialled: how many addresses were tried.
        refused: the address that the policy refused last.
        lacking: whether this machine lacked the means to try an address.
        transport: the connection's, once it stands.
        address: of whom it leads to. Once a TLS transport was aborted it cannot tell any more.
    """

    __slots__ = (
        "_clock",
        "address",
        "answered_s",
        "connect_by_s",
        "connected_s",
        "connecting_s",
        "dialled",
        "lacking",
        "look_up_s",
        "looked_up_s",
        "may_start",
        "ready_s",
        "refused",
        "sent_s",
        "started_s",
        "transport",
    )

    def __init__(self, clock: Clock, *, may_start: Callable[[], bool] | None) -> None:
        self._clock = clock
        self.may_start = may_start
        self.started_s = clock.monotonic_s()
        self.look_up_s: float | None = None
        self.looked_up_s: float | None = None
        self.connecting_s: float | None = None
        self.connected_s: float | None = None
        self.ready_s: float | None = None
        self.sent_s: float | None = None
        self.answered_s: float | None = None
        self.connect_by_s: float | None = None
        self.dialled = 0
        self.refused: str | None = None
        self.lacking = False
        self.transport: asyncio.Transport | None = None
        self.address: str | None = None

    def now_s(self) -> float:
        """Return the moment to write down."""
        return self._clock.monotonic_s()

    @property
    def fell_short(self) -> bool:
        """Whether no connection stood, and one might have if this machine had had the means."""
        return self.lacking and self.connected_s is None

    @property
    def conn_reused(self) -> bool:
        """Whether the connection came from the pool."""
        return self.ready_s is not None and self.connecting_s is None

    @property
    def in_handshake(self) -> bool:
        """Whether TCP stands and TLS, if there is to be any, does not."""
        return self.connected_s is not None and self.ready_s is None

    def timings(self, *, secure: bool) -> Timings:
        """Return how long each phase took until now."""
        ended_s = self.now_s()
        written_s = self.sent_s if self.sent_s is not None else self.ready_s
        return Timings(
            dns_ms=_between_ms(self.look_up_s, self.looked_up_s),
            tcp_connect_ms=_between_ms(self.connecting_s, self.connected_s),
            tls_handshake_ms=_between_ms(self.connected_s, self.ready_s) if secure else None,
            ttfb_ms=_between_ms(written_s, self.answered_s),
            transfer_ms=_between_ms(self.answered_s, ended_s),
            total_ms=(ended_s - self.started_s) * 1000,
            conn_reused=self.conn_reused,
        )


def _between_ms(from_s: float | None, to_s: float | None) -> float | None:
    if from_s is None or to_s is None:
        return None
    return max(0.0, (to_s - from_s) * 1000)  # an answer may come before the request's end


PROGRESS: ContextVar[Progress] = ContextVar("sluicegate_attempt_progress")
"""The attempt that this task works for. aiohttp hands nothing of ours to a resolver or a socket
factory, but it calls them in the attempt's own context, and in copies of it."""
