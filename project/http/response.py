"""A response that goes out as it was made."""

from __future__ import annotations

from collections.abc import Iterable
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


def document(*pieces: bytes, status: int = 200) -> Response:
    """A document of JSON."""
    body = b"".join((*pieces, b"\n"))
    headers = Headers()  # werkzeug would look for each before it adds it
    headers.add("Content-Type", "application/json")
    headers.add("Content-Length", str(len(body)))
    return Response([body], status, headers)
