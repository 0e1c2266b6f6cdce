"""Logs on stderr, for structlog and for what libraries log through the standard library.

A process may fork while one of its threads writes. The lock of that write is then never given back in the new process:
its first word, or its end, would wait for ever. CPython mends the locks of `logging`, not those of the streams beneath
(3.11-3.14), so a forked process gets streams of its own. The fork itself waits for nothing, however full a pipe is.
"""

from __future__ import annotations

import io
import logging
import logging.config
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import TextIO

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
    _mend_forks()


def _renderers(form: LogFormat) -> list[structlog.typing.Processor]:
    if form is LogFormat.CONSOLE:
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


_left_behind: list[TextIO] = []
"""Streams of the process that forked this one. An end of theirs would be a flush, which takes the lock."""


@cache
def _mend_forks() -> None:
    os.register_at_fork(after_in_child=_renew_streams)


def _renew_streams() -> None:
    """Let all that this process says go through locks of its own, to where it went before."""
    old = sys.stdout, sys.stderr
    _left_behind.extend(old)
    sys.stdout, sys.stderr = map(_renewed, old)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            _left_behind.append(handler.stream)
            # setStream() would flush the old one.
            handler.stream = sys.stderr if handler.stream is old[1] else _renewed(handler.stream)


def _renewed(stream: TextIO) -> TextIO:
    # Only a buffer has a lock; with PYTHONUNBUFFERED there is none.
    if isinstance(stream, io.TextIOWrapper) and isinstance(stream.buffer, io.BufferedWriter):
        buffering = 1 if stream.line_buffering else -1
        with suppress(OSError, ValueError):  # it is closed, or no file
            return open(stream.fileno(), "w", buffering, encoding=stream.encoding, errors=stream.errors, closefd=False)
    return stream
