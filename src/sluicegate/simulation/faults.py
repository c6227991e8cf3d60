"""What may go wrong, and how often."""

from typing import Annotated

import msgspec
from msgspec import Meta

from sluicegate.simulation.bounds import check_rate, check_seconds

__all__ = ["CALM", "DISK_FAULTS", "STORM", "Faults"]

Rate = Annotated[float, Meta(ge=0, le=1)]


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """Rates of faults: each is the probability, from 0 to 1, that one event goes wrong.

    Everything is drawn from the simulation's seed. Nothing goes wrong by default.

    Raises:
        ValueError: a rate is not from 0 to 1, or the latencies are no two times in order.
    """

    # -- the network ------------------------------------------------------------------------

    latency_s: tuple[float, float] = (0.0005, 0.02)
    """Least and greatest time that a packet travels, in seconds."""
    split: Rate = 0.0
    """Of writes: they arrive in two pieces."""
    stall: Rate = 0.0
    """Of writes: lost once, and sent again by TCP one to ten seconds later, with all after them."""
    reset: Rate = 0.0
    """Of writes: the connection is reset instead, for both sides."""
    refuse: Rate = 0.0
    """Of connections: refused."""
    black_hole: Rate = 0.0
    """Of connections: nobody answers; the kernel gives up after 127 seconds."""
    dns_failure: Rate = 0.0
    """Of look-ups: the name does not resolve."""
    dns_flap: Rate = 0.0
    """Of look-ups: an address is told that the name had once, and where nobody listens now."""
    dns_hang: Rate = 0.0
    """Of look-ups, whatever the name: the name server takes 20 seconds."""
    tls_failure: Rate = 0.0
    """Of TLS handshakes: the certificate is not accepted."""

    # -- receivers --------------------------------------------------------------------------

    server_error: Rate = 0.0
    """Of requests: answered 500, 502, 503 or 504 without being acted on; 503 now and then with
    `Retry-After`."""
    too_many: Rate = 0.0
    """Of requests: answered 429, most often with `Retry-After`: seconds, a date, or nonsense."""
    client_error: Rate = 0.0
    """Of requests: answered 400."""
    answer_lost: Rate = 0.0
    """Of requests: acted on, then the connection breaks before the answer."""
    hang: Rate = 0.0
    """Of requests: acted on, and never answered."""
    slow: Rate = 0.0
    """Of requests: answered one to nine seconds later."""
    drip: Rate = 0.0
    """Of answers: sent one byte at a time, with a second between."""
    interim_flood: Rate = 0.0
    """Of answers: preceded by a hundred 102 (Processing)."""

    receiver_crash: Rate = 0.0
    """Of requests: acted on, then the receiver's process dies before the answer; it is down for
    five seconds."""

    # -- the disk ---------------------------------------------------------------------------

    write_error: Rate = 0.0
    """Of transactions: an I/O error at one of its statements or its commit; nothing is stored."""
    unknown_outcome: Rate = 0.0
    """Of commits: stored and synced, and yet an error is reported."""
    sync_error: Rate = 0.0
    """Of commits: the sync fails; what was written is in the log without it, or is not."""
    read_error: Rate = 0.0
    """Of statements that read, outside of writing transactions: an I/O error."""
    busy: Rate = 0.0
    """Of transactions: another program holds the file for a moment."""
    open_error: Rate = 0.0
    """Of connections to the file: it cannot be opened."""
    disk_full: Rate = 0.0
    """Of transactions: something else fills the disk for five seconds to two minutes."""
    slow_disk: Rate = 0.0
    """Of operations, reads among them: they take up to five seconds."""

    # -- programs ---------------------------------------------------------------------------

    cancel: Rate = 0.0
    """Of calls: the client goes away before the answer."""
    bug: Rate = 0.0
    """Of attempts: our own code raises what nobody expected, and the endpoint's actor crashes."""

    def __post_init__(self) -> None:
        """Hold every value to its bounds, which msgspec does only for what it decodes."""
        match self.latency_s:
            case (least, greatest):
                check_seconds("latency_s", least)
                check_seconds("latency_s", greatest, least=least)
            case _:
                raise ValueError(
                    f"latency_s: {self.latency_s!r} is not allowed: the least and the greatest time"
                    " in seconds, from 0"
                )
        for name in self.__struct_fields__[1:]:
            check_rate(name, getattr(self, name))


DISK_FAULTS = (
    "write_error",
    "unknown_outcome",
    "sync_error",
    "read_error",
    "busy",
    "open_error",
    "disk_full",
    "slow_disk",
)
"""Those after which a write may have failed, or taken long."""

CALM = Faults()
"""Nothing goes wrong."""

STORM = Faults(
    split=0.1,
    stall=0.01,
    reset=0.01,
    refuse=0.05,
    black_hole=0.01,
    dns_failure=0.02,
    dns_flap=0.01,
    dns_hang=0.01,
    tls_failure=0.01,
    server_error=0.1,
    too_many=0.05,
    client_error=0.01,
    answer_lost=0.03,
    hang=0.01,
    slow=0.05,
    drip=0.01,
    interim_flood=0.01,
    write_error=0.003,
    unknown_outcome=0.002,
    sync_error=0.002,
    read_error=0.003,
    busy=0.01,
    open_error=0.02,
    disk_full=0.002,
    slow_disk=0.01,
    cancel=0.03,
    bug=0.003,
)
"""Everything goes wrong now and then."""
