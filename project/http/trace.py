"""One request followed: its id in and out, and one log line when it is answered."""

from __future__ import annotations

import re
import time
from typing import Any

import structlog
from flask import Flask, Response, g, request
from ulid import ULID

from project import origin

log = structlog.get_logger("project")

GOOD_ID = re.compile(r"[A-Za-z0-9._:/+=~-]{1,128}", re.ASCII)


def request_id() -> str:
    """The id of the request under way: the caller's if it is a valid one, else a new ULID."""
    if "request_id" not in g:
        sent = request.headers.get("X-Request-Id", "")
        g.request_id = sent if GOOD_ID.fullmatch(sent) else str(ULID())
    return str(g.request_id)


def user_agent() -> str:
    """What the caller says it is, as far as it can be shown."""
    return "".join(filter(str.isprintable, request.user_agent.string))[:255]


def init_app(app: Flask) -> None:
    """Give every request an id and a log line."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    g.began = time.perf_counter()
    origin.enter(request_id())


def _end(response: Response) -> Response:
    told: Any = request._get_current_object()  # type: ignore[attr-defined]  # once for all
    frame: Any = g._get_current_object()
    response.headers["X-Request-Id"] = frame.request_id
    log.info(
        "request",
        method=told.method,
        path=told.path,
        operation=told.endpoint,
        status=response.status_code,
        milliseconds=round((time.perf_counter() - frame.began) * 1000, 1),
        user_id=frame.get("user_id"),
    )
    return response
