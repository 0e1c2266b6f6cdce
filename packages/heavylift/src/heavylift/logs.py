"""Logs on stderr, for structlog and for what libraries log through the standard library."""

from __future__ import annotations

import logging
import logging.config
import sys
from collections.abc import Mapping

import structlog

from heavylift.settings import LogFormat, Settings


def configure(settings: Settings, *, quiet: Mapping[str, str] | None = None) -> None:
    """Send all logs of this process to stderr, one JSON object a line or in colours for a terminal.

    `quiet` gives single loggers a level of their own.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": shared,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(settings.log_format)],
    }
    handler = {"class": "logging.StreamHandler", "formatter": "ours"}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"ours": formatter},
            "handlers": {"stderr": handler},
            "root": {"handlers": ["stderr"], "level": settings.log_level.upper()},
            "loggers": {name: {"level": own} for name, own in (quiet or {}).items()},
        }
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _renderers(form: LogFormat) -> list[structlog.typing.Processor]:
    if form is LogFormat.CONSOLE:
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
