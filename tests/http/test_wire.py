"""What only the wire shows: lengths, chunks and raw bytes, against a real gunicorn."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

from sqlalchemy.engine import make_url

from tests.conftest import administration
from tests.server import Server

LIMIT = 1024 * 1024
PATH = "/api/v1/samples/"
KIND = b"Content-Type: application/json\r\n"


class Wire:
    """Sends bytes and reads answers; every connection is for one exchange."""

    def __init__(self, server: Server, name: str = "admin") -> None:
        self.server = server
        self.token = server.sign_in(name)["Authorization"].encode()

    def send(
        self, *pieces: bytes, head: bytes = KIND, path: str = PATH, method: str = "POST"
    ) -> tuple[int, dict[str, str], Any]:
        """Status, headers and document of the answer to these bytes behind the header."""
        first = f"{method} {path} HTTP/1.1\r\nConnection: close\r\n".encode()
        first += b"" if b"Host: " in head else b"Host: localhost\r\n"
        first += b"Authorization: " + self.token + b"\r\n" + head + b"\r\n"
        with socket.create_connection(("127.0.0.1", self.server.port), 10) as connection:
            try:
                for piece in (first, *pieces):
                    connection.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                pass  # answered before it was all sent
            raw = b"".join(_received(connection))
        top, _, body = raw.partition(b"\r\n\r\n")
        status, *lines = top.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return int(status.split()[1]), headers, json.loads(body) if body else None


def _received(connection: socket.socket) -> Iterator[bytes]:
    try:
        while piece := connection.recv(65536):
            yield piece
    except ConnectionResetError:
        pass


def sample(name: str, size: int = 0) -> bytes:
    """A body of exactly this many bytes, filled up with blanks."""
    return json.dumps({"name": name, "price": "1"}).encode().ljust(size)


def length(body: bytes) -> bytes:
    return KIND + b"Content-Length: %d\r\n" % len(body)


def chunks(body: bytes, size: int = 65536) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


CHUNKED = b"Transfer-Encoding: chunked\r\n"


def test_a_body_may_have_a_mebibyte_and_not_a_byte_more(server: Server) -> None:
    wire = Wire(server)

    full = sample("counted", LIMIT)
    assert wire.send(full, head=length(full))[0] == 201
    assert wire.send(*chunks(sample("chunked", LIMIT)), head=KIND + CHUNKED)[0] == 201

    over = sample("over", LIMIT + 1)
    for pieces, head in (
        ([over], length(over)),
        ([], KIND + b"Content-Length: 99999999999\r\n"),  # said, so not waited for
        ([*chunks(over)], KIND + CHUNKED),
        ([*chunks(sample("over", 3 * LIMIT))], KIND + CHUNKED),
        ([*chunks(over, 1000)], KIND + CHUNKED),
    ):
        status, headers, document = wire.send(*pieces, head=head)
        assert (status, headers["Content-Type"]) == (413, "application/problem+json")
        assert document["code"] == "body_too_large"
        assert document["detail"] == "The body is larger than 1048576 bytes."
        assert document["request_id"] == headers["X-Request-Id"]

    small = sample("small chunks")
    assert wire.send(*chunks(small, 1), head=KIND + CHUNKED)[0] == 201
    assert wire.send(*chunks(small), head=CHUNKED)[0] == 415  # no content type
    assert wire.send(b"0\r\n\r\n", head=KIND + CHUNKED)[2]["code"] == "malformed_body"
    encoded = KIND + CHUNKED + b"Content-Encoding: gzip\r\n"
    assert wire.send(*chunks(small), head=encoded)[0] == 415

    names = [item["name"] for item in server.call("GET", PATH)[1]["items"]]
    assert names == ["counted", "chunked", "small chunks"]

    strange = [PATH + "?q=%FF", PATH + "search/?q=%00", PATH + "search/?q=%FF"]
    strange += [PATH + "%ff", PATH + "?limit=%EF%BC%91", PATH + "?&=&"]
    for path in strange:
        status, headers, document = wire.send(head=b"", path=path, method="GET")
        assert status in (404, 422), path
        assert headers["Content-Type"] == "application/problem+json"
    for host in (b"", b"a b", b"evil/x", b"[::1", b"x:99999", b"\xff"):
        head = b"Host: " + host + b"\r\n"
        status, headers, _ = wire.send(head=head, path="/healthz", method="GET")
        assert status in (200, 400)
    assert '"event": "bug"' not in server.log.read_text()
    assert "Traceback" not in server.log.read_text()


def test_a_body_is_awaited_outside_of_any_transaction(server: Server) -> None:
    token = server.sign_in("slow")["Authorization"].encode()
    body = sample("Slow")
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" % PATH.encode()
    idle = "SELECT FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = %s"
    url = make_url(server.environment["DATABASE_URL"])
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(head + b"Authorization: " + token + b"\r\n" + length(body) + b"\r\n")
        connection.sendall(body[:5])
        time.sleep(0.3)
        with administration(url.render_as_string(hide_password=False)) as run:
            assert run(idle, url.database) == 0
        connection.sendall(body[5:])
        assert b"".join(_received(connection)).startswith(b"HTTP/1.1 201")


def test_chunks_that_are_none_are_refused_and_what_they_hold_is_in_no_log(server: Server) -> None:
    wire = Wire(server, "another")
    for broken in (
        b'{"password": "hunter2"}\r\n\r\n',
        b"zz\r\nhunter2",
        b"5\r\nhunter2\r\n0\r\n\r\n",
    ):
        for path in ("/api/v1/auth/login", PATH):
            status, _, found = wire.send(broken, head=KIND + CHUNKED, path=path)
            assert (status, found["code"]) == (400, "malformed_body"), (path, broken)
    assert "hunter2" not in server.log.read_text()
