"""What a receiver asked for with `Retry-After`, on which clock (RFC 9110 §10.2.3)."""

import math
import re
from datetime import UTC, datetime

from sluicegate.simulation.oracle.facts import Facts
from sluicegate.simulation.oracle.history import EventKind, Exchange
from sluicegate.simulation.oracle.timing import Span
from sluicegate.simulation.world import EPOCH_MS

__all__ = ["asked_s"]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FIXDATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4})"
    r" ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)
_DIGITS_MAX = len(str(2**31))
_NOTHING = Span(0.0, 0.0)


def asked_s(facts: Facts, exchange: Exchange) -> Span:
    """Return how long after the attempt's end, in seconds, a receiver wants to be left alone.

    At the least and at the most, if its answer was heard. Seconds count from when they are read. A
    date is one of the wall clock, which all hosts of a world share; the engine compares it with
    its own when it reads it, in whole seconds, rounded up. So the retry is due at that moment of
    the wall clock as it then stands, and stays where it is if the clock is set anew later: until
    the next start a schedule goes by the steady clock. If the clock may have been set between
    the receiver's look at it and the engine's, anything from nothing to the cap is lawful. What has
    passed, or is neither of the two forms, asks for nothing; what is asked for beyond
    `retry_after_max_s` counts as that.
    """
    text = _header(exchange)
    most_s = float(facts.history.retry_after_max_s)
    if text.isascii() and text.isdecimal():
        seconds = min(float(text), most_s) if len(text) <= _DIGITS_MAX else most_s
        return Span(seconds, seconds)
    at_s, said_s = _moment_s(text), exchange.answered_s
    if at_s is None or said_s is None:
        return _NOTHING
    read = facts.timing.ended(exchange)
    if any(said_s <= jump_s <= read.hi for jump_s in facts.weather.jumps):
        return Span(0.0, most_s)
    left_s = at_s - _set_by_s(facts, said_s) - read.lo
    return Span(min(max(left_s, 0.0), most_s), min(max(math.ceil(left_s), 0.0), most_s))


def _header(exchange: Exchange) -> str:
    headers = () if exchange.answer is None else exchange.answer.headers
    return next((value for name, value in headers if name.lower() == "retry-after"), "")


def _moment_s(text: str) -> float | None:
    """Return the moment of a date, in seconds of a world whose clock was never set anew."""
    found = _FIXDATE.fullmatch(text)
    if found is None or found[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(found[n]) for n in (1, 3, 4, 5, 6))
    try:
        moment = datetime(year, _MONTHS.index(found[2]) + 1, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return moment.timestamp() - EPOCH_MS / 1000


def _set_by_s(facts: Facts, at_s: float) -> float:
    """Return by how much the wall clock had been set until a moment, in all."""
    return sum(
        event.jump_s
        for event in facts.history.events
        if event.kind is EventKind.CLOCK_JUMPED and event.at_s < at_s
    )
