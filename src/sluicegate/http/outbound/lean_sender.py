"""The lean sender: what `AiohttpSender` does, at a fraction of the cost.

A request is one write and a response is read where it arrives: on a connection of the pool an
attempt costs a future, and no task or timer. Nothing that a receiver does may harm the process or
pass for something else. So the whole attempt has one time limit; what is read of a response is
bounded and never inflated; nothing is followed, remembered or taken from the environment; and a
connection is used again only if the response was read to its end.

Once a response's head is complete, that is the answer, whatever happens to its body: a receiver
that said 2xx has the message, and must not be sent it again because the rest was slow.
"""

import asyncio
import ssl
from collections import OrderedDict

from sluicegate.engine.addresses import AddressPolicy
from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.outcome import Outcome, OutcomeKind, Timings
from sluicegate.engine.ports import Clock, NoTelemetry, Request, Resolver, Telemetry
from sluicegate.engine.settings import Settings
from sluicegate.http.outbound import failures
from sluicegate.http.outbound.connection import Connection
from sluicegate.http.outbound.dialler import Dialler, NotConnectedError
from sluicegate.http.outbound.exchange import outcome_of, reused_timings
from sluicegate.http.outbound.guard import Guard
from sluicegate.http.outbound.pool import Pool
from sluicegate.http.outbound.progress import Progress
from sluicegate.http.outbound.response_reader import ResponseReader
from sluicegate.http.outbound.sockets import SocketFactory, open_socket
from sluicegate.http.outbound.target import Target, target_of
from sluicegate.http.outbound.tls import client_context

__all__ = ["LeanSender"]

_TARGETS_MAX = 16_384
"""So many URLs are remembered as they were parsed; the oldest is forgotten first."""


