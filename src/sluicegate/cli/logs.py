"""How the command line renders the log: colours on a terminal, JSON lines in a pipe.

Only here is logging configured; a program that embeds the engine keeps its own configuration.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor

from sluicegate.cli.log_thread import ThreadHandler
from sluicegate.engine.settings import Settings

__all__ = ["configure_logs"]


def configure_logs(settings: Settings, *, stream: TextIO | None = None) -> None:
    """Send the log to `stream` as `log_level` and `log_format` say. For the whole process.

    Other libraries are heard from `warning` up.

    Args:
        settings: `log_level` and `log_format` are read.
        stream: standard error unless given.
    """
    stream = stream if stream is not None else sys.stderr
    colours = stream.isatty()
    renderers: list[Processor]
    if settings.log_format == "json" or (settings.log_format == "auto" and not colours):
        renderers = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        renderers = [structlog.dev.ConsoleRenderer(colors=colours)]
    handler = ThreadHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
            ],
            processors=[
                _add_timestamp,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *renderers,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("sluicegate").setLevel(settings.log_level.upper())


def _add_timestamp(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Add the moment that the record was made, as the API writes moments."""
    moment = datetime.fromtimestamp(event["_record"].created, UTC)
    event["timestamp"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event
