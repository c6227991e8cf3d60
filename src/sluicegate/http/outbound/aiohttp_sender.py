"""The sender: posts one signed request and says, as a value, what it came to.

Nothing that a receiver does may harm the process or pass for something else. So the whole
attempt has one time limit; what is read of a response is bounded and never inflated; nothing is
followed, remembered (cookies) or taken from the environment (proxies, netrc); and a connection
is used again only if the response was read to its end.

Once a response's head is complete, that is the answer, whatever happens to its body: a receiver
that said 2xx has the message, and must not be sent it again because the rest was slow.
"""

import asyncio
import io
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from sluicegate.engine.addresses import AddressPolicy
from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.ports import Clock, NoTelemetry, Request, Resolver, Telemetry
from sluicegate.engine.settings import Settings
from sluicegate.http.outbound import failures
from sluicegate.http.outbound.aiohttp_connector import AttemptRecalledError, OutboundConnector
from sluicegate.http.outbound.aiohttp_errors import explain, is_shortage
from sluicegate.http.outbound.guard import Guard
from sluicegate.http.outbound.progress import PROGRESS, Progress
from sluicegate.http.outbound.responses import (
    HEADER_LINE_MAX,
    HEADERS_MAX,
    KEPT_HEADERS_BYTES_MAX,
    complaint,
)
from sluicegate.http.outbound.sockets import SocketFactory, open_socket
from sluicegate.http.outbound.target import as_written
from sluicegate.http.outbound.tls import client_context

__all__ = ["AiohttpSender"]

_BYTES_AT_ONCE = 2**20
"""Larger bodies are written in pieces, so that others get their turn."""
_ADDED_BY_AIOHTTP = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


class AiohttpSender:
    """Posts requests through aiohttp. Implements `sluicegate.engine.ports.Sender`.

    Belongs to one event loop, the one that `post` is first called on. Holds no more than idle
    connections between posts; how many posts run at once is the caller's to bound.

    Args:
        settings: `connect_timeout_s`, `response_read_bytes_max`, `response_keep_bytes_max` and
            `tls_ca_file` are used.
        policy: which addresses may be connected to.
        resolver: looks up host names. Its owner closes it.
        clock: measures the phases of an attempt.
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
        self._resolver = resolver
        self._clock = clock
        self._guard = Guard(
            policy, socket_factory=socket_factory, telemetry=telemetry or NoTelemetry()
        )
        self._tls = tls if tls is not None else client_context(settings.tls_ca_file)
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def post(self, request: Request) -> Outcome:
        """Post `request` once and return what it came to.

        Never raises for anything that a receiver, a resolver or a network can do. Cancelled,
        it closes the connection; the receiver may have acted.

        Raises:
            UnavailableError: this machine lacks the means for a connection; nothing was sent.
            RuntimeError: the sender is closed.
        """
        progress = Progress(self._clock, may_start=request.may_start)
        exchange = _Exchange(request, progress, self._settings)
        token = PROGRESS.set(progress)
        try:
            async with asyncio.timeout(request.timeout_s) as limit:
                await exchange.run(self._open_session())
        except AttemptRecalledError:
            return Outcome(kind=OutcomeKind.RECALLED)
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            if is_shortage(error, progress):
                raise UnavailableError(failures.SHORTAGE) from error
            if exchange.response is None:
                return exchange.failed(error, expired=limit.expired())
        finally:
            PROGRESS.reset(token)
            exchange.close()
        return exchange.answered()

    async def close(self) -> None:
        """Close every connection; posts in flight come to an end. Twice is fine."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise RuntimeError("the sender is closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=OutboundConnector(
                    self._guard,
                    resolver=self._resolver,
                    tls=self._tls,
                    connect_timeout_s=self._settings.connect_timeout_s,
                ),
                request_class=_TimedRequest,
                cookie_jar=_NoCookies(),
                skip_auto_headers=_ADDED_BY_AIOHTTP,
                timeout=aiohttp.ClientTimeout(),  # none of aiohttp's: `post` has its own
                auto_decompress=False,
                trust_env=False,
                max_line_size=HEADER_LINE_MAX,
                max_field_size=HEADER_LINE_MAX,
                max_headers=HEADERS_MAX,
            )
        return self._session