class LeanSender:
    """Posts requests over asyncio's transports. Implements `sluicegate.engine.ports.Sender`.

    Belongs to one event loop, the one that `post` is first called on. Holds no more than idle
    connections between posts; how many posts run at once is the caller's to bound.

    Args:
        settings: `connect_timeout_s`, `response_read_bytes_max`, `response_keep_bytes_max` and
            `tls_ca_file` are used.
        policy: which addresses may be connected to.
        resolver: looks up host names. Its owner closes it.
        clock: measures the phases of an attempt, on the loop's clock.
        socket_factory: opens a socket for an address that is allowed; a simulated network
            brings its own.
        tls: whom to trust, and how to speak; made by `client_context` from `tls_ca_file` if not
            given.
        telemetry: is told of addresses that are refused.

    Raises:
        SettingError: the file of certificate authorities cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        policy: AddressPolicy,
        resolver: Resolver,
        clock: Clock,
        socket_factory: SocketFactory = open_socket,
        tls: ssl.SSLContext | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._now_s = clock.monotonic_s
        self._dialler = Dialler(
            Guard(policy, socket_factory=socket_factory, telemetry=telemetry or NoTelemetry()),
            resolver=resolver,
            tls=tls if tls is not None else client_context(settings.tls_ca_file),
            connect_timeout_s=settings.connect_timeout_s,
        )
        self._targets: OrderedDict[str, Target] = OrderedDict()
        self._pool: Pool | None = None
        self._closed = False

    async def post(self, request: Request) -> Outcome:
        """Post `request` once and return what it came to.

        Never raises for anything that a receiver, a resolver or a network can do. Cancelled,
        it closes the connection; the receiver may have acted.

        Raises:
            UnavailableError: this machine lacks the means for a connection; nothing was sent.
            RuntimeError: the sender is closed.
        """
        pool = self._pool if self._pool is not None and not self._closed else self._begin()
        started_s = self._now_s()
        try:
            target = self._targets.get(request.url) or self._remember(request.url)
            head = _head(target, request)
        except ValueError:
            total_ms = (self._now_s() - started_s) * 1000
            return Outcome(
                kind=OutcomeKind.CONNECTION_ERROR,
                error=failures.UNSENDABLE,
                timings=Timings(total_ms=total_ms),
            )
        progress: Progress | None = None
        connection = pool.take(target.key)
        if connection is not None:
            connection.expect()
        else:
            progress = Progress(self._clock, may_start=None)
            progress.started_s = started_s
            dialled = await self._dial(request, target, progress)
            if isinstance(dialled, Outcome):
                return dialled
            connection = dialled
            pool.joined(connection)
        pool.deadlines.add(connection, started_s + request.timeout_s)
        try:
            if request.may_start is not None and not request.may_start():
                if connection.lay_aside():
                    pool.give_back(target.key, connection, used=progress is not None)
                return Outcome(kind=OutcomeKind.RECALLED)
            connection.send(head, request.body)
            await connection.over
        except BaseException:
            connection.abort()
            raise
        finally:
            pool.deadlines.remove(connection)
        if connection.reusable:
            pool.give_back(target.key, connection)
        else:
            connection.abort()
        if progress is not None:
            progress.sent_s, progress.answered_s = connection.sent_s, connection.reader.answered_s
            timings = progress.timings(secure=target.secure)
        else:
            timings = reused_timings(connection, started_s=started_s, ended_s=self._now_s())
        return outcome_of(connection, request, timings)

    async def close(self) -> None:
        """Close every connection; posts in flight come to an end. Twice is fine."""
        self._closed = True
        if self._pool is not None:
            self._pool.close()

    def _begin(self) -> Pool:
        if self._closed:
            raise RuntimeError("the sender is closed")
        if self._pool is None:
            loop, idle_max = asyncio.get_running_loop(), self._settings.in_flight_max
            self._pool = Pool(loop, now_s=self._now_s, idle_max=idle_max)
        return self._pool

    def _remember(self, url: str) -> Target:
        target = target_of(url)
        if len(self._targets) >= _TARGETS_MAX:
            self._targets.popitem(last=False)  # in a plain dict its first item is a search
        self._targets[url] = target
        return target

    async def _dial(
        self, request: Request, target: Target, progress: Progress
    ) -> Connection | Outcome:
        """Return a new connection, or what the attempt came to without one."""
        kind, text = OutcomeKind.CONNECTION_ERROR, failures.FAILED
        limit = asyncio.timeout_at(progress.started_s + request.timeout_s)
        try:
            async with limit:
                connection = await self._dialler.dial(target, progress, self._make)
            if not self._closed:
                return connection
            connection.abort()
        except NotConnectedError as error:
            kind, text = error.kind, str(error)
        except UnavailableError:
            assert self._pool is not None
            self._pool.end_idle()  # what they hold may be what is wanting
            raise
        except TimeoutError:
            kind, text = OutcomeKind.TIMEOUT, failures.too_late(request.timeout_s)
        except ValueError:
            text = failures.UNSENDABLE  # a host that no certificate can name, or no address
        return Outcome(kind=kind, error=text, timings=progress.timings(secure=target.secure))

    def _make(self) -> Connection:
        assert self._pool is not None
        return Connection(
            ResponseReader(
                read_bytes_max=self._settings.response_read_bytes_max,
                keep_bytes_max=self._settings.response_keep_bytes_max,
                now_s=self._now_s,
            ),
            loop=self._pool.loop,
            now_s=self._now_s,
            on_lost=self._pool.left,
        )


def _head(target: Target, request: Request) -> bytes:
    """Return a request's head as it is sent.

    Raises:
        ValueError: a header would break out of its line, or cannot be encoded.
    """
    lines = [*map(": ".join, request.headers), ""]
    text = "".join(lines)
    if "\r" in text or "\n" in text or "\0" in text:
        raise ValueError("a header breaks its line")
    headers = "\r\n".join(lines).encode()
    return b"%b%bContent-Length: %d\r\n\r\n" % (target.head, headers, len(request.body))
