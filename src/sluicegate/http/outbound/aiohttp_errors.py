"""What an exception of the client means for an attempt, in one line for people.

The text is made here, never taken from the exception: aiohttp puts the whole URL into some of
its messages, and a receiver's bytes into others.
"""

import os

import aiohttp
from aiohttp.http_exceptions import LineTooLong

from sluicegate.engine.outcome import OutcomeKind
from sluicegate.http.outbound import failures
from sluicegate.http.outbound.progress import Progress
from sluicegate.http.outbound.sockets import SHORTAGES
from sluicegate.http.outbound.tls import tls_fault

__all__ = ["explain", "is_shortage"]


def explain(error: Exception, progress: Progress) -> tuple[OutcomeKind, str]:
    """Return the kind of outcome and the sentence that stand for `error`.

    Args:
        error: what ended the attempt before a response head was complete.
        progress: how far it had come.
    """
    causes = _causes(error)
    if progress.refused is not None and not progress.dialled:
        return OutcomeKind.BLOCKED, failures.refused(progress.refused)
    if isinstance(error, aiohttp.InvalidURL):
        return OutcomeKind.BLOCKED, failures.BAD_HOST
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return OutcomeKind.DNS_ERROR, failures.NOT_RESOLVED
    if isinstance(error, TimeoutError):
        return OutcomeKind.TIMEOUT, failures.NOT_CONNECTED_IN_TIME
    tls_error = _tls_error(causes)
    if tls_error is not None:
        return OutcomeKind.TLS_ERROR, tls_error
    if progress.in_handshake:
        return OutcomeKind.TLS_ERROR, failures.CLOSED_IN_HANDSHAKE
    return OutcomeKind.CONNECTION_ERROR, _connection_error(error, causes)


def is_shortage(error: Exception, progress: Progress) -> bool:
    """Return whether no connection was made because this machine lacks the means for one."""
    return progress.transport is None and (
        progress.fell_short
        or any(isinstance(each, OSError) and each.errno in SHORTAGES for each in _causes(error))
    )


def _tls_error(causes: list[BaseException]) -> str | None:
    # Some of aiohttp's own are `ssl.SSLError` too, but know nothing.
    known = (tls_fault(each) for each in causes if not isinstance(each, aiohttp.ClientError))
    return next((each for each in known if each is not None), None)


def _connection_error(error: Exception, causes: list[BaseException]) -> str:
    if any(isinstance(each, LineTooLong) for each in causes):
        return "response headers are too large"
    if isinstance(error, aiohttp.ClientResponseError):
        return "response is not valid HTTP"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return failures.CLOSED_EARLY
    for each in causes:
        if isinstance(each, OSError) and each.errno is not None:
            return os.strerror(each.errno).lower()
    if isinstance(error, ValueError):
        return failures.UNSENDABLE
    return failures.FAILED


def _causes(error: BaseException) -> list[BaseException]:
    """Return an exception and all that caused it, outermost first."""
    causes: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in causes:
        causes.append(each)
        each = each.__cause__
    return causes
