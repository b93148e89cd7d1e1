"""Requests that two servers could read differently: one answer, and the end of the connection."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.server import Server
from tests.serving.client import Client, get

JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"
LOGIN = "/api/v1/auth/login"
BEHIND = get("/healthz", "X-Request-Id: smuggled")
SECRET = "hunter2-never-logged"


def post(*lines: str, body: str = "", path: str = LOGIN) -> bytes:
    return get(path, JSON, *lines, method="POST") + body.encode("latin-1")


def raw(text: str) -> bytes:
    return text.encode("latin-1") + b"Host: x\r\n\r\n"


# Heads that mean two things, or none.
HEADS = {
    "length, then chunks": post("Content-Length: 4", CHUNKED, body=f"0\r\n\r\n{SECRET}"),
    "chunks, then length": post(CHUNKED, "Content-Length: 4", body=f"0\r\n\r\n{SECRET}"),
    "two lengths": post("Content-Length: 0", f"Content-Length: {len(BEHIND)}"),
    "one length twice": post("Content-Length: 0", "Content-Length: 0"),
    "a list of lengths": post("Content-Length: 0, 0"),
    "a length with a sign": post("Content-Length: +0"),
    "a length below zero": post("Content-Length: -1"),
    "a length in sixteens": post("Content-Length: 0x0"),
    "a length with a blank": post("Content-Length: 1 0"),
    "a length that is empty": post("Content-Length:"),
    "a length of other digits": post("Content-Length: \xb2"),
    "a length of five thousand digits": post("Content-Length: " + "9" * 5_000),
    "chunks twice": post("Transfer-Encoding: chunked, chunked", body="0\r\n\r\n"),
    "chunks in two lines": post(CHUNKED, CHUNKED, body="0\r\n\r\n"),
    "chunks that are not the last": post("Transfer-Encoding: chunked, identity", body="0\r\n\r\n"),
    "a coding without chunks": post("Transfer-Encoding: gzip"),
    "identity": post("Transfer-Encoding: identity"),
    "chunks in quotes": post('Transfer-Encoding: "chunked"', body="0\r\n\r\n"),
    "chunks behind a tab of another kind": post("Transfer-Encoding: \x0bchunked", body="0\r\n\r\n"),
    "a coding that nobody knows": post("Transfer-Encoding: xchunked", body="0\r\n\r\n"),
    "a blank before the colon": post("Transfer-Encoding : chunked", body="0\r\n\r\n"),
    "a folded line": post("X: y", f" {CHUNKED}", "Content-Length: 0"),
    "a first line that is folded": raw(f"GET /healthz HTTP/1.1\r\n {CHUNKED}\r\n"),
    "a NUL in a field": post(f"X: {SECRET}\x00", "Content-Length: 0"),
    "a CR in a field": post(f"X: {SECRET}\rContent-Length: 5", "Content-Length: 0"),
    "a LF in a field": post(f"X: {SECRET}\nContent-Length: 5", "Content-Length: 0"),
    "a field without a name": post(f": {SECRET}", "Content-Length: 0"),
    "a field without a colon": post(SECRET, "Content-Length: 0"),
    "LF alone": f"POST {LOGIN} HTTP/1.1\nHost: x\nContent-Length: 0\n\n".encode(),
    "CR alone": f"POST {LOGIN} HTTP/1.1\rHost: x\r\rX: y\r\n\r\n".encode(),
    "a NUL in the path": raw("GET /health\x00z HTTP/1.1\r\n"),
    "a NUL in the method": raw("G\x00T /healthz HTTP/1.1\r\n"),
    "two blanks": raw("GET  /healthz HTTP/1.1\r\n"),
    "a word too many": raw("GET /healthz x HTTP/1.1\r\n"),
    "no version": raw("GET /healthz\r\n"),
    "another version": raw("GET /healthz HTTP/2.0\r\n"),
    "chunks for HTTP/1.0": raw(f"POST {LOGIN} HTTP/1.0\r\n{CHUNKED}\r\n"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}
# Chunks that end somewhere else for somebody else.
CHUNKS = {
    "a size below zero": "-1\r\n\r\n",
    "a size with a sign": "+0\r\n\r\n",
    "a size in sixteens, said so": "0x0\r\n\r\n",
    "a size with an underscore": "0_0\r\n\r\n",
    "a size behind a blank": " 0\r\n\r\n",
    "a size that is empty": "\r\n\r\n",
    "a size beyond all": "f" * 20 + "\r\nabc\r\n0\r\n\r\n",
    "a size line that ends with LF": "0\n\n",
    "a chunk that is longer than it says": f"1\r\n{SECRET}\r\n0\r\n\r\n",
    "a chunk without its end": "2\r\n{}0\r\n\r\n",
    "a CR in an extension": "0;a\rb\r\n\r\n",
    "a LF in an extension": "2;a\n{}\r\n0\r\n\r\n",
    "a quote without its end in an extension": '2;a="b\r\n{}\r\n0\r\n\r\n',
    "a length in the trailer": f"2\r\n{{}}\r\n0\r\nContent-Length: {len(BEHIND)}\r\n\r\n",
}


def answers(server: Server, request: bytes) -> Iterator[tuple[int, dict[str, str], bytes]]:
    """All that are given to it and to what comes right behind it; then the connection ends."""
    with Client(server) as client:
        client.send(request + BEHIND).socket.shutdown(1)
        while client.file.peek(1):
            yield client.answer()


@pytest.mark.parametrize("case", HEADS)
def test_a_head_with_two_meanings_is_refused_and_ends_all(server: Server, case: str) -> None:
    [(status, headers, body)] = answers(server, HEADS[case])
    assert status in (400, 501)
    assert (headers["Connection"], headers["Content-Type"]) == ("close", "application/problem+json")
    assert json.loads(body)["request_id"] == headers["X-Request-Id"] != "smuggled"
    assert SECRET not in server.log.read_text()


@pytest.mark.parametrize("case", CHUNKS)
def test_chunks_with_two_meanings_are_refused_and_end_all(server: Server, case: str) -> None:
    [(status, headers, body)] = answers(server, post(CHUNKED, body=CHUNKS[case]))
    assert (status, json.loads(body)["code"]) == (400, "malformed_body")
    assert headers["Connection"] == "close"
    assert SECRET not in server.log.read_text()


FINE = {
    "an empty line first": (b"\r\n" + get("/healthz"), [200, 200]),
    "an extension": (post(CHUNKED, body='2;a=b;c="d;\\""\r\n{}\r\n0\r\n\r\n'), [422, 200]),
    "a trailer": (post(CHUNKED, body="2\r\n{}\r\n0\r\nX: y\r\n\r\n"), [422, 200]),
    "sizes with zeros": (post(CHUNKED, body="0002\r\n{}\r\n000\r\n\r\n"), [422, 200]),
    "a body of a view without one": (
        get("/healthz", f"Content-Length: {len(BEHIND)}") + BEHIND,
        [200, 200],
    ),
    "a body longer than said": (post("Content-Length: 2", body="{}junk\r\n\r\n"), [422, 400]),
    "a body longer than said by a request": (
        post("Content-Length: 2", body="{}") + BEHIND,
        [422, 200, 200],
    ),
    "a body shorter than said": (post("Content-Length: 2000", body="{}"), []),
    "a large body shorter than said": (post("Content-Length: 200000", body="{}"), [400]),
    "a body larger than any": (post("Content-Length: " + "9" * 30), [413]),
    "chunks that break off": (post(CHUNKED, body="ffff\r\n{}"), [400]),
    "a field with an underscore, which counts for nothing": (
        post("Transfer_Encoding: chunked", "Content-Length: 2", body="{}"),
        [422, 200],
    ),
    "what is refused, and more": (get("/nothing") + raw("?") + get("/healthz"), [404, 400]),
}


@pytest.mark.parametrize("case", FINE)
def test_each_request_has_its_answer_and_nothing_else_has(server: Server, case: str) -> None:
    request, statuses = FINE[case]
    assert [status for status, _, _ in answers(server, request)] == statuses
