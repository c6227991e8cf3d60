"""Request bodies: read within limits, checked as JSON, decoded.

What is refused is refused before it is in memory: too large a body by its announced length or
at the first byte over the limit, a compressed one by its header.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec
from aiohttp import HttpVersion11, hdrs, web

from sluicegate.engine.errors import InvalidRequestError, SluicegateError, UnavailableError
from sluicegate.engine.strict_json import check_json

__all__ = ["Bodies", "check_expectation", "decoded"]

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

    @asynccontextmanager
    async def of(
        self, request: web.Request, *, bytes_max: int, too_large: SluicegateError
    ) -> AsyncIterator[bytes]:
        """Yield the body; its bytes count as in memory until the context is left.

        Args:
            request: whose body was not read before.
            bytes_max: the most that is read.
            too_large: raised when there is more.

        Raises:
            InvalidRequestError: compressed, malformed, cut short, or too slow to arrive.
            UnavailableError: too many bytes of other requests are in memory.
        """
        encodings = request.headers.getall(hdrs.CONTENT_ENCODING, ())
        if any(each.strip().lower() != "identity" for each in encodings):
            raise InvalidRequestError(
                "Content-Encoding is not supported: send the body as it is",
                details={"header": "Content-Encoding"},
            )
        if request.content_length is not None and request.content_length > bytes_max:
            raise too_large
        held = _Held()
        try:
            yield await self._read(request, held, bytes_max=bytes_max, too_large=too_large)
        finally:
            self._total_bytes -= held.size

    async def json(
        self,
        request: web.Request,
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
        too_large = InvalidRequestError(
            f"request body is over {bytes_max} bytes", details={"maximum": bytes_max}
        )
        async with self.of(request, bytes_max=bytes_max, too_large=too_large) as body:
            text = absent if not body and absent is not None else body
            check_json(text)
            return decoded(text, decoder)

    async def _read(
        self, request: web.Request, held: "_Held", *, bytes_max: int, too_large: SluicegateError
    ) -> bytes:
        chunks: list[bytes] = []
        try:
            if hdrs.EXPECT in request.headers and request.version >= HttpVersion11:
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                request.writer.output_size = 0  # of the response itself nothing is sent yet
            async with asyncio.timeout(self._read_s):
                async for chunk in request.content.iter_any():
                    held.size += len(chunk)
                    self._total_bytes += len(chunk)
                    if held.size > bytes_max:
                        raise too_large
                    if self._total_bytes > self._total_bytes_max:
                        raise UnavailableError("too many requests at once, try again")
                    chunks.append(chunk)
        except TimeoutError:
            raise InvalidRequestError("request body did not arrive in time") from None
        except (web.RequestPayloadError, ConnectionError):
            raise InvalidRequestError("request body is malformed or cut short") from None
        return b"".join(chunks)


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


class _Held:
    """How many bytes one request has in memory."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 0


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
