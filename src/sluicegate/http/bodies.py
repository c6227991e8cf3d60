"""Request bodies: read within limits, checked as JSON, decoded.

What is refused is refused before it is in memory: too large a body by its announced length or
at the first byte over the limit, a compressed one by its header.
"""

import asyncio
import re
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TypeVar

import msgspec
from aiohttp import HttpVersion11, hdrs, web

from sluicegate.engine.errors import InvalidRequestError, SluicegateError, UnavailableError
from sluicegate.engine.strict_json import check_json
from sluicegate.http.calls import HttpRequest
from sluicegate.http.whole_requests import WholeRequest

__all__ = ["Bodies", "Body", "body_too_large", "check_expectation", "decoded"]

T = TypeVar("T")

_READ_S = 60.0
_FIELD = re.compile(r"at `\$\.?([^`]*)`")
_MISSING = re.compile(r"missing required field `([^`]*)`")


class Bodies:
    """Reads bodies; bounds each of them, and all that are in memory at once.

    Args:
        total_bytes_max: of all bodies of requests that are not answered yet.
        read_s: seconds that one body may take to arrive.
    """

    def __init__(self, *, total_bytes_max: int, read_s: float = _READ_S) -> None:
        self._total_bytes_max = total_bytes_max
        self._read_s = read_s
        self._total_bytes = 0

    def of(
        self, request: HttpRequest, *, bytes_max: int, too_large: Callable[[], SluicegateError]
    ) -> "Body":
        """Return what reads the body in an `async with`: its bytes count until that is left.

        Entering it waits until the body is there; it may raise

        - `InvalidRequestError`: compressed, malformed, cut short, or too slow to arrive;
        - `UnavailableError`: too many bytes of other requests are in memory.

        Args:
            request: whose body was not read before.
            bytes_max: the most that is read.
            too_large: makes what is raised when there is more.
        """
        return Body(self, request, bytes_max=bytes_max, too_large=too_large)

    async def json(
        self,
        request: HttpRequest,
        decoder: msgspec.json.Decoder[T],
        *,
        bytes_max: int,
        absent: bytes | None = None,
    ) -> T:
        """Return a small body, checked as JSON and decoded.

        Args:
            request: whose body was not read before.
            decoder: of the type of the body.
            bytes_max: the most that is read.
            absent: what no body at all stands for; `None`: a body is needed.

        Raises:
            InvalidRequestError: too large, malformed, or a field missing or of the wrong type.
            UnavailableError: too many bytes of other requests are in memory.
        """
        too_large = partial(body_too_large, bytes_max)
        async with self.of(request, bytes_max=bytes_max, too_large=too_large) as body:
            text = absent if not body and absent is not None else body
            check_json(text)
            return decoded(text, decoder)

    def of_whole(
        self, request: WholeRequest, *, bytes_max: int, too_large: Callable[[], SluicegateError]
    ) -> bytes:
        """Return a body that is there already; its bytes count until the request is answered.

        Args:
            request: whose body was not asked for before.
            bytes_max: as in `of`.
            too_large: as in `of`.

        Raises:
            UnavailableError: too many bytes of other requests are in memory.
        """
        body = request.body
        request.let_go = partial(self.let_go, len(body))
        self.hold(len(body))
        if len(body) > bytes_max:
            raise too_large()
        return body

    def hold(self, size: int) -> None:
        """Count bytes that are now in memory.

        Raises:
            UnavailableError: with them there are too many.
        """
        self._total_bytes += size
        if self._total_bytes > self._total_bytes_max:
            raise UnavailableError("too many requests at once, try again")

    def let_go(self, size: int) -> None:
        """Count bytes that were held as gone."""
        self._total_bytes -= size

    @property
    def read_s(self) -> float:
        """Seconds that one body may take to arrive."""
        return self._read_s


class Body:
    """One body, in memory while the `async with` of `Bodies.of` lasts."""

    __slots__ = ("_bodies", "_bytes_max", "_held", "_request", "_too_large")

    def __init__(
        self,
        bodies: Bodies,
        request: HttpRequest,
        *,
        bytes_max: int,
        too_large: Callable[[], SluicegateError],
    ) -> None:
        self._bodies = bodies
        self._request = request
        self._bytes_max = bytes_max
        self._too_large = too_large
        self._held = 0

    async def __aenter__(self) -> bytes:
        """Read it; see `Bodies.of`."""
        request = self._request
        if isinstance(request, WholeRequest):  # which has no `Content-Encoding` but `identity`
            return self._bodies.of_whole(
                request, bytes_max=self._bytes_max, too_large=self._too_large
            )
        assert isinstance(request, web.Request)
        encodings = request.headers.getall(hdrs.CONTENT_ENCODING, ())
        if encodings and any(each.strip().lower() != "identity" for each in encodings):
            raise InvalidRequestError(
                "Content-Encoding is not supported: send the body as it is",
                details={"header": "Content-Encoding"},
            )
        try:
            return await self._read(request)
        except BaseException:
            self._bodies.let_go(self._held)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let it go."""
        self._bodies.let_go(self._held)

    async def _read(self, request: web.Request) -> bytes:
        if request.content_length is not None and request.content_length > self._bytes_max:
            raise self._too_large()
        content = request.content
        try:
            if content.is_eof():  # a short one comes with its head: no need to wait for it
                return self._taken(content.read_nowait())
            if hdrs.EXPECT in request.headers and request.version >= HttpVersion11:
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                request.writer.output_size = 0  # of the response itself nothing is sent yet
            async with asyncio.timeout(self._bodies.read_s):
                chunks = [self._taken(chunk) async for chunk in content.iter_any()]
        except TimeoutError:
            raise InvalidRequestError("request body did not arrive in time") from None
        except (web.RequestPayloadError, ConnectionError):
            raise InvalidRequestError("request body is malformed or cut short") from None
        return b"".join(chunks)

    def _taken(self, chunk: bytes) -> bytes:
        self._held += len(chunk)
        self._bodies.hold(len(chunk))
        if self._held > self._bytes_max:
            raise self._too_large()
        return chunk


async def check_expectation(request: web.Request) -> None:
    """Refuse what is expected unless it is `100-continue` (RFC 9110 §10.1.1).

    aiohttp's own handler would say "continue" at once; here a body is only asked for when it is
    about to be read: never from strangers.

    Raises:
        web.HTTPExpectationFailed: another expectation.
    """
    expected = request.headers.get(hdrs.EXPECT, "")
    if request.version >= HttpVersion11 and expected.lower() != "100-continue":
        raise web.HTTPExpectationFailed


def body_too_large(bytes_max: int) -> InvalidRequestError:
    """Return what tells a client that its body is over `bytes_max`."""
    return InvalidRequestError(
        f"request body is over {bytes_max} bytes", details={"maximum": bytes_max}
    )


def decoded(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Return a body that passed `strict_json.check_json` as a record.

    Raises:
        InvalidRequestError: a field is missing or of the wrong type; `details` names it.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _refusal(str(error)) from None
    except (msgspec.DecodeError, ValueError) as error:
        raise InvalidRequestError(f"request body must be valid JSON: {error}") from None


def _refusal(sentence: str) -> InvalidRequestError:
    found = _MISSING.search(sentence) or _FIELD.search(sentence)
    field = found.group(1) if found is not None else ""
    why = sentence.partition(" - at `")[0].replace("`", "")
    if not field:
        return InvalidRequestError(f"request body: {why}")
    return InvalidRequestError(f"{field}: {why}", details={"field": field.partition("[")[0]})
