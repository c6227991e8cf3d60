"""Takes a message over HTTP and hands it to Celery: a WSGI application and nothing more."""

from collections.abc import Callable, Iterable
from typing import Any

from deliveries import deliver


def application(
    environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    """Answer 202 when Redis has taken the task."""
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    deliver.delay(body.decode())
    start_response("202 Accepted", [("Content-Length", "0")])
    return ()
