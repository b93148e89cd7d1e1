"""A refusal as an answer: problem documents (RFC 9457), and the one table from family to status."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.exceptions import NotFound as WerkzeugNotFound

from config import NAME
from project import errors
from project.embedded import EmbeddedError
from project.http.trace import request_id

log = structlog.get_logger(__name__)

BROKEN = "Something broke on our side; the request id finds it in the log."


class BadBody(errors.Refusal):
    """The body is not JSON that means one thing."""

    code = "malformed_body"


class InvalidToken(errors.Unauthorized):
    """There is a token, but it is bad, expired, revoked or for another purpose."""


class TooLarge(errors.Refusal):
    """The body is larger than this operation takes."""

    code = "body_too_large"


class UnsupportedMedia(errors.Refusal):
    """The body is in a format or an encoding this operation does not read."""

    code = "unsupported_media_type"


STATUS: dict[type[errors.Refusal], int] = {
    errors.Refused: 400,
    BadBody: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Stale: 412,
    TooLarge: 413,
    UnsupportedMedia: 415,
    errors.Invalid: 422,
    errors.TooMany: 429,
    errors.Bug: 500,
    errors.Unavailable: 503,
}


def status_of(refusal: errors.Refusal | type[errors.Refusal]) -> int:
    """The status of a refusal; a subclass answers like its family."""
    family = refusal if isinstance(refusal, type) else type(refusal)
    return next(STATUS[kind] for kind in family.__mro__ if kind in STATUS)


def document(refusal: errors.Refusal, request_id: str, status: int | None = None) -> dict[str, Any]:
    """The members of the problem document."""
    return {
        "type": f"/problems/{refusal.code.replace('_', '-')}",
        "title": refusal.code.replace("_", " ").capitalize(),
        "status": status or status_of(refusal),
        "detail": refusal.sentence,
        "code": refusal.code,
        "request_id": request_id,
        **refusal.members,
    }


def answer(refusal: errors.Refusal, status: int | None = None) -> Response:
    """A refusal as application/problem+json, with the headers its status asks for."""
    problem = document(refusal, request_id(), status)
    g.refused = refusal.code  # which is counted when the request is answered: it may be done again
    response = jsonify(problem)
    response.status_code = problem["status"]
    response.content_type = "application/problem+json"
    if isinstance(refusal, errors.Unauthorized):
        token = ', error="invalid_token"' if isinstance(refusal, InvalidToken) else ""
        response.headers["WWW-Authenticate"] = f'Bearer realm="{NAME}"{token}'
    if isinstance(refusal, errors.TooMany | errors.Unavailable):
        response.headers["Retry-After"] = str(refusal.retry_after)
    if isinstance(refusal, errors.TooMany):  # draft-ietf-httpapi-ratelimit-headers
        policy = f'"{refusal.name}";q={refusal.limit};w={refusal.window}'
        response.headers["RateLimit-Policy"] = policy
        response.headers["RateLimit"] = f'"{refusal.name}";r=0;t={refusal.retry_after}'
    return response


def routing(error: HTTPException) -> Response:
    """Werkzeug's own refusals in the same shape, their headers kept (405 has Allow)."""
    status = error.code or 500
    code = (error.name or "error").lower().replace(" ", "_").replace("'", "")
    response = answer(errors.Refusal(_sentence(error), code=code), status)
    for name, value in error.get_headers(request.environ):
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def bug(error: Exception) -> Response:
    """What nobody foresaw: the caller learns the request id, the log learns everything."""
    log.error("bug", exc_info=error)
    return answer(errors.Bug(BROKEN))


def no_server(_: EmbeddedError) -> Response:
    """The embedded PostgreSQL does not start: its sentence is for whoever runs the service."""
    log.exception("no embedded PostgreSQL")
    return answer(errors.Unavailable("The database is away; try again."))


def register(app: Flask) -> None:
    """Let every refusal, whoever raised it, leave through this door."""
    app.register_error_handler(errors.Refusal, answer)
    app.register_error_handler(EmbeddedError, no_server)
    app.register_error_handler(HTTPException, routing)
    app.register_error_handler(Exception, bug)


def _sentence(error: HTTPException) -> str:
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or []))
        return f"{request.method} is not allowed here; use one of {allowed}."
    if isinstance(error, WerkzeugNotFound):
        return "There is nothing at this address."
    return error.description or error.name
