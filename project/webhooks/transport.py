"""One request to somebody else's endpoint: to an address that was judged, with an end in sight.

It cannot be made to take long or much: all together has one deadline, and of the answer a
kilobyte is read. Redirects are not followed, and no proxy of the environment is asked.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPException
from threading import Thread

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from config import NAME
from project.webhooks.addresses import NotPublic, Place, judge, parts

PATIENCE = 10  # seconds for a connection, and for each piece of the answer
DEADLINE = 15  # seconds for all of it
EXCERPT = 1024  # bytes of the answer
COMMON = {"User-Agent": f"{NAME.title()}-Webhooks/1", "Connection": "close"}
WHY: tuple[tuple[type[Exception], str], ...] = (  # the first that fits
    (NotPublic, "The host has an address that is not public."),
    (socket.gaierror, "The name of the host cannot be resolved."),
    (UnicodeError, "The name of the host cannot be resolved."),
    (NewConnectionError, "The host refuses connections."),
    (ConnectTimeoutError, "The host does not answer."),
    (TimeoutError, "The host does not answer."),
    (ssl.SSLCertVerificationError, "The certificate of the host is not valid."),
    (ssl.SSLError, "The host does not speak TLS as it should."),
    (OSError, "The connection was lost."),
    (HTTPError, "The host does not speak HTTP as it should."),
    (HTTPException, "The host does not speak HTTP as it should."),
)
FORESEEN = tuple(kind for kind, _ in WHY)


@dataclass
class Reply:
    """What became of it: a status, or the reason why there is none."""

    status: int | None = None
    error: str | None = None
    excerpt: str = ""
    retry_after: int = 0
    milliseconds: int = 0

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def resolve(host: str, port: int) -> list[str]:
    """Every address the resolver of this machine knows of a host."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def post(
    url: str,
    body: bytes,
    headers: dict[str, str],
    *,
    private: bool = False,
    resolve: Callable[[str, int], list[str]] = resolve,
    deadline: float = DEADLINE,
) -> Reply:
    """Send it and say what became of it, whatever the other side does.

    private: whether it may lead to an address that is not public.
    """
    began = time.monotonic()
    exchange = _Exchange(parts(url), body, headers, private, resolve)
    reply = exchange.within(deadline)
    reply.milliseconds = round((time.monotonic() - began) * 1000)
    return reply


@dataclass
class _Exchange:
    """In a thread of its own, so that it can be given up whatever it is waiting for."""

    place: Place
    body: bytes
    headers: dict[str, str]
    private: bool
    resolve: Callable[[str, int], list[str]]
    ended: Future[None] = field(default_factory=Future)
    status: int | None = None
    retry_after: str = ""
    read: bytes = b""
    line: socket.socket | None = None
    given_up: bool = False

    def within(self, seconds: float) -> Reply:
        """What came in time. Once there is a status it counts, and the rest is dispensable."""
        Thread(target=self._run, name="webhook", daemon=True).start()
        error = None
        try:
            self.ended.result(seconds)
        except FORESEEN as failure:
            error = next(sentence for kind, sentence in WHY if isinstance(failure, kind))
        reply = self._reply(error)
        self._give_up()
        return reply

    def _reply(self, error: str | None) -> Reply:
        if self.status is None:
            return Reply(error=error)
        wait = int(self.retry_after) if re.fullmatch("[0-9]{1,6}", self.retry_after) else 0
        return Reply(self.status, None, _text(self.read), wait)

    def _run(self) -> None:
        try:
            self._talk()
        except Exception as failure:  # it belongs to whoever waits
            self.ended.set_exception(failure)
        else:
            self.ended.set_result(None)

    def _give_up(self) -> None:
        """Let the thread end soon: what it reads from a line that is cut has an end."""
        self.given_up = True
        if self.line is not None:
            with suppress(OSError):  # it has ended by itself
                socket.socket.shutdown(self.line, socket.SHUT_RDWR)  # below TLS, which would wait

    def _talk(self) -> None:
        addresses = self.resolve(self.place.host, self.place.port)
        connection = self._connect(addresses if self.private else judge(addresses))
        try:
            headers = {"Host": self.place.netloc, **COMMON, **self.headers}
            keep = {"preload_content": False, "decode_content": False}
            connection.request("POST", self.place.target, self.body, headers, **keep)
            response = connection.getresponse()
            self.retry_after = response.headers.get("Retry-After", "")
            self.status = response.status
            while len(self.read) < EXCERPT and (
                piece := response.read1(EXCERPT - len(self.read), decode_content=False)
            ):
                self.read += piece
        finally:
            connection.close()

    def _connect(self, addresses: list[str]) -> HTTPConnection:
        """A connection to the first of the addresses that takes one, and to no other place."""
        *others, last = addresses
        for address in others:
            with suppress(ConnectTimeoutError, NewConnectionError):
                return self._connect_to(address)
        return self._connect_to(last)

    def _connect_to(self, address: str) -> HTTPConnection:
        connection = self._connection(address)
        connection.connect()
        self.line = connection.sock
        if self.given_up:
            connection.close()
            raise TimeoutError
        return connection

    def _connection(self, address: str) -> HTTPConnection:
        if self.place.scheme == "http":
            return HTTPConnection(address, self.place.port, timeout=PATIENCE)
        return HTTPSConnection(
            address,
            self.place.port,
            timeout=PATIENCE,
            ssl_context=_trusted(),
            server_hostname=self.place.host,  # whose certificate it must be
        )


def _text(read: bytes) -> str:
    """What can be stored and shown of an answer."""
    text = read.decode(errors="replace")
    return "".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text)


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates this machine trusts; reading them takes time."""
    return ssl.create_default_context()
