"""What one request and what came back on its connection amount to."""

import os

from sluicegate.engine.outcome import Outcome, OutcomeKind, Timings
from sluicegate.engine.ports import Request
from sluicegate.http.outbound import failures
from sluicegate.http.outbound.connection import Connection
from sluicegate.http.outbound.responses import complaint
from sluicegate.http.outbound.tls import tls_fault

__all__ = ["outcome_of", "reused_timings"]


def outcome_of(connection: Connection, request: Request, timings: Timings) -> Outcome:
    """Return what an attempt came to whose exchange on `connection` is over."""
    reader = connection.reader
    if reader.status is None:
        return _failed(connection, request, timings)
    return Outcome(
        kind=OutcomeKind.ANSWERED,
        status=reader.status,
        error=complaint(reader.status),
        headers=tuple(reader.headers),
        retry_after=reader.retry_after,
        body=bytes(reader.body),
        body_truncated=reader.truncated,
        resolved_ip=connection.address,
        timings=timings,
    )


def _failed(connection: Connection, request: Request, timings: Timings) -> Outcome:
    kind, error, reader = OutcomeKind.CONNECTION_ERROR, connection.error, connection.reader
    if connection.expired:
        kind, text = OutcomeKind.TIMEOUT, failures.too_late(request.timeout_s)
    elif reader.fault is not None:
        text = reader.fault
    elif error is not None and (fault := tls_fault(error)) is not None:
        kind, text = OutcomeKind.TLS_ERROR, fault
    elif isinstance(error, OSError) and error.errno is not None:
        text = os.strerror(error.errno).lower()
    else:
        text = failures.CLOSED_EARLY
    return Outcome(kind=kind, error=text, resolved_ip=connection.address, timings=timings)


def reused_timings(connection: Connection, *, started_s: float, ended_s: float) -> Timings:
    """Return how long each phase took on a connection of the pool.

    Args:
        connection: which one.
        started_s: when the attempt began, in seconds on its clock.
        ended_s: when it was over.
    """
    answered_s, sent_s = connection.reader.answered_s, connection.sent_s
    if answered_s is None:
        return Timings(total_ms=(ended_s - started_s) * 1000, conn_reused=True)
    if sent_s is None:  # the answer came before the request's end
        sent_s = started_s
    return Timings(
        ttfb_ms=max(0.0, (answered_s - sent_s) * 1000),
        transfer_ms=(ended_s - answered_s) * 1000,
        total_ms=(ended_s - started_s) * 1000,
        conn_reused=True,
    )
