"""Reads responses off one connection, one after the other: no I/O, and bounded in everything.

httptools (llhttp, Node.js's parser) says where the parts of a response are. What it lacks is
here: how many headers, of what size; how many interim responses; how much that leads nowhere
(chunk extensions, trailers, a line without an end); and what the end of a connection means.
It is as lenient as aiohttp's parser, which is llhttp too, so that both take the same for HTTP.
"""

from collections.abc import Callable

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from sluicegate.http.outbound.responses import (
    HEADER_LINE_MAX,
    HEADERS_MAX,
    INTERIM_MAX,
    KEPT_HEADERS_BYTES_MAX,
)

__all__ = ["ResponseReader"]

_IDLE_BYTES_MAX = 16 * 1024
"""So many bytes may come without a header or a piece of a body being complete: the parser keeps
an unfinished header, and a chunk's extensions cost time."""
_SWITCHING_PROTOCOLS = 101
_NOTED_SIZES = frozenset(
    len(each) for each in ("retry-after", "content-length", "transfer-encoding")
)
"""How long the names of headers are that mean something to us: most others need no second look."""
_KNOWN_MAX = 16
_KNOWN_BYTES_MAX = 128
"""So many headers of a connection are remembered, none that is longer."""
_TOO_LARGE = "response headers are too large"
_INVALID = "response is not valid HTTP"


class _RefusedError(Exception):
    """Stops the parser in the middle."""


class ResponseReader:
    """What came of one response so far; `begin` forgets it for the next on the same connection.

    Args:
        read_bytes_max: of a body, no more are taken; then the response is over, as it is.
        keep_bytes_max: of those, so many are kept.
        now_s: tells the moments, in seconds.

    Attributes:
        status: of the final response, once its head is complete.
        headers: of the final response, decoded, as far as the limit goes.
        retry_after: the first `Retry-After`.
        body: the beginning of the body.
        answered_s: when the head was complete.
        fault: why there will be no head, in a line for people.
    """

    __slots__ = (
        "_complete",
        "_count",
        "_headers_left",
        "_idle_bytes",
        "_in_step",
        "_interim",
        "_keep_bytes_max",
        "_known",
        "_now_s",
        "_parser",
        "_read_bytes_max",
        "_seen_bytes",
        "_tells_end",
        "answered_s",
        "body",
        "fault",
        "headers",
        "retry_after",
        "status",
    )

    def __init__(
        self, *, read_bytes_max: int, keep_bytes_max: int, now_s: Callable[[], float]
    ) -> None:
        self._read_bytes_max = read_bytes_max
        self._keep_bytes_max = min(keep_bytes_max, read_bytes_max)
        self._now_s = now_s
        self._known: dict[tuple[bytes, bytes], tuple[str, str]] = {}
        """Headers of responses before, decoded: most come with every response."""
        self.begin()
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )

    def begin(self) -> None:
        """Expect a response; the last one was read to its end."""
        self.status: int | None = None
        self.answered_s: float | None = None
        self.fault: str | None = None
        self.body = bytearray()
        self._interim = 0
        self._idle_bytes = 0
        self._seen_bytes = 0
        self._complete = False
        self._in_step = False
        self._begin_head()

    def _begin_head(self) -> None:
        self.headers: list[tuple[str, str]] = []
        self.retry_after: str | None = None
        self._count = 0
        self._headers_left = KEPT_HEADERS_BYTES_MAX
        self._tells_end = False

    @property
    def truncated(self) -> bool:
        """Whether the body is longer than what is kept of it, or might be."""
        return not self._complete or self._seen_bytes > len(self.body)

    @property
    def reusable(self) -> bool:
        """Whether the response ended where it said, with nothing behind it, and was all read."""
        return self._in_step and self._seen_bytes <= self._read_bytes_max

    def feed(self, data: bytes) -> bool:
        """Take what came; return whether nothing more is wanted: the response is over, or broken.

        Never raises for anything that a receiver can send. Bytes that follow a head do not unsay
        it, whatever they are.
        """
        assert self._parser is not None
        self._idle_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._in_step = False
            if self.status is None and self.fault is None:
                self.fault = _INVALID
            return True
        if self._complete:
            return True
        if self._idle_bytes > _IDLE_BYTES_MAX:
            if self.status is None:
                self.fault = _TOO_LARGE
            return True
        return self._seen_bytes >= self._read_bytes_max

    def end(self) -> None:
        """Hear that the connection ended in order, which may be the end of the body."""
        self._in_step = False
        if self.status is not None and not self._tells_end:
            self._complete = True

    def release(self) -> None:
        """Let go of the parser, which holds on to this in turn."""
        self._parser = None

    # -- what the parser calls ------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Hear that a response begins: the one that is expected, or one that nobody asked for."""
        if self.status is not None:
            raise _RefusedError

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer, of which nothing is kept."""
        self._idle_bytes = 0
        self._count += 1
        value = value.rstrip(b" \t")  # llhttp takes away what is before it
        name_size = len(name)
        size = name_size + len(value)
        if size > HEADER_LINE_MAX or self._count > HEADERS_MAX:
            raise self._refusal(_TOO_LARGE)
        if self.status is not None:
            return
        if b"\0" in value:
            raise self._refusal(_INVALID)
        self._headers_left -= size
        if self._headers_left >= 0:
            self.headers.append(self._known.get((name, value)) or self._decoded(name, value))
        if name_size in _NOTED_SIZES:
            self._note(name.lower(), value)

    def _decoded(self, name: bytes, value: bytes) -> tuple[str, str]:
        decoded = (name.decode("utf-8", "replace"), value.decode("utf-8", "replace"))
        if len(name) + len(value) <= _KNOWN_BYTES_MAX:
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            self._known[name, value] = decoded
        return decoded

    def _note(self, name: bytes, value: bytes) -> None:
        if name == b"retry-after":
            if self.retry_after is None:
                self.retry_after = value.decode("utf-8", "replace")
        elif name == b"content-length":
            self._tells_end = True
        elif name == b"transfer-encoding":
            self._tells_end = value.lower().rpartition(b",")[2].strip() == b"chunked"

    def on_headers_complete(self) -> None:
        """Take a head: the answer, or an interim response (RFC 9110 §15.2)."""
        assert self._parser is not None
        status = self._parser.get_status_code()
        self._idle_bytes = 0
        if status // 100 == 1 and status != _SWITCHING_PROTOCOLS:
            self._interim += 1
            if self._interim > INTERIM_MAX:
                raise self._refusal("too many interim responses")
            self._begin_head()
            return
        self.status = status
        self.answered_s = self._now_s()
        self._count = 0  # of the trailers, from now on

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body; an interim response has none (RFC 9110 §15.2)."""
        if self.status is None:
            return  # llhttp reads one of some; it is not the answer's, and leads nowhere
        self._idle_bytes = 0
        room = self._keep_bytes_max - self._seen_bytes
        self._seen_bytes += len(data)
        if room > 0:
            self.body += data[:room]

    def on_message_complete(self) -> None:
        """Hear that a response ended where it said that it would."""
        if self.status is not None:
            assert self._parser is not None
            self._complete = True
            self._in_step = self.status != _SWITCHING_PROTOCOLS and self._parser.should_keep_alive()

    def _refusal(self, fault: str) -> _RefusedError:
        if self.status is None:
            self.fault = fault
        return _RefusedError()
