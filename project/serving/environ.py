"""What the application is told of a request (PEP 3333)."""

from __future__ import annotations

from typing import Any

from gunicorn.http import wsgi
from gunicorn.util import unquote_to_wsgi_str

from project.serving.answer import Answer
from project.serving.connection import Head


def told(request: Head, answer: Answer) -> dict[str, Any]:
    """gunicorn's, which is kept for requests with the same fields: only their line is new."""
    fields = request.fields
    if fields is None or (kept := fields.environ) is None:
        environ = _made(request, answer)
        if fields is not None and not environ["SCRIPT_NAME"]:
            fields.environ = {**environ, "wsgi.input": None}
        return environ
    major, minor = request.version
    return {
        **kept,
        "wsgi.input": request.body,
        "REQUEST_METHOD": request.method,
        "SERVER_PROTOCOL": f"HTTP/{major}.{minor}",
        "RAW_URI": request.uri,
        "PATH_INFO": unquote_to_wsgi_str(request.path),
        "QUERY_STRING": request.query,
    }


def _made(request: Head, answer: Answer) -> dict[str, Any]:
    connection = answer.connection
    _, environ = wsgi.create(
        request,
        connection.sock,
        connection.peer,
        connection.name,
        request.cfg,
        lambda *_: answer,
    )
    environ["wsgi.multithread"] = True
    del environ["wsgi.early_hints"]  # there are none: they would have to be made each time
    made: dict[str, Any] = environ
    return made
