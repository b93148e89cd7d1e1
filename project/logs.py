"""One JSON line per event on standard error, ours and the libraries' alike."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

import click
import structlog

from project import origin


class _StandardError:
    """Standard error as it is now: test runners replace it. A full disk must not fail a request."""

    wanted = True  # whether what goes well is told

    def write(self, line: str) -> None:
        try:
            sys.stderr.write(line)
        except OSError:
            return

    def flush(self) -> None:
        """Nothing is left to do: Python flushes its standard error with each line."""


def _without_details(_: Any, __: str, event: Any) -> Any:
    """What the driver adds to its first line shows whole rows, as in `db/rules.py`."""
    if "exception" in event:
        event["exception"] = re.sub(r"(?s)\nDETAIL: .*", "", event["exception"])
    return event


def _under_request_id(_: Any, __: str, event: Any) -> Any:
    """Which request a line is about."""
    if (id := origin.entered()) is not None:
        event.setdefault("request_id", id)
    return event


def _json(event: Any, **_: Any) -> str:
    return ENCODE(event)


def _line(_: Any, level: str, event: Any) -> str:
    """A line of ours: what the processors below do, in one step, since every request has some."""
    if "exc_info" in event:
        event = _without_details(_, level, structlog.processors.format_exc_info(_, level, event))
    _under_request_id(_, level, event)
    event["level"] = level
    event["time"] = now()
    return ENCODE(event)


def now() -> str:
    """The time as lines of the log tell it."""
    seconds, micro = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{_second(seconds)}.{micro:06}Z"


@lru_cache(1)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def tell(event: str, fields: Mapping[str, object]) -> None:
    """Log what has happened, as `log.info` would: each write has such a line."""
    write(_line(None, "info", {**fields, "event": event}))


def write(line: str) -> None:
    """Add a line that is JSON already, where what goes well is told."""
    if STREAM.wanted:
        STREAM.write(line + "\n")


ENCODE = json.JSONEncoder(default=repr).encode
STREAM = _StandardError()
RENDER = structlog.processors.JSONRenderer(serializer=_json)
SHARED: list[Any] = [
    _under_request_id,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    structlog.processors.format_exc_info,
    _without_details,
]


def init() -> None:
    """Send structlog's events and the standard library's records through the same processors."""
    STREAM.wanted = not _at_terminal()
    stream: TextIO = STREAM  # type: ignore[assignment]  # because it forwards
    structlog.configure(
        processors=[_line],
        logger_factory=structlog.WriteLoggerFactory(stream),  # a line at once: workers share a log
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.INFO if STREAM.wanted else logging.WARNING
        ),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*SHARED, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                RENDER,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)  # it quotes addresses and answers


def _at_terminal() -> bool:
    """Whoever types a command reads what it says itself, and no events; a server's are its log."""
    command = click.get_current_context(silent=True)
    return command is not None and command.info_name != "run" and sys.stderr.isatty()
