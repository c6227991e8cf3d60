"""The client's side of a connection: aiohttp's own, stricter before the answer, milder after."""

import re
from typing import Any

from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader

from sluicegate.http.outbound.responses import INTERIM_MAX

__all__ = ["OutboundProtocol"]

_END_OF_HEAD = re.compile(rb"\n\r?\n")


class OutboundProtocol(ResponseHandler):
    """Ends the attempt on too many 1xx responses; tells the status before a broken body.

    aiohttp drops a complete head if the bytes that came with it break the rules, such as a
    body longer than its `Content-Length`. But that head was the receiver's answer, and it must
    not depend on how the network cuts the bytes whether the message is delivered again.
    """

    _interim = 0
    _head_told = False
    _before = b""
    _body: StreamReader | None = None

    def set_response_params(self, **params: Any) -> None:  # noqa: ANN401 - aiohttp's signature
        """Expect the response to the next request. Called by aiohttp on the loop."""
        self._interim, self._head_told, self._before, self._body = 0, False, b"", None
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Parse what came, a head by itself. Called by the transport on the loop."""
        begin = 0
        while not self._head_told and self._interim <= INTERIM_MAX:
            end = self._end_of_head(data, begin)
            if end is None:
                break
            self._interim += 1
            self._parse(data[begin:end])
            begin = end
            if begin == len(data) or self.exception() is not None:
                return
        self._parse(data[begin:])

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Take a parsed head. Called by aiohttp on the loop."""
        if data[0].code // 100 != 1:
            self._head_told, self._body = True, data[1]
        elif self._interim > INTERIM_MAX:
            self.set_exception(HttpProcessingError(message="too many interim responses"))
            if self.transport is not None:
                self.transport.abort()
            return
        super().feed_data(data, size)

    def _parse(self, data: bytes) -> None:
        super().data_received(data)
        failure, body = self.exception(), self._body
        if failure is not None and body is not None and not body.is_eof():
            body.set_exception(failure)  # else its reader would wait for the time limit

    def _end_of_head(self, data: bytes, begin: int) -> int | None:
        """Return where in `data` the head ends, which may have begun before `data`."""
        before, self._before = self._before, b""
        across = _END_OF_HEAD.search(before + data[begin : begin + 2])
        if across is not None:
            return begin + across.end() - len(before)
        within = _END_OF_HEAD.search(data, begin)
        if within is not None:
            return within.end()
        self._before = (before + data[begin:])[-2:]
        return None
