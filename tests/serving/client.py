"""A client that decides over every byte, and when it sends it."""

from __future__ import annotations

import socket
from typing import Self

import psutil

from tests.server import Server


class Laboratory(Server):
    """A gunicorn of ours that serves `laboratory`, which asks no database."""

    application = "tests.serving.laboratory:app"


class Client:
    """One connection."""

    def __init__(self, server: Server, timeout: float = 20) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def send(self, data: bytes) -> Self:
        self.socket.sendall(data)
        return self

    def get(self, path: str, *lines: str) -> tuple[int, dict[str, str], bytes]:
        return self.send(get(path, *lines)).answer()

    def answer(self, body: bool = True) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next answer; EOFError if it is not whole."""
        status = int(self._line().split()[1])
        headers: dict[str, str] = {}
        while line := self._line():
            name, _, value = line.partition(": ")
            headers[name] = value
        if not body:
            return status, headers, b""
        if headers.get("Transfer-Encoding") == "chunked":
            content = b""
            while size := int(self._line(), 16):
                content += self._exactly(size)
                self._line()
            self._line()
            return status, headers, content
        if "Content-Length" in headers:
            return status, headers, self._exactly(int(headers["Content-Length"]))
        return status, headers, b""

    def ended(self) -> bool:
        """Whether the server ends the connection now, with nothing more, and without a reset."""
        return self.file.read(1) == b""

    def _line(self) -> str:
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError(line)
        return line[:-2].decode("latin-1")

    def _exactly(self, size: int) -> bytes:
        data = self.file.read(size)
        if len(data) < size:
            raise EOFError(f"{len(data)} of {size}")
        return data


def get(path: str, *lines: str, method: str = "GET", version: str = "1.1") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: x", *lines, "", ""]).encode()


def post(path: str, body: bytes, *lines: str) -> bytes:
    return get(path, f"Content-Length: {len(body)}", *lines, method="POST") + body


def workers(server: Server) -> set[int]:
    """The processes that answer now."""
    return {child.pid for child in psutil.Process(server.process.pid).children()}
