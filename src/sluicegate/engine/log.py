"""The one logger of the package: structlog events through the standard library's `logging`.

A host program that embeds the engine decides what becomes of them, as with any library:
nothing is configured here, nothing is printed, and a level that is off costs one check.
`sluicegate.cli` configures rendering for the command line.
"""

import logging
from typing import cast

import structlog

__all__ = ["log"]

log = cast(
    "structlog.stdlib.BoundLogger",
    structlog.wrap_logger(
        logging.getLogger("sluicegate"),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        context_class=dict,
        cache_logger_on_first_use=True,
    ),
)
"""Events are dotted past participles (`attempt.finished`), their facts are fields."""
