"""One request to somebody else: to the address that was judged, and never long or much."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from config import NAME
from project.webhooks import transport
from project.webhooks.transport import EXCERPT, Reply, post
from tests.webhooks.receiver import Receiver, say

CERTIFICATE = Path(__file__).with_name("shop.pem")  # of shop.example, with its key, for this only


def send(receiver: Receiver, path: str = "/hook?a=b", deadline: float = 5) -> Reply:
    headers = {"Content-Type": "application/json", "webhook-id": "evt_1"}
    return post(receiver.url + path, b"{}", headers, private=True, deadline=deadline)


def test_it_is_one_plain_request() -> None:
    with Receiver([say(200, b"thanks")]) as receiver:
        reply = send(receiver)
    assert (reply.status, reply.error, reply.excerpt) == (200, None, "thanks")
    assert reply.is_success
    [came] = receiver.received
    assert (came.path, came.body) == ("/hook?a=b", b"{}")
    assert came.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "user-agent": f"{NAME.title()}-Webhooks/1",
        "accept-encoding": "identity",
        "connection": "close",
        "content-type": "application/json",
        "content-length": "2",
        "webhook-id": "evt_1",
    }


@pytest.mark.parametrize("status", [100, 300, 301, 304, 400, 404, 410, 429, 500, 503])
def test_whatever_is_not_2xx_is_no_success(status: int) -> None:
    with Receiver([status]) as receiver:
        reply = send(receiver, deadline=0.3 if status == 100 else 5)  # which no answer follows
    assert not reply.is_success
    assert reply.status == (None if status == 100 else status)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with Receiver() as secret, Receiver([say(status, Location=f"{secret.url}/")]) as receiver:
        reply = send(receiver)
    assert reply.status == status
    assert secret.received == []


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as proxy, Receiver() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert send(receiver).status == 204
    assert (len(proxy.received), len(receiver.received)) == (0, 1)


def test_an_address_that_is_not_public_gets_nothing() -> None:
    with Receiver() as receiver:
        for url in (receiver.url, f"http://localhost:{receiver.port}"):
            reply = post(url, b"{}", {})
            assert reply.error == "The host has an address that is not public."
            assert not reply.is_success
    assert receiver.received == []


def test_a_name_is_asked_for_once_and_the_answer_is_what_is_judged() -> None:
    """A name that is public when it is judged and private when it is used would lead inside."""
    asked = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"] if len(asked) == 1 else ["8.8.8.8"]

    with Receiver() as receiver:
        url = f"http://rebinding.example:{receiver.port}/"
        assert post(url, b"{}", {}, private=True, resolve=rebinding).status == 204
        assert post(url, b"{}", {}, resolve=lambda *_: ["8.8.8.8", "127.0.0.1"]).error is not None
    assert asked == [("rebinding.example", receiver.port)]
    [came] = receiver.received
    assert came.headers["host"] == f"rebinding.example:{receiver.port}"


def test_an_address_that_refuses_is_followed_by_the_next() -> None:
    with Receiver() as receiver:
        url = f"http://two.example:{receiver.port}/"
        found = ["127.0.0.2", "127.0.0.1"]
        assert post(url, b"{}", {}, private=True, resolve=lambda *_: found).status == 204


def drip(request: BaseHTTPRequestHandler, *first: bytes) -> None:
    for piece in first:
        request.wfile.write(piece)
    while True:
        request.wfile.write(b"x")
        time.sleep(0.02)  # what it does, not what we wait for


def drip_head(request: BaseHTTPRequestHandler) -> None:
    drip(request, b"HTTP/1.1 200 OK\r\nX-Slow: ")


def drip_body(request: BaseHTTPRequestHandler) -> None:
    drip(request, b"HTTP/1.1 202 Accepted\r\nContent-Length: 100000\r\n\r\n")


def drip_interim(request: BaseHTTPRequestHandler) -> None:
    while True:
        request.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.02)


@pytest.mark.parametrize("slow", [drip_head, drip_interim])
def test_an_answer_that_drips_is_given_up(slow: object) -> None:
    with Receiver([slow]) as receiver:  # type: ignore[list-item]  # because pytest hides its type
        began = time.monotonic()
        reply = send(receiver, deadline=0.3)
        assert time.monotonic() - began < 1
        assert reply == Reply(None, "The host does not answer.", "", 0, reply.milliseconds)
        assert 300 <= reply.milliseconds < 1000
        ended()


def test_a_body_that_drips_is_dispensable() -> None:
    with Receiver([drip_body]) as receiver:
        reply = send(receiver, deadline=0.3)
        assert (reply.status, reply.error, reply.is_success) == (202, None, True)
        assert set(reply.excerpt) == {"x"}
        ended()


def ended() -> None:
    """What was given up does not go on."""
    deadline = time.monotonic() + 5
    while any(thread.name == "webhook" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def flood(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    sent = 0
    try:
        while sent < 100_000_000:
            sent += request.connection.send(b"x" * 65536)
    finally:
        request.server.sent = sent  # type: ignore[attr-defined]  # a note for the test


def test_of_a_huge_answer_hardly_more_is_read_than_kept() -> None:
    with Receiver([flood]) as receiver:
        reply = send(receiver)
        assert (reply.status, reply.excerpt) == (200, "x" * EXCERPT)
        ended()
        deadline = time.monotonic() + 5
        while not hasattr(receiver.server, "sent"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert receiver.server.sent < 20_000_000  # what the buffers of the system took


def test_nothing_is_unpacked() -> None:
    with Receiver([say(200, b"\x1f\x8b\x08\0", Content_Encoding="gzip")]) as receiver:
        assert send(receiver).excerpt == "\ufffd" * 4


def test_what_is_kept_can_be_stored_and_shown() -> None:
    with Receiver([say(500, "Über\0\x1b[31m\ud7ff\n".encode() + b"\xff")]) as receiver:
        assert send(receiver).excerpt == "Über\ufffd\ufffd[31m\ufffd\n\ufffd"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), ("0", 0), ("-1", 0), ("1e9", 0), ("9" * 30, 0), ("Fri, 31 Dec 1999", 0)],
)
def test_how_long_to_wait_is_read(header: str, seconds: int) -> None:
    with Receiver([say(429, Retry_After=header)]) as receiver:
        assert send(receiver).retry_after == seconds


def closes(request: BaseHTTPRequestHandler) -> None:
    request.connection.shutdown(socket.SHUT_RDWR)


def garbles(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    request.close_connection = True


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (closes, "The connection was lost."),
        (garbles, "The host does not speak HTTP as it should."),
    ],
)
def test_why_there_is_no_answer_is_told(answer: object, error: str) -> None:
    with Receiver([answer]) as receiver:  # type: ignore[list-item]  # because pytest hides its type
        assert send(receiver).error == error


def test_a_host_that_cannot_be_reached_is_told() -> None:
    with Receiver() as receiver:
        url = receiver.url
        unknown = post("http://nobody.invalid/", b"", {}, private=True)
    assert post(url, b"", {}, private=True).error == "The host refuses connections."
    assert unknown.error == "The name of the host cannot be resolved."


def test_a_resolver_that_does_not_answer_is_given_up() -> None:
    go_on = threading.Event()

    def silent(host: str, port: int) -> list[str]:
        go_on.wait(5)
        return ["127.0.0.1"]

    with Receiver() as receiver:
        url = f"http://slow.example:{receiver.port}"
        reply = post(url, b"", {}, private=True, resolve=silent, deadline=0.1)
        assert reply.error == "The host does not answer."
        go_on.set()
        ended()
    assert receiver.received == []


@pytest.fixture
def secure() -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with Receiver(tls=context) as receiver:
        yield receiver


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that trusts it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    transport._trusted.cache_clear()
    yield
    transport._trusted.cache_clear()


def at(name: str, receiver: Receiver) -> Reply:
    url = f"https://{name}:{receiver.port}/"
    return post(url, b"{}", {}, private=True, resolve=lambda *_: ["127.0.0.1"])


@pytest.mark.usefixtures("trusting")
def test_tls_is_spoken_with_the_name_and_not_with_the_address(secure: Receiver) -> None:
    for name in ("shop.example", "Shop.Example", "shop.example."):
        assert at(name, secure).status == 204, name


@pytest.mark.usefixtures("trusting")
def test_a_certificate_of_another_name_is_refused(secure: Receiver) -> None:
    for name in ("other.example", "a.shop.example", "127.0.0.1"):
        assert at(name, secure).error == "The certificate of the host is not valid.", name
    assert secure.received == []


def test_a_certificate_nobody_trusts_is_refused(secure: Receiver) -> None:
    assert at("shop.example", secure).error == "The certificate of the host is not valid."
    assert secure.received == []


def test_a_host_without_tls_is_told() -> None:
    with Receiver() as receiver:
        reply = at("shop.example", receiver)
    assert reply.error == "The host does not speak TLS as it should."
