"""The machine: Python, the event loop, files at once, the clock."""

import ctypes
import importlib.util
import platform
import resource
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sluicegate.cli.descriptors import descriptors_needed
from sluicegate.cli.doctor.results import Check, Patient, Result, error, ok, skipped, warning

__all__ = ["CHECKS", "SUPPORTED", "kernel_clock_synchronised"]

SUPPORTED = ((3, 11), (3, 13))
"""The first and the last version of Python that the tests run on."""

_FUTURE_S = 60
_YEARS = range(2025, 2100)
_TIME_ERROR = 5
_TIMEX_BYTES = 512
"""More than any `struct timex` has."""


def python(_patient: Patient) -> Iterator[Result]:
    """Is this a Python that is tested?"""
    seen = f"{platform.python_implementation()} {platform.python_version()}"
    first, last = (".".join(map(str, each)) for each in SUPPORTED)
    if SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
        yield ok("python", seen)
    else:
        yield warning("python", seen, f"it is tested on {first} to {last}: use one of these")


def loop(_patient: Patient) -> Iterator[Result]:
    """Which event loop will a server run on?"""
    found = importlib.util.find_spec("uvloop") is not None
    yield ok("event loop", "uvloop" if found else "asyncio (uvloop is not installed: optional)")


def descriptors(patient: Patient) -> Iterator[Result]:
    """May the process have as many files open as its settings allow for?"""
    needed = descriptors_needed(patient.settings)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= needed:
        limit = "no limit" if hard == resource.RLIM_INFINITY else f"{hard} allowed"
        yield ok("open files", f"{limit}, {needed} may be needed")
    else:
        yield warning(
            "open files",
            f"{hard} allowed, but connections_max, in_flight_max and in_flight_late_max may need "
            f"{needed}",
            "raise the limit (ulimit -n, LimitNOFILE) or lower those settings",
        )


def clock(patient: Patient) -> Iterator[Result]:
    """Does the wall clock tell a time that can be?"""
    now_ms = patient.clock.wall_ms()
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    seen, advice = now.isoformat(timespec="seconds"), "set the clock, and keep it set with NTP"
    database = Path(patient.database)
    ahead_s = database.stat().st_mtime - now_ms / 1000 if database.exists() else 0
    stepped_s = abs(now_ms - patient.clock.steady_ms()) / 1000
    if now.year not in _YEARS:
        yield error("clock", f"{seen} cannot be: signatures would carry that time", advice)
    elif ahead_s > _FUTURE_S:
        yield warning("clock", f"{seen}, but the database is {ahead_s:.0f} s younger", advice)
    elif stepped_s > 1:
        yield warning("clock", f"{seen}, and it was set by {stepped_s:.0f} s just now", advice)
    else:
        yield ok("clock", seen)


def synchronisation(_patient: Patient) -> Iterator[Result]:
    """Is the clock kept right?"""
    synchronised = kernel_clock_synchronised()
    if synchronised is None:
        yield skipped("clock synchronisation", "this system does not tell")
    elif synchronised:
        yield ok("clock synchronisation", "the kernel's clock is synchronised")
    else:
        yield warning(
            "clock synchronisation",
            "the kernel's clock is not synchronised",
            "run an NTP client (systemd-timesyncd, chrony) on the machine: receivers refuse "
            "signatures whose time is minutes off",
        )


def kernel_clock_synchronised() -> bool | None:
    """Return whether the kernel says that its clock is synchronised; `None`: it does not say."""
    if sys.platform != "linux":
        return None
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


CHECKS: tuple[Check, ...] = (python, loop, descriptors, clock, synchronisation)
