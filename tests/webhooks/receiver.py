"""Somebody else's endpoint, on loopback: it remembers what came and answers as it is told."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

from standardwebhooks import Webhook

Answer = int | Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Received:
    """A request as it came, and what it said if it was judged at once."""

    path: str
    headers: dict[str, str]
    body: bytes
    said: Any = None

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def document(self, secret: str) -> Any:
        """What it says, if the independent implementation finds it signed with this secret."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """Answers with the statuses, or as the functions do, in turn; the last one holds on.

    secret: what to judge requests by as they come, since in five minutes they are too old.
    """

    answers: list[Answer] = field(default_factory=lambda: [204])
    tls: ssl.SSLContext | None = None
    received: list[Received] = field(default_factory=list)
    secret: str = ""

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver.receive(self)

            def do_GET(self) -> None:
                receiver.receive(self)

            def log_message(self, *_: object) -> None:
                pass  # the terminal is the tests'

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # whoever is cut off must not fill the terminal

        self.server = Server(("127.0.0.1", 0), Handler)
        if self.tls is not None:
            self.server.socket = self.tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        self.url = f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def receive(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in request.headers.items()}
        came = Received(request.path, headers, body)
        if self.secret:
            came.said = came.document(self.secret)
        self.received.append(came)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, int):
            say(answer)(request)
        else:
            answer(request)


def say(status: int, text: bytes = b"", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """A whole answer."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(text))}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(text)

    return answer
