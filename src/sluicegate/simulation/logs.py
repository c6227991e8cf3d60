"""What the engine logs becomes part of the trace."""

import contextlib
import logging
from collections.abc import Iterator

from sluicegate.simulation.trace import Trace

__all__ = ["traced_logs"]

_FACTS = ("endpoint_id", "message_id", "attempt_no", "outcome", "response_status", "chore", "error")
_LOGGER = "sluicegate"


class _Handler(logging.Handler):
    """Notes events with those of their facts that two runs have in common."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(logging.INFO)
        self._trace = trace

    def emit(self, record: logging.LogRecord) -> None:
        """Note one event."""
        event = record.msg
        if not isinstance(event, dict):
            return
        facts = (f"{name}={event[name]}" for name in _FACTS if event.get(name) is not None)
        self._trace.note(f"log.{record.levelname.lower()}", event.get("event"), *facts)


@contextlib.contextmanager
def traced_logs(trace: Trace) -> Iterator[None]:
    """Lead the engine's events, from `info` on, into a trace while the context lasts."""
    logger, handler = logging.getLogger(_LOGGER), _Handler(trace)
    before = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before
