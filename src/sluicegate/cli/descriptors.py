"""The process's file descriptors: as many as it may have."""

import resource

from sluicegate.engine.settings import Settings

__all__ = ["descriptors_needed", "raise_descriptors_max"]

_OTHERS = 100
"""Database, log, look-ups, listening sockets."""


def descriptors_needed(settings: Settings) -> int:
    """Return how many files a server with these settings may have open at once."""
    # Beside the connections to receivers that are in use, `in_flight_max` may wait for their next
    # request.
    in_use = settings.in_flight_max + settings.in_flight_late_max
    return settings.connections_max + in_use + settings.in_flight_max + _OTHERS


def raise_descriptors_max(settings: Settings) -> str | None:
    """Raise the soft limit of open files to the hard one.

    Returns:
        A sentence for the log if that is less than the settings may need, else `None`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # some systems allow less than they say
            hard = soft
    needed = descriptors_needed(settings)
    if hard == resource.RLIM_INFINITY or hard >= needed:
        return None
    return (
        f"{hard} open files are allowed, but connections_max, in_flight_max and in_flight_late_max "
        f"may need {needed}: raise the limit (ulimit -n, LimitNOFILE) or lower them"
    )
