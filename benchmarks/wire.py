"""What the processes of a run share: the payload, the loop, and how a worker is told what to do.

A worker is a process that reads one JSON object a line from its standard input and writes one a
line to its standard output: first that it is ready, then an answer to each.
"""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import cache
from typing import Any

__all__ = [
    "PAYLOAD_BYTES",
    "PAYLOAD_OPENING",
    "STOP",
    "Job",
    "content_length",
    "number_of",
    "payload",
    "sent_at_ns",
    "serve_jobs",
    "work",
]

Job = dict[str, Any]
"""A line of JSON that a worker is sent, or answers."""

PAYLOAD_BYTES = 512
"""How long a payload is where nothing else is said."""
PAYLOAD_OPENING = b'{"n":"'
STOP = signal.SIGUSR1
"""Tells the load generator to post no more in this job."""
_LINE_BYTES_MAX = 2**22
_NUMBER = slice(6, 16)
_SENT_AT = slice(24, 43)
_FORM = b'{"n":"%010d","at":"%019d","items":['
_ITEM = b'{"id":"in_%06d","sum":%d.25,"currency":"EUR","paid":true,"tags":["a","b"]}'
_CLOSING = b'],"text":"%s"}'


def payload(number: int, size_bytes: int = PAYLOAD_BYTES) -> bytes:
    """Return the JSON text of message `number`, stamped with this moment: an order with items.

    Args:
        number: 10 digits at the most; none is used twice in a run.
        size_bytes: how long the text is, 72 at least.
    """
    return _form(size_bytes) % (number, time.monotonic_ns())


@cache
def _form(size_bytes: int) -> bytes:
    left_bytes = size_bytes - len(_FORM % (0, 0)) - len(_CLOSING % b"")
    items: list[bytes] = []
    while left_bytes > len(item := _ITEM % (len(items), 100 + len(items))):
        items.append(item)
        left_bytes -= len(item) + (len(items) > 1)
    return _FORM + b",".join(items) + _CLOSING % (b"x" * left_bytes)


def number_of(body: bytes) -> int:
    """Return the number of the message that `payload` made."""
    return int(body[_NUMBER])


def sent_at_ns(body: bytes) -> int:
    """Return the moment of its making: the monotonic clock, which all processes share."""
    return int(body[_SENT_AT])


def content_length(head: bytes) -> int:
    """Return what an HTTP head says of its body's length; 0 when it says nothing."""
    at = head.lower().find(b"content-length:")
    if at < 0:
        return 0
    end = head.find(b"\r\n", at)
    return int(head[at + 15 : end if end >= 0 else None])


def work(main: Coroutine[Any, Any, None]) -> None:
    """Run a worker's `main()` on the kind of loop that `sluicegate serve` uses."""
    try:
        import uvloop  # noqa: PLC0415 - an extra: used when present, as the server does
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


async def serve_jobs(ready: Job, answer: Callable[[Job], Awaitable[Job]]) -> None:
    """Say `ready`, then answer job after job until standard input ends.

    Each answer bears its job's number, so that one that came too late is not taken for another.
    """
    lines = asyncio.StreamReader(limit=_LINE_BYTES_MAX)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    _say(ready | {"job": 0})
    while line := await lines.readline():
        job: Job = json.loads(line)
        try:
            done = await answer(job)
        except TimeoutError:
            done = {"error": f"{job['do']} took too long"}
        _say(done | {"job": job["job"]})


def _say(said: Job) -> None:
    print(json.dumps(said), flush=True)
