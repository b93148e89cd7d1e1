"""Requests as they come over the wire, and what is answered to them."""

from __future__ import annotations

import hashlib
import json
import re
import time

import pytest

from tests.serving.client import Client, Laboratory, get, post
from tests.serving.laboratory import MEBIBYTE

LARGE = MEBIBYTE * 5


def digest(body: bytes) -> bytes:
    return f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()


def chunked(body: bytes, size: int = 100_000, path: str = "/digest") -> bytes:
    head = get(path, "Transfer-Encoding: chunked", method="POST")
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def test_a_request_may_come_byte_by_byte(laboratory: Laboratory) -> None:
    with Client(laboratory) as client:
        for _ in range(2):
            for byte in post("/digest", b"abc"):
                client.send(bytes([byte]))
                time.sleep(0.002)
            assert client.answer()[2] == digest(b"abc")


def test_head_and_body_of_an_answer_come_at_once(laboratory: Laboratory) -> None:
    with Client(laboratory) as client:
        client.send(get("/"))
        assert client.socket.recv(65536).endswith(b"\r\n\r\nhere")


def test_requests_sent_together_are_answered_in_their_order(laboratory: Laboratory) -> None:
    bodies = [b"a", b"b" * 70_000, b"", b"c" * 60_000]
    with Client(laboratory) as client:
        client.send(b"".join(post("/digest", body) for body in bodies) + get("/")[:20])
        assert [client.answer()[2] for _ in bodies] == [digest(body) for body in bodies]
        client.send(get("/")[20:] + chunked(b"d" * 70_000) + get("/"))
        answers = [client.answer()[2] for _ in range(3)]
        assert answers == [b"here", digest(b"d" * 70_000), b"here"]


def test_large_bodies_arrive_whole_and_another_request_follows(laboratory: Laboratory) -> None:
    with Client(laboratory) as client:
        for request in (post("/digest", LARGE), chunked(LARGE), chunked(LARGE, 7_000)):
            assert client.send(request).answer()[2] == digest(LARGE)
        assert client.get("/")[0] == 200


def test_the_fields_of_each_request_are_its_own(laboratory: Laboratory) -> None:
    with Client(laboratory) as client:
        for value in ("a", "a", "b", "a"):
            assert client.get("/field", f"X-Field: {value}")[2] == value.encode()
        assert client.get("/field")[2] == b"none"
        trailed = get("/digest", "Transfer-Encoding: chunked", method="POST")
        for _ in range(2):
            assert client.send(trailed + b"0\r\nX-Field: c\r\n\r\n").answer()[2] == digest(b"")
            assert client.get("/field")[2] == b"none"


def test_the_line_of_each_request_is_its_own(laboratory: Laboratory) -> None:
    kept = "Connection: keep-alive"
    lines = {
        get("/line/1?a=b", kept): b"GET /line/1?a=b /line/1 a=b HTTP/1.1 new",
        get("/line/%32", kept): b"GET /line/%32 /line/2  HTTP/1.1 new",
        get("/line/3?c", kept, method="PUT"): b"PUT /line/3?c /line/3 c HTTP/1.1 new",
        get("/line/4", kept, version="1.0"): b"GET /line/4 /line/4  HTTP/1.0 new",
    }
    with Client(laboratory) as client:
        for line, told in [*lines.items(), *lines.items()]:
            assert client.send(line).answer()[2] == told


@pytest.mark.parametrize("before", [0, 1, 2])
@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"", 400),
        (b"GET", 400),
        (b"GET /line\n HTTP/1.1", 400),
        (b"GET /li\xc3\xa4ne HTTP/1.1", 400),
        (b"get /line HTTP/1.1", 400),
        (b"GET line HTTP/1.1", 400),
        (b"GET /line HTTP/2.0", 400),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1", 414),
    ],
)
def test_a_line_is_judged_whatever_came_before(
    laboratory: Laboratory, line: bytes, status: int, before: int
) -> None:
    good = get("/line")
    with Client(laboratory) as client:
        for _ in range(before):
            assert client.send(good).answer()[0] == 200
        assert client.send(line + good[good.index(b"\r\n") :]).answer()[0] == status


def test_who_waits_to_be_asked_is_asked_though_the_same_fields_were_ignored(
    laboratory: Laboratory,
) -> None:
    waits = ("Connection: keep-alive", "Expect: 100-continue", "Content-Length: 3")
    early, late = (get("/digest", *waits, method="POST", version=each) for each in ("1.0", "1.1"))
    with Client(laboratory) as client:
        assert client.send(early + b"abc").answer()[2] == digest(b"abc")
        assert client.send(late).answer(body=False)[0] == 100
        assert client.send(b"abc").answer()[2] == digest(b"abc")


def test_a_request_without_fields_has_none_of_the_one_before(laboratory: Laboratory) -> None:
    with Client(laboratory) as client:
        for _ in range(2):
            assert client.get("/field", "X-Field: mine")[2] == b"mine"
        assert client.send(b"GET /field HTTP/1.1\r\n\r\n").answer()[2] == b"none"


