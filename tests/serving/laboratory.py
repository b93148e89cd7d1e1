"""An application that answers as the tests need it: slowly, in pieces, or not at all."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl

from project.serving import connection

connection.PATIENCE = int(os.environ.get("LABORATORY_PATIENCE", connection.PATIENCE))

Start = Callable[[str, list[tuple[str, str]]], Any]
LINE = ("REQUEST_METHOD", "RAW_URI", "PATH_INFO", "QUERY_STRING", "SERVER_PROTOCOL")
MEBIBYTE = b"0123456789abcdef" * 65536


def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    """The path says what to do, before the number of an item."""
    query = dict(parse_qsl(environ["QUERY_STRING"]))
    match environ["PATH_INFO"].rstrip("/0123456789"):
        case "/digest":
            body = environ["wsgi.input"].read()
            return whole(start, f"{len(body)} {hashlib.sha256(body).hexdigest()}")
        case "/sleep":
            time.sleep(float(query["seconds"]))
            return whole(start, "slept")
        case "/field":
            return whole(start, environ.get("HTTP_X_FIELD", "none"))
        case "/line":
            told = [environ.pop(name) for name in LINE]
            return whole(start, " ".join([*told, environ.setdefault("left", "new")]))
        case "/process":
            return whole(start, f"{os.getpid()}")
        case "/stream":
            start("200 OK", [("Content-Type", "text/plain")])
            return pieces(int(query["pieces"]), float(query.get("seconds", 0)))
        case "/broken":
            raise ValueError("broken before it answered")
        case "/header":
            start("200 OK", [("X-Broken", "a\nb")])
        case "/breaks":
            start("200 OK", [("Content-Type", "text/plain")])
            return breaks()
    return whole(start, "here")


def whole(start: Start, text: str) -> list[bytes]:
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", f"{len(text)}")])
    return [text.encode()]


def pieces(number: int, seconds: float) -> Iterator[bytes]:
    try:
        for _ in range(number):
            time.sleep(seconds)
            yield MEBIBYTE
    finally:
        print("the stream is closed", flush=True)


def breaks() -> Iterator[bytes]:
    yield b"some"
    raise ValueError("broken in the middle")
