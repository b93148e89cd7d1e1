"""A file that is sent: one part, up to its limit, never in memory, read before anything waits."""

from __future__ import annotations

import re
import socket
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil
import pytest
from flask.testing import FlaskClient
from sqlalchemy.engine import make_url

from project.http.uploads import LIMIT
from tests.answers import document, problem
from tests.conftest import administration
from tests.http.multipart import BOUNDARY, body, file, part, sent
from tests.http.test_wire import CHUNKED, Wire, chunks
from tests.server import Server

URL = "/api/v1/samples/file"
LAMP = b"name,price\nLamp,1\n"
KIND = f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n".encode()
Headers = dict[str, str]


def read(client: FlaskClient, headers: Headers, call: dict[str, Any]) -> Any:
    return document(client.post(URL, headers=headers, **call))


def seen(content: bytes) -> dict[str, Any]:
    """What the room of samples answers of a file."""
    return {"size": len(content), "digest": sha256(content).hexdigest()}


@pytest.mark.parametrize(
    "call",
    [
        file(LAMP),
        file(LAMP, boundary="-" * 100),
        file(LAMP, boundary="a b'()+_,-./:=?c"),
        sent(part(LAMP, rest="")),  # as a field, without a file's name
        sent(part(LAMP, rest="; filename*=UTF-8''%E2%82%AC.csv")),
        sent(b"Content-Type: text/csv\r\n" + part(LAMP)),
        {**file(LAMP), "data": b"before\r\n" + body(part(LAMP)) + b"after"},
    ],
)
def test_one_part_named_file_is_the_file(
    client: FlaskClient, signed_in: Headers, call: dict[str, Any]
) -> None:
    assert read(client, signed_in, call) == seen(LAMP)


@pytest.mark.parametrize("ending", [b"", b"\r", b"\n", b"\r\n", b"\r\n-", b"\r\n--limi", b"\r\n--"])
def test_what_looks_like_a_boundary_is_still_the_file(
    client: FlaskClient, signed_in: Headers, ending: bytes
) -> None:
    for content in (ending, ending + b"x" * 250 + ending + b"\n" * 200_000, b"x" * 65_536 + ending):
        if content:
            assert read(client, signed_in, file(content)) == seen(content)


@pytest.mark.parametrize(
    ("call", "field", "code"),
    [
        (sent(), "file", "required"),
        (sent(part(LAMP), part(LAMP)), "file", "repeated"),
        (sent(part(LAMP), part(b"", rest="")), "file", "repeated"),
        (sent(part(LAMP, name="files")), "files", "unknown"),
        (sent(part(b"true", "update", ""), part(LAMP)), "update", "unknown"),
        (sent(part(LAMP), part(b"true", "update", "")), "update", "unknown"),
        (sent(b"Content-Disposition: form-data\r\n\r\n" + LAMP), "", "unknown"),
        (sent(part(LAMP, name="x" * 300)), "x" * 100, "unknown"),
    ],
)
def test_anything_but_one_part_named_file_is_refused(
    client: FlaskClient, signed_in: Headers, call: dict[str, Any], field: str, code: str
) -> None:
    answer = client.post(URL, headers=signed_in, **call)
    [error] = problem(answer, 422, "invalid_fields")["errors"]
    assert (error["in"], error["field"], error["code"]) == ("body", field, code)


@pytest.mark.parametrize(
    "call",
    [
        {**file(LAMP), "data": body(part(LAMP))[:-20]},
        {**file(LAMP), "data": b"name,price\nLamp,1\n"},
        {**file(LAMP), "data": b"x" * 500_000},
        {**file(LAMP), "data": body(b"X: " + b"x" * 500_000)},
        {**file(LAMP), "data": body(part(LAMP)) + b"x" * 500_000},
        {**file(LAMP), "data": body(b"Content-Type: text/csv\r\n\r\n" + LAMP)},
        {**file(LAMP), "data": body(b"Content-Disposition: form-data; name=\xff\r\n\r\n" + LAMP)},
        {**file(LAMP), "content_type": "multipart/form-data"},
        {**file(LAMP), "content_type": "multipart/form-data; boundary=other"},
        {**file(LAMP), "content_type": 'multipart/form-data; boundary=""'},
        file(LAMP, boundary="x" * 101),
    ],
)
def test_what_is_no_form_is_refused_in_one_sentence(
    client: FlaskClient, signed_in: Headers, call: dict[str, Any]
) -> None:
    refused = problem(client.post(URL, headers=signed_in, **call), 400, "malformed_body")
    assert refused["detail"] == "The body is not multipart/form-data, or ends too early."


