"""The client's side of a connection: aiohttp's own, with an end to interim responses."""

from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader

__all__ = ["OutboundProtocol"]

_INTERIM_MAX = 16
"""How many 1xx responses may precede the final one. Each costs a receiver 16 bytes and us a
thousand times as much work; without a bound one receiver could keep the loop busy."""


class OutboundProtocol(ResponseHandler):
    """Ends the attempt on too many 1xx responses (RFC 9110 §15.2 sets no bound)."""

    _interim = 0

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Take a parsed response head. Called by aiohttp on the loop."""
        if data[0].code // 100 != 1:
            self._interim = 0
        else:
            self._interim += 1
            if self._interim > _INTERIM_MAX:
                self._end()
                return
        super().feed_data(data, size)

    def _end(self) -> None:
        if self.transport is not None:
            self.set_exception(HttpProcessingError(message="too many interim responses"))
            self.transport.abort()
            self.transport = None
