"""One request followed: its id in and out, and one log line when it is answered."""

from __future__ import annotations

import re
import time

import structlog
from flask import Response, request
from flask.globals import app_ctx, request_ctx
from ulid import ULID

from project import meters, origin

log = structlog.get_logger("project")

GOOD_ID = re.compile(r"[A-Za-z0-9._:/+=~-]{1,128}", re.ASCII)


def request_id() -> str:
    """The id of the request under way: the caller's if it is a valid one, else a new ULID."""
    frame = app_ctx.g  # not by its proxy, several times
    if "request_id" not in frame:
        sent = request.environ.get("HTTP_X_REQUEST_ID", "")
        frame.request_id = sent if GOOD_ID.fullmatch(sent) else str(ULID())
    return str(frame.request_id)


def user_agent() -> str:
    """What the caller says it is, as far as it can be shown."""
    return "".join(filter(str.isprintable, request.user_agent.string))[:255]


def enter() -> None:
    """Give the request an id; its time begins."""
    app_ctx.g.began = time.perf_counter()
    origin.enter(request_id())


def leave(response: Response) -> Response:
    """Answer its id, count it, and log it."""
    told, frame = request_ctx.request, app_ctx.g
    response.headers["X-Request-Id"] = frame.request_id
    seconds, rule = time.perf_counter() - frame.began, told.url_rule
    meters.answered(None if rule is None else rule.rule, told.method, response.status_code, seconds)
    if response.status_code >= 400 and "refused" in frame:
        meters.REFUSALS.labels(frame.refused).inc()
    log.info(
        "request",
        method=told.method,
        path=told.path,
        operation=told.endpoint,
        status=response.status_code,
        milliseconds=round(seconds * 1000, 1),
        user_id=frame.get("user_id"),
    )
    return response
