"""One JSON line per event on standard error, ours and the libraries' alike."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog

SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    structlog.processors.format_exc_info,
]


class _StandardError:
    """Standard error as it is now: test runners and servers replace it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


def init() -> None:
    """Send structlog's events and the standard library's records through the same processors."""
    stream: TextIO = _StandardError()  # type: ignore[assignment]  # because it forwards
    structlog.configure(
        processors=[*SHARED, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(stream),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*SHARED, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
