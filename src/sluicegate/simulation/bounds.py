"""What numbers a simulation takes: a wrong one would let time stand still, or never end."""

from typing import TypeGuard

__all__ = ["SECONDS_MAX", "check_count", "check_rate", "check_seconds"]

SECONDS_MAX = 100 * 366 * 86_400.0
"""A hundred years: behind them a float has no room for what happens within a millisecond."""


def check_seconds(name: str, value: object, *, least: float = 0.0) -> float:
    """Return a number of seconds, from `least` to `SECONDS_MAX`.

    Raises:
        ValueError: it is another one, infinite, no number, or `True`.
    """
    if not _is_number(value) or not least <= value <= SECONDS_MAX:
        raise ValueError(
            f"{name}: {value!r} is not allowed: seconds from {least:g} to {SECONDS_MAX:,.0f}"
        )
    return float(value)


def check_rate(name: str, value: object) -> float:
    """Return a probability, from 0 to 1.

    Raises:
        ValueError: it is another number, none, or `True`.
    """
    if not _is_number(value) or not 0 <= value <= 1:
        raise ValueError(f"{name}: {value!r} is not allowed: a rate is a number from 0 to 1")
    return float(value)


def check_count(name: str, value: object, *, least: int = 1) -> int:
    """Return a whole number, from `least` on.

    Raises:
        ValueError: it is less, no whole number, or `True`.
    """
    if type(value) is not int or value < least:
        raise ValueError(f"{name}: {value!r} is not allowed: a whole number from {least} on")
    return value


def _is_number(value: object) -> TypeGuard[float]:
    # `True` is a number to Python, and a mistake here.
    return isinstance(value, int | float) and type(value) is not bool
