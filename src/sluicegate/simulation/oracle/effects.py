"""Whether, and by when, what a client asked for was carried out, as far as it can know."""

from sluicegate.simulation.oracle.history import Call
from sluicegate.simulation.oracle.weather import Weather

__all__ = ["LAG_S", "may_have_happened", "until_s"]

LAG_S = 300.0
"""How long after its last sign a call that was given up may still be on its way: a stall of TCP
(10 s), and its turn behind some others, each with a slow disk (5 s)."""

_REFUSALS = frozenset(
    {
        "UNAUTHORIZED",
        "INVALID_REQUEST",
        "INVALID_ENDPOINT",
        "ENDPOINT_BLOCKED",
        "ENDPOINT_UNREACHABLE",
        "DUPLICATE_URL",
        "INVALID_HEADERS",
        "PAYLOAD_TOO_LARGE",
        "ENDPOINT_NOT_FOUND",
        "NOT_FOUND",
        "IDEMPOTENCY_MISMATCH",
        "ALREADY_PAUSED",
        "NOT_PAUSED",
        "MAX_SIGNING_KEYS_REACHED",
        "CANNOT_DELETE_LAST_KEY",
        "PAYLOAD_UNAVAILABLE",
        "RETENTION_EXPIRED",
        "INVALID_STATUS",
        "DELIVERY_IN_PROGRESS",
        "RETRY_IN_PROGRESS",
        "REPLAY_LIMIT_EXCEEDED",
        "RATE_LIMITED",
        "RATE_LIMIT_EXCEEDED",
    }
)
"""The caller's mistakes, and states that forbid what was asked for: nothing was changed. Any other
error (503, 500, a broken connection) leaves it open."""


def may_have_happened(call: Call) -> bool:
    """Return whether a call was, or may have been, carried out."""
    return call.error is None or call.error not in _REFUSALS


def until_s(call: Call, weather: Weather) -> float:
    """Return by when a call had its effect, if it had one.

    An answered one: by the answer. One that got no answer may be carried out later, though not by
    a process that has ended since: nothing is kept of a call but what it has written.
    """
    if call.ended_s is None:
        return weather.death_after(call.began_s)
    if call.error is None:
        return call.ended_s
    return min(call.ended_s + LAG_S, weather.death_after(call.ended_s))
