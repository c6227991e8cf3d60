"""A WSGI application on a receiver (PEP 3333), called inline."""

import asyncio
import io
import sys
from collections.abc import Callable, Iterable
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from sluicegate.simulation.receivers.exchange import Answer, ReceivedRequest, check_length

__all__ = ["WsgiApplication"]

_PIECES_MAX = 1_000_000
_App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class WsgiApplication:
    """Calls a WSGI application, one request after the other. Implements `Application`.

    A call takes one moment of virtual time, whatever it does: nothing else runs meanwhile.
    """

    def __init__(self, app: object) -> None:
        """Take an application: called with `environ` and `start_response`."""
        self._app = cast("_App", app)

    async def start(self) -> None:
        """Be ready."""

    async def stop(self) -> None:
        """Hold nothing."""

    async def respond(self, request: ReceivedRequest, gone: asyncio.Event) -> Answer:
        """Call it with a request; return what it gave."""
        del gone
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self._call, request)

    def _call(self, request: ReceivedRequest) -> Answer:
        said: list[tuple[int, tuple[tuple[str, str], ...]]] = []
        body = bytearray()

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: object = None
        ) -> Callable[[bytes], None]:
            if said and exc_info is None:
                raise RuntimeError("WSGI: start_response was called twice")
            said[:] = [(int(status.split(" ", 1)[0]), tuple(headers))]
            return body.extend

        pieces = self._app(_environ(request), start_response)
        try:
            for number, piece in enumerate(pieces, 1):
                body += piece
                check_length(len(body), "WSGI")
                if number > _PIECES_MAX:
                    raise RuntimeError(f"WSGI: more than {_PIECES_MAX} pieces of an answer")
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()
        if not said:
            raise RuntimeError("WSGI: the application did not call start_response")
        ((status, headers),) = said
        return Answer(status=status, headers=headers, body=bytes(body))


def _environ(request: ReceivedRequest) -> dict[str, Any]:
    path, _, query = request.path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(request.body)),
        "SERVER_NAME": request.host,
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "44.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers:
        key = name.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            environ[key] = value
        elif key != "CONTENT_LENGTH":
            environ[f"HTTP_{key}"] = value
    return environ