def test_whether_a_connection_stays_is_the_clients_choice(laboratory: Laboratory) -> None:
    for request, stays in (
        (get("/"), True),
        (get("/", "Connection: close"), False),
        (get("/", version="1.0"), False),
        (get("/", "Connection: keep-alive", version="1.0"), True),
    ):
        with Client(laboratory) as client:
            status, headers, body = client.send(request).answer()
            assert (status, body) == (200, b"here")
            assert headers["Connection"] == ("keep-alive" if stays else "close")
            if stays:
                assert client.send(request).answer()[2] == b"here"
            else:
                assert client.ended()


def test_who_sends_no_more_is_answered_still(laboratory: Laboratory) -> None:
    with Client(laboratory) as client:
        client.send(get("/sleep?seconds=0.2")).socket.shutdown(1)
        assert client.answer()[2] == b"slept"
        assert client.ended()


def test_head_is_answered_without_a_body(laboratory: Laboratory) -> None:
    with Client(laboratory) as client:
        for path in ("/", "/stream?pieces=1"):
            status, headers, _ = client.send(get(path, method="HEAD")).answer(body=False)
            assert (status, headers["Connection"]) == (200, "keep-alive")
        assert client.get("/")[2] == b"here"


def test_a_stream_is_chunked_and_for_http_1_0_ends_with_the_connection(
    laboratory: Laboratory,
) -> None:
    with Client(laboratory) as client:
        assert client.get("/stream?pieces=3")[2] == MEBIBYTE * 3
        assert client.get("/stream?pieces=0")[2] == b""
        assert client.get("/")[2] == b"here"
    with Client(laboratory) as client:
        client.send(get("/stream?pieces=2", version="1.0"))
        assert client.file.read().partition(b"\r\n\r\n")[2] == MEBIBYTE * 2


def test_a_body_nobody_reads_is_not_taken_for_a_request(laboratory: Laboratory) -> None:
    smuggled = get("/process")
    with Client(laboratory) as client:
        client.send(post("/", smuggled) + get("/"))
        assert [client.answer()[2] for _ in range(2)] == [b"here", b"here"]
    for request in (post("/", smuggled * 3_000), chunked(smuggled, path="/")):
        with Client(laboratory) as client:
            status, headers, body = client.send(request).answer()
            assert (status, headers["Connection"], body) == (200, "close", b"here")
            assert client.ended()


def test_who_waits_to_be_asked_for_a_body_is_asked(laboratory: Laboratory) -> None:
    with Client(laboratory) as client:
        for body in (b"small", b"small", LARGE, LARGE):
            whole = post("/digest", body, "Expect: 100-continue")
            client.send(whole[: -len(body)])
            assert client.answer(body=False)[0] == 100
            assert client.send(body).answer()[2] == digest(body)


REFUSED = {
    "a line feed alone": (400, b"GET / HTTP/1.1\nHost: x\n\n"),
    "no HTTP": (400, b"hello\r\n\r\n"),
    "HTTP/9": (400, b"GET / HTTP/9.9\r\n\r\n"),
    "a folded line": (400, get("/", "X: secret", " more")),
    "two lengths": (400, get("/", "Content-Length: 1", "Content-Length: 2")),
    "length and chunks": (400, get("/", "Content-Length: 1", "Transfer-Encoding: chunked")),
    "a negative length": (400, get("/", "Content-Length: -1")),
    "a length that is none": (400, get("/", "Content-Length: 1_0")),
    "a long line": (414, get("/" + "secret" * 2_000)),
    "a line without an end": (414, b"GET /" + b"secret" * 50_000),
    "a large field": (431, get("/", "X: " + "secret" * 25_000)),
    "a head without an end": (431, b"GET / HTTP/1.1\r\n" + b"X: secret\r\n" * 24_000),
    "many fields": (431, get("/", *["X: secret"] * 101)),
    "an expectation": (417, get("/", "Expect: secret")),
    "a coding": (501, get("/", "Transfer-Encoding: secret")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_request_is_refused_in_one_sentence(laboratory: Laboratory, case: str) -> None:
    expected, request = REFUSED[case]
    with Client(laboratory) as client:
        status, headers, body = client.send(request).answer()
        assert (status, headers["Content-Type"]) == (expected, "application/problem+json")
        problem = json.loads(body)
        assert problem["status"] == status
        assert problem["request_id"] == headers["X-Request-Id"]
        assert re.fullmatch(r"[A-Z][^.]+(\.\d[^.]*)?\.", problem["detail"])
        assert client.ended()
    log = laboratory.log.read_text()
    assert problem["request_id"] in log
    assert "secret" not in log


def test_an_application_that_breaks_is_answered_for(laboratory: Laboratory) -> None:
    for path in ("/broken", "/header"):
        with Client(laboratory) as client:
            status, headers, body = client.get(path)
            assert (status, json.loads(body)["code"]) == (500, "internal_error")
            assert headers["X-Request-Id"] in laboratory.log.read_text()
            assert client.ended()
    with Client(laboratory) as client, pytest.raises(EOFError):
        client.get("/breaks")
    assert "broken in the middle" in laboratory.log.read_text()