class _Exchange:
    """One request and what comes back."""

    def __init__(self, request: Request, progress: Progress, settings: Settings) -> None:
        self._request = request
        self._progress = progress
        self._settings = settings
        self._kept = bytearray()
        self._truncated = True
        self.response: aiohttp.ClientResponse | None = None

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Send the request; read the response's head, and of its body what may be read."""
        body = self._request.body
        self.response = await session.post(
            as_written(self._request.url),
            data=io.BytesIO(body) if len(body) > _BYTES_AT_ONCE else body,
            headers=self._request.headers,
            allow_redirects=False,
        )
        self._progress.answered_s = self._progress.now_s()
        await self._read_body(self.response.content)

    async def _read_body(self, content: aiohttp.StreamReader) -> None:
        keep, left = self._settings.response_keep_bytes_max, self._settings.response_read_bytes_max
        seen = 0
        while left and (chunk := await content.read(left)):
            left -= len(chunk)
            seen += len(chunk)
            self._kept += chunk[: keep - len(self._kept)]
        self._truncated = seen > keep or not content.at_eof()

    def close(self) -> None:
        """Give up the connection, unless the response was read to its end.

        Aborting drops what was not yet sent; closing would hold it, and the socket, for as
        long as the receiver takes nothing.
        """
        transport = self._progress.transport
        given_back = self.response is not None and self.response.connection is None
        if transport is not None and (not given_back or transport.is_closing()):
            with suppress(AttributeError):  # Python 3.11.2's has none if its TLS has ended
                transport.abort()
        if self.response is not None:
            self.response.close()

    def answered(self) -> Outcome:
        """Return the outcome of a response whose head is complete."""
        response = self.response
        assert response is not None
        return Outcome(
            kind=OutcomeKind.ANSWERED,
            status=response.status,
            error=complaint(response.status),
            headers=_bounded(response.raw_headers),
            retry_after=_value(response.raw_headers, b"retry-after"),
            body=bytes(self._kept),
            body_truncated=self._truncated,
            resolved_ip=self._progress.address,
            timings=self._progress.timings(secure=self._is_secure()),
        )

    def failed(self, error: Exception, *, expired: bool) -> Outcome:
        """Return the outcome of an attempt that got no response."""
        if expired:
            kind, text = OutcomeKind.TIMEOUT, failures.too_late(self._request.timeout_s)
        else:
            kind, text = explain(error, self._progress)
        return Outcome(
            kind=kind,
            error=text,
            resolved_ip=self._progress.address,
            timings=self._progress.timings(secure=self._is_secure()),
        )

    def _is_secure(self) -> bool:
        return self._request.url[:6].lower() == "https:"


class _TimedRequest(aiohttp.ClientRequest):
    """Notes when the request's last byte was written."""

    async def write_bytes(
        self,
        *args: Any,  # noqa: ANN401 - aiohttp's signature
        **kwargs: Any,  # noqa: ANN401 - same
    ) -> None:
        """Write the body after the headers."""
        await super().write_bytes(*args, **kwargs)
        progress = PROGRESS.get()
        progress.sent_s = progress.now_s()


class _NoCookies(aiohttp.DummyCookieJar):
    """Keeps no cookies, and does not even parse them."""

    def update_cookies_from_headers(self, headers: Sequence[str], response_url: URL) -> None:
        """Leave them unread."""


def _bounded(raw: Sequence[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    """Decode headers as far as the limit goes."""
    kept: list[tuple[str, str]] = []
    left = KEPT_HEADERS_BYTES_MAX
    for name, value in raw:
        left -= len(name) + len(value)
        if left < 0:
            break
        kept.append((name.decode("utf-8", "replace"), value.decode("utf-8", "replace")))
    return tuple(kept)


def _value(raw: Sequence[tuple[bytes, bytes]], wanted: bytes) -> str | None:
    """Return the first value of a header, `wanted` being its name in lower case."""
    for name, value in raw:
        if name.lower() == wanted:
            return value.decode("utf-8", "replace")
    return None