@pytest.mark.parametrize(
    ("call", "status", "sentence"),
    [
        ({"data": LAMP, "content_type": "text/csv"}, 415, "Send the body as Content-Type: "),
        ({"data": {"name": "Lamp"}}, 415, "Send the body as Content-Type: multipart/form-data."),
        ({"json": {}}, 415, "Send the body as Content-Type: multipart/form-data."),
        ({}, 400, "A body of Content-Type: multipart/form-data is required, with a part named"),
        (
            {**file(LAMP), "headers": {"Content-Encoding": "gzip"}},
            415,
            "Send the body without Content-Encoding.",
        ),
    ],
)
def test_another_body_is_refused(
    client: FlaskClient, signed_in: Headers, call: dict[str, Any], status: int, sentence: str
) -> None:
    headers = {**signed_in, **call.pop("headers", {})}
    answer = client.post(URL, headers=headers, **call)
    code = "malformed_body" if status == 400 else "unsupported_media_type"
    assert problem(answer, status, code)["detail"].startswith(sentence)


@pytest.mark.parametrize("path", ["/api/v1/samples/", "/api/v1/auth/login", "/api/v1/users/me"])
def test_no_other_address_takes_a_file(client: FlaskClient, signed_in: Headers, path: str) -> None:
    method = "PATCH" if path.endswith("me") else "POST"
    answer = client.open(path, method=method, headers=signed_in, **file(LAMP))
    problem(answer, 415, "unsupported_media_type")


def test_who_may_not_send_a_file_is_told_before_it_is_read(client: FlaskClient) -> None:
    call = {**file(LAMP), "content_type": "text/plain"}
    for headers in ({}, {"Authorization": "Bearer a.b.c"}):
        problem(client.post(URL, headers=headers, **call), 401, "unauthorized")


# What only the wire shows.


@pytest.fixture(scope="module")
def wire(server: Server) -> Wire:
    return Wire(server)


def test_a_file_may_have_fifty_mebibytes_and_not_a_byte_more(server: Server, wire: Wire) -> None:
    full = LAMP.ljust(LIMIT, b"\xff")
    over = full + b"\n"
    large = "The file is larger than 52428800 bytes."
    for content, status in ((full, 200), (over, 413)):
        whole = body(part(content))
        counted = KIND + b"Content-Length: %d\r\n" % len(whole)
        for pieces, head in (([whole], counted), ([*chunks(whole)], KIND + CHUNKED)):
            found, headers, answer = wire.send(*pieces, head=head, path=URL)
            assert found == status
            if status == 200:
                assert answer == seen(content)
                continue
            assert headers["Content-Type"] == "application/problem+json"
            assert answer["detail"] == large
    said = KIND + b"Content-Length: 99999999999\r\n"  # so not waited for
    assert wire.send(head=said, path=URL)[2]["detail"] == large
    endless = [b"%x\r\n%s\r\n" % (2**20, bytes(2**20))] * 52  # of what is no part at all
    assert wire.send(*endless, head=KIND + CHUNKED, path=URL)[0] == 400
    assert "Traceback" not in server.log.read_text()


def test_a_file_is_never_in_memory(server: Server, wire: Wire) -> None:
    small = body(part(LAMP.ljust(2**21)))  # more than is kept in memory
    large = body(part(b"name,price\n".ljust(LIMIT, b"\xff")))
    for _ in range(8):  # both workers have read one before
        wire.send(small, head=KIND + b"Content-Length: %d\r\n" % len(small), path=URL)
    before = peaks(server)
    for _ in range(3):
        head = KIND + b"Content-Length: %d\r\n" % len(large)
        assert wire.send(large, head=head, path=URL)[0] == 200
    assert max(peaks(server).values()) - max(before.values()) < 8 * 1024


def peaks(server: Server) -> dict[int, int]:
    """KiB of the greatest memory that each worker ever had."""
    found = {}
    for worker in psutil.Process(server.process.pid).children():
        status = Path(f"/proc/{worker.pid}/status").read_text()
        [found[worker.pid]] = map(int, re.findall(r"VmHWM:\s+([0-9]+) kB", status))
    return found


def test_a_file_is_awaited_outside_of_any_transaction(server: Server) -> None:
    token = server.sign_in("slow")["Authorization"].encode()
    whole = body(part(LAMP))
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" % URL.encode()
    head += b"Authorization: " + token + b"\r\n" + KIND
    idle = "SELECT FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = %s"
    url = make_url(server.environment["DATABASE_URL"])
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(whole) + whole[:30])
        time.sleep(0.3)
        with administration(url.render_as_string(hide_password=False)) as run:
            assert run(idle, url.database) == 0
        connection.sendall(whole[30:])
        with suppress(ConnectionResetError):
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
