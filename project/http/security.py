"""By which names we may be called, whose pages may call us, and what browsers are told."""

from __future__ import annotations

import re

from flask import Flask, Request, Response
from flask.config import Config
from flask_cors import CORS
from werkzeug.sansio.utils import host_is_trusted

from project.errors import Refused

# No answer is a page; a browser that takes one for a page does nothing with it.
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
SENT = [
    *("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match"),
    "X-Request-Id",
]
READ = [
    *("Content-Disposition", "ETag", "Idempotent-Replayed", "Location", "RateLimit"),
    *("RateLimit-Policy", "Retry-After", "WWW-Authenticate", "X-Request-Id"),
]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
HOUR = 3600
# Who watches a process calls it by its address, and does not wait.
PROBES = frozenset(["/healthz", "/readyz", "/metrics"])


class UnknownHost(Refused):
    """The request is for somebody else, or somebody makes up who we are."""

    code = "unknown_host"
    sentence = "This service is not known by the name that Host says; see TRUSTED_HOSTS."


def init_app(app: Flask) -> None:
    """Let the pages of CORS_ORIGINS call the API, and no others (Fetch, section 3.2)."""
    if origins := app.config["CORS_ORIGINS"]:
        CORS(
            app,
            origins="*" if origins == ("*",) else [exactly(origin) for origin in origins],
            supports_credentials=app.config["CORS_CREDENTIALS"],
            methods=METHODS,
            allow_headers=SENT,
            expose_headers=READ,
            max_age=HOUR,
            send_wildcard=True,
            always_send=False,
            vary_header=False,  # `protect` says it, also where there is one origin
        )


def exactly(origin: str) -> re.Pattern[str]:
    """What the library compares letter by letter: of a text it would ignore the case, or take it
    for an expression.
    """
    return re.compile(re.escape(origin) + r"\Z")


def admit(request: Request, config: Config) -> None:
    """Raise UnknownHost unless it is called by a name of ours, where those are set."""
    trusted = config["TRUSTED_HOSTS"]
    if not trusted or request.path.rstrip("/") in PROBES:
        return
    if not host_is_trusted(request.environ.get("HTTP_HOST", "").lower(), trusted):
        raise UnknownHost


def protect(response: Response, request: Request, config: Config) -> Response:
    """Tell browsers and caches what they may do with it.

    What is answered to somebody is theirs, and a refusal is over when its cause is, so nobody
    stores them; the rest is asked for again each time, by its ETag (RFC 9111, section 5.2.2).
    """
    headers = response.headers
    told = {name.lower() for name, _ in headers}
    for name, value in ALWAYS.items():
        if name.lower() not in told:
            headers.add(name, value)
    if seconds := config["HSTS_SECONDS"]:
        headers.add("Strict-Transport-Security", f"max-age={seconds}")
    if config["CORS_ORIGINS"]:
        response.vary.add("Origin")
    reads = request.method in ("GET", "HEAD") and response.status_code < 400
    public = reads and "HTTP_AUTHORIZATION" not in request.environ
    if "cache-control" not in told:
        headers.add("Cache-Control", "no-cache" if public else "no-store")
    return response
