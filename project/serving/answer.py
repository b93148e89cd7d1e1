"""An answer on the wire: its head leaves with the first piece of its body, in one `send`."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from gunicorn.http.message import Request
from gunicorn.http.wsgi import Response

from project.serving.connection import Connection


class Answer(Response):
    """gunicorn's, with its rules for heads and lengths; a head is kept until something follows."""

    def __init__(self, request: Request, sock: Any, cfg: Any, connection: Connection) -> None:
        super().__init__(request, sock, cfg)
        self.connection = connection
        self.headers_sent = False
        self.head = b""
        self.left = False  # whether anything of it has: then nothing else can be answered

    def should_close(self) -> bool:
        return super().should_close() or not self.connection.spent(self.req)

    def send_headers(self) -> None:
        if self.headers_sent:
            return
        major, minor = self.req.version
        how = "upgrade" if self.upgrade else "close" if self.should_close() else "keep-alive"
        lines = [
            f"HTTP/{major}.{minor} {self.status}",
            f"Server: {self.version}",
            f"Date: {date(int(time.time()))}",
            f"Connection: {how}",
            *(["Transfer-Encoding: chunked"] if self.chunked else []),
            *[f"{name}: {value}" for name, value in self.headers],
        ]
        self.head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        self.headers_sent = True

    def close(self) -> None:
        self.send_headers()
        self._send(b"0\r\n\r\n" if self.chunked else b"")

    def sendfile(self, respiter: Any) -> bool:
        return False  # pieces leave with the head

    def _emit_body(self, data: bytes) -> None:
        self._send(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data)

    def _send(self, data: bytes) -> None:
        data, self.head = self.head + data, b""
        if data:
            self.left = True
            self.connection.send(data)


@lru_cache(1)
def date(second: int) -> str:
    """As RFC 9110 writes it, section 5.6.7."""
    return formatdate(second, usegmt=True)
