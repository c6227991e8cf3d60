"""The moment by which what is old is told, before it is removed for good."""

from sluicegate.engine.ports import Clock

__all__ = ["removal_ms"]


def removal_ms(clock: Clock) -> int:
    """Return the moment that removals go by, in milliseconds since the Unix epoch.

    The wall clock, or the steady one where that is earlier: a wall clock that jumps ahead while
    the process runs makes nothing look old that is young.
    """
    return min(clock.wall_ms(), clock.steady_ms())
