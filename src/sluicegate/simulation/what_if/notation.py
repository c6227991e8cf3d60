"""How scenarios are written at a command line: `200/s`, `3h at 14:00 of 20% hang`, `a=60,300`."""

import math
import re

from sluicegate.engine.settings import Settings
from sluicegate.simulation.what_if.scenario import Outage, OutageKind, RetryDelays, ScenarioError

__all__ = ["read_duration", "read_outage", "read_rate", "read_schedule"]

_UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_PER_S = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_PIECE = re.compile(rf"({_NUMBER})(min|[smhd])")
_RATE = re.compile(rf"({_NUMBER})/(s|sec|m|min|h|d)")
_OUTAGE = re.compile(
    rf"(?P<long>\S+) +at +(?P<hour>[0-9]{{1,3}}):(?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9]))?"
    rf"(?: +of +(?P<share>{_NUMBER})%)?(?: +(?P<kind>\S+))?"
)
_LABEL_CHARS_MAX = 40
_DELAYS_MAX = 100


def read_duration(text: str) -> float:
    """Return seconds from a text such as `90s`, `30m`, `3h`, `1h30m` or `2d`.

    Raises:
        ScenarioError: it is no such text.
    """
    pieces = _PIECE.findall(text.strip())
    seconds = sum(float(number) * _UNITS_S[unit] for number, unit in pieces)
    if not pieces or "".join(map("".join, pieces)) != text.strip() or not 0 < seconds < math.inf:
        raise ScenarioError(
            f"duration {text!r} is not allowed: numbers with units s, m, h or d, such as 90s, 3h"
            " or 1h30m"
        )
    return seconds


def read_rate(text: str) -> float:
    """Return messages a second from a text such as `200/s` or `12/min`.

    Raises:
        ScenarioError: it is no such text.
    """
    found = _RATE.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        raise ScenarioError(
            f"rate {text!r} is not allowed: a number above 0 and a unit, /s, /min, /h or /d, such"
            " as 200/s or 12/min"
        )
    return float(found[1]) / _PER_S[found[2]]


def read_outage(text: str) -> Outage:
    """Return an outage from a text such as `3h at 14:00` or `30m at 09:15 of 20% hang`.

    Hours go on after the first day: 38:00 is 14:00 on the second.

    Raises:
        ScenarioError: it is no such text.
    """
    found = _OUTAGE.fullmatch(text.strip())
    if found is None:
        raise ScenarioError(
            f"outage {text!r} is not allowed: how long, when, and if you like which share of the"
            " endpoints and how they fail (refused, 503 or hang), such as '3h at 14:00' or"
            " '30m at 09:15 of 20% hang'"
        )
    share = float(found["share"] or 100) / 100
    if not 0 < share <= 1:
        raise ScenarioError(f"outage {text!r}: of {found['share']}% is not allowed: above 0 to 100")
    kind = found["kind"] or OutageKind.ERROR
    if kind not in set(OutageKind):
        allowed = ", ".join(OutageKind)
        raise ScenarioError(f"outage {text!r}: {kind!r} is not allowed: one of {allowed}")
    from_s = int(found["hour"]) * 3600.0 + int(found["minute"]) * 60 + int(found["second"] or 0)
    try:
        until_s = from_s + read_duration(found["long"])
    except ScenarioError as error:
        raise ScenarioError(f"outage {text!r}: {error}") from None
    return Outage(from_s=from_s, until_s=until_s, share=share, kind=OutageKind(kind))


def read_schedule(text: str) -> RetryDelays:
    """Return a retry schedule from `default`, `60,300,1800` or `patient=60,300,1800`.

    Raises:
        ScenarioError: it is no such text.
    """
    name, equals, listed = text.rpartition("=")
    label = name.strip() if equals else listed.strip()
    if not equals and label == "default":
        return RetryDelays(label=label, slow_s=Settings().retry_slow_s)
    try:
        delays = tuple(float(each) for each in listed.split(","))
    except ValueError:
        delays = ()
    if not 1 <= len(delays) <= _DELAYS_MAX or not all(0 <= each < float("inf") for each in delays):
        raise ScenarioError(
            f"schedule {text!r} is not allowed: 'default', or 1 to 100 numbers of seconds,"
            " separated by commas, with a name before them if you like: patient=60,300,1800"
        )
    if not 1 <= len(label) <= _LABEL_CHARS_MAX or not label.isprintable():
        if equals:
            raise ScenarioError(
                f"schedule {text!r}: a name has 1 to {_LABEL_CHARS_MAX} visible characters"
            )
        label = f"{label[: _LABEL_CHARS_MAX - 1]}…"
    return RetryDelays(label=label, slow_s=delays)
