"""JSON logs on stderr, for structlog and for what libraries log through the standard library."""

from __future__ import annotations

import logging
import logging.config
from collections.abc import Mapping

import structlog


def configure(level: str, *, quiet: Mapping[str, str] | None = None) -> None:
    """Send all logs of this process to stderr, one JSON object a line.

    `quiet` gives single loggers a level of their own.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: list[structlog.typing.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]
    formatter = {"()": structlog.stdlib.ProcessorFormatter, "foreign_pre_chain": shared, "processors": render}
    handler = {"class": "logging.StreamHandler", "formatter": "json"}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": formatter},
            "handlers": {"stderr": handler},
            "root": {"handlers": ["stderr"], "level": level.upper()},
            "loggers": {name: {"level": own} for name, own in (quiet or {}).items()},
        }
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
