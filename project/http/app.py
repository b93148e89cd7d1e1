"""The application: one request, one transaction."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

import flask
from flask import Flask, Request, request_tearing_down
from flask.globals import request_ctx
from flask.json.provider import DefaultJSONProvider
from flask.sessions import NullSession, SessionInterface
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound
from werkzeug.routing import BaseConverter, MapAdapter

from project.db import reading, transacted
from project.http import body, problems, security, trace, uploads
from project.http.response import Response

SAFE = {"GET", "HEAD", "OPTIONS"}


class IdConverter(BaseConverter):
    """A row's id in a path: plain ASCII digits; one beyond the column is simply not there."""

    regex = "[0-9]{1,40}"

    def to_python(self, value: str) -> int:
        return int(value)


class Json(DefaultJSONProvider):
    """Members stand in the order of their schema, letters as themselves."""

    sort_keys = False
    ensure_ascii = False
    compact = True


class NoSessions(SessionInterface):
    """Nobody is known by a cookie, so that none is looked for."""

    none = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return self.none


class OurRequest(Request):
    """Flask's, which has files to close only where somebody asked for them."""

    def close(self) -> None:
        if "files" in self.__dict__:
            super().close()


class App(Flask):
    """Flask, with the boundary that commits and one shape of refusal."""

    json_provider_class = Json
    request_class = OurRequest
    response_class = Response
    session_interface = NoSessions()

    def __init__(self, name: str) -> None:
        super().__init__(name, static_folder=None)
        self.url_map.strict_slashes = False  # with or without the slash, and never a redirect
        self.url_map.merge_slashes = False
        self.url_map.converters["id"] = IdConverter
        problems.register(self)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view is a coroutine, so that none is asked whether it is."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Addresses do not depend on the host, so nothing of it is judged."""
        if request is None:
            return super().create_url_adapter(None)
        environ = request.environ
        return MapAdapter(
            self.url_map,
            server_name="",
            script_name=environ.get("SCRIPT_NAME") or "/",
            subdomain="",
            url_scheme="http",
            path_info=request.path,
            default_method=environ["REQUEST_METHOD"],
            query_args=environ.get("QUERY_STRING", ""),
        )

    def preprocess_request(self) -> ResponseReturnValue | None:
        request = request_ctx.request
        trace.enter(request)
        security.admit(request, self.config)
        hooked = self.before_request_funcs or self.url_value_preprocessors
        return super().preprocess_request() if hooked else None

    def process_response(self, response: flask.Response) -> flask.Response:
        response, request = super().process_response(response), request_ctx.request
        return trace.leave(security.protect(response, request, self.config), request)

    def do_teardown_request(self, *args: Any) -> None:
        if self.teardown_request_funcs or request_tearing_down.receivers:
            super().do_teardown_request(*args)

    def dispatch_request(self) -> ResponseReturnValue:
        """Answer inside a transaction: the last place where a failing commit is still a refusal."""
        request = request_ctx.request  # not by its proxy, several times
        if "//" in request.path:
            raise NotFound
        if request.routing_exception is not None or request.method in SAFE:
            with reading():
                return super().dispatch_request()
        if uploads.awaited(request):
            with uploads.received(request):
                return transacted(super().dispatch_request)
        body.receive(request)
        return transacted(super().dispatch_request)

    def make_default_options_response(self) -> flask.Response:
        """The methods of either spelling; werkzeug looks at one only."""
        response, path = super().make_default_options_response(), request_ctx.request.path
        if (adapter := request_ctx.url_adapter) is not None:
            response.allow.update(adapter.allowed_methods(path.rstrip("/") + "/"))
        return response

    def raise_routing_exception(self, request: Request) -> NoReturn:
        """A method that is not allowed is so under either spelling; werkzeug looks at one only."""
        adapter = request_ctx.url_adapter
        if isinstance(request.routing_exception, NotFound) and adapter is not None:
            with suppress(NotFound):
                adapter.match(request.path.rstrip("/") + "/")
        super().raise_routing_exception(request)
