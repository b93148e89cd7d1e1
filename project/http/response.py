"""A response that goes out as it was made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import flask
from werkzeug.datastructures import Headers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


BARE = (204, 304)  # statuses without a body, whose length must not be told


class Response(flask.Response):
    """Flask's, without what werkzeug does for relative redirects: there are none."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        whole = "Content-Length" in self.headers and self.is_sequence and not self._on_close
        if not whole or self.status_code in BARE:
            return super().__call__(environ, start_response)
        start_response(self.status, self.headers.to_wsgi_list())
        pieces: Any = self.response
        return () if environ["REQUEST_METHOD"] == "HEAD" else pieces


class Document(Response):
    """A document of JSON, made whole: werkzeug would first look for each part that it may lack."""

    def __init__(self, *pieces: bytes, status: int = 200) -> None:
        body = b"".join((*pieces, b"\n"))
        self.response, self.direct_passthrough = [body], False
        self._on_close: list[Callable[[], Any]] = []
        self.status_code = status
        self.headers = Headers()
        self.headers.add("Content-Type", "application/json")
        self.headers.add("Content-Length", str(len(body)))
