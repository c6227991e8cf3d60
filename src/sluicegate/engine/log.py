"""The one logger of the package: structlog events through the standard library's `logging`.

A host program that embeds the engine decides what becomes of them, as with any library:
nothing is configured here, nothing is printed, and a level that is off costs one check.
`sluicegate.cli` configures rendering for the command line.
"""

import logging
from typing import Any

import structlog

__all__ = ["log"]


class _Logger(structlog.stdlib.BoundLogger):
    """structlog's, but that it asks whether a level is on before it does anything at all."""

    def debug(self, event: str | None = None, *args: object, **fields: Any) -> Any:  # noqa: ANN401 - structlog's signature
        """Log what is only of interest to somebody who looks for a fault."""
        if self._logger.isEnabledFor(logging.DEBUG):
            return super().debug(event, *args, **fields)
        return None

    def info(self, event: str | None = None, *args: object, **fields: Any) -> Any:  # noqa: ANN401 - structlog's signature
        """Log what happens in the course of things."""
        if self._logger.isEnabledFor(logging.INFO):
            return super().info(event, *args, **fields)
        return None


# Bound at once: the lazy one that `wrap_logger` returns is bound anew by each call.
log: _Logger = structlog.wrap_logger(
    logging.getLogger("sluicegate"),
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    wrapper_class=_Logger,
    context_class=dict,
).bind()
"""Events are dotted past participles (`attempt.finished`), their facts are fields."""
