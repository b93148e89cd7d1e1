"""A request as a span; only where OpenTelemetry is on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, Response, request

from project import meters, telemetry

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CARRIED = {"HTTP_TRACEPARENT": "traceparent", "HTTP_TRACESTATE": "tracestate"}


def init_app(app: Flask) -> None:
    """Trace its requests, if anything is traced: until the head of the answer is ready."""
    if not telemetry.active():
        return
    answer = app.wsgi_app

    def traced(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        method = method if method in meters.METHODS else meters.OTHER
        carrier = {field: environ[name] for name, field in CARRIED.items() if name in environ}
        attributes: dict[str, str | int] = {"http.request.method": method}
        with telemetry.span(method, "SERVER", attributes, carrier) as span:
            environ["telemetry.span"] = span
            return answer(environ, start_response)

    app.wsgi_app = traced  # type: ignore[method-assign]  # as Flask says of middleware
    app.after_request(_tell)


def _tell(response: Response) -> Response:
    """Say of the request's span what is known only now."""
    from opentelemetry.trace import StatusCode

    span, rule = request.environ["telemetry.span"], request.url_rule
    if not span.is_recording():  # its caller's is not kept, or it was not drawn
        return response
    span.set_attribute("http.response.status_code", response.status_code)
    if rule is not None:
        route = meters.template(rule.rule)
        span.set_attribute("http.route", route)
        span.update_name(f"{span.attributes['http.request.method']} {route}")
    if response.status_code >= 500:
        span.set_status(StatusCode.ERROR)
    return response
