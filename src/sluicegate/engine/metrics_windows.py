"""The spans that metrics speak of, and how finely what is counted must be kept for them.

Counts are taken by the minute. A span is divided into buckets; a row of counts that lies wholly in
one bucket is as good as its minutes, so what is too old for the finer spans is *packed*: added
to the row of the first minute of a longer stretch. Every width divides the next one and all begin
with the epoch, so that a stretch never lies across two buckets.
"""

from enum import StrEnum

import msgspec

__all__ = [
    "GRIDS",
    "MINUTE_MS",
    "PACKING",
    "WIDEST_MINUTES",
    "Grid",
    "MetricsWindow",
    "kept_from",
    "packed_start",
]

MINUTE_MS = 60_000
_HOUR = 60
_DAY = 24 * _HOUR


class MetricsWindow(StrEnum):
    """How far back metrics reach."""

    HOUR = "1h"
    """By the minute."""
    DAY = "24h"
    """By the quarter of an hour."""
    WEEK = "7d"
    """By the hour."""
    MONTH = "30d"
    """By six hours."""


class Grid(msgspec.Struct, frozen=True):
    """The buckets of a window: aligned to the epoch, the last one is the one under way."""

    width_minutes: int
    count: int

    def first_minute(self, now_minute: int) -> int:
        """Return the minute with which the oldest bucket begins."""
        return _floor(now_minute, self.width_minutes) - (self.count - 1) * self.width_minutes


GRIDS = {
    MetricsWindow.HOUR: Grid(1, 60),
    MetricsWindow.DAY: Grid(15, 96),
    MetricsWindow.WEEK: Grid(_HOUR, 168),
    MetricsWindow.MONTH: Grid(6 * _HOUR, 120),
}

PACKING = ((2 * _HOUR, 15), (25 * _HOUR, _HOUR), (8 * _DAY, 6 * _HOUR))
"""Beyond so many minutes of age, rows are as wide as so many minutes. Each age is longer than the
window that needs what is finer."""
WIDEST_MINUTES = PACKING[-1][1]


def packed_start(minute: int, now_minute: int) -> int:
    """Return the minute in whose row the counts of `minute` belong by now."""
    for age_minutes, width_minutes in reversed(PACKING):
        if minute < _floor(now_minute - age_minutes, width_minutes):
            return _floor(minute, width_minutes)
    return minute


def kept_from(now_minute: int, history_days: int) -> int:
    """Return the oldest minute whose counts are kept."""
    return _floor(now_minute - history_days * _DAY, WIDEST_MINUTES)


def _floor(minute: int, width_minutes: int) -> int:
    return minute - minute % width_minutes
