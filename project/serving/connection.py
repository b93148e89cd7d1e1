"""One client: what has come from it, when that makes a request, and what is sent back."""

from __future__ import annotations

import os
import socket
import struct
import time
from dataclasses import dataclass, field
from math import inf
from typing import Any

from gunicorn.http.body import LengthReader
from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.http.message import Request
from gunicorn.http.unreader import SocketUnreader

HEAD = 256 * 1024  # bytes of a request's head, which is held in memory
BODY = (
    64 * 1024
)  # bytes of a body that is awaited before a thread is given; of a larger one it reads
PATIENCE = 30  # seconds for a head and such a body to come, and that a client may pause afterwards
PACE = 16 * 1024  # bytes a second that a client must keep up on the whole, pauses aside
OUT = 512 * 1024  # bytes of an answer that the kernel takes at once, if its `wmem_max` allows it
LINE, LF = b"\r\n", b"\n"
LINGER = 2  # seconds to hear a client out that was told the last


class Gone(Exception):
    """The client has ended, or takes nothing any more."""


class Connection:
    """A blocking socket that is read without blocking until a request is whole.

    So a client that is slow with its request holds no thread; nor is a socket ever switched.
    """

    def __init__(self, sock: socket.socket, peer: Any, name: Any, cfg: Any) -> None:
        self.sock, self.peer, self.name, self.cfg = sock, peer, name, cfg
        self.reader = Reader(sock)
        self.count = 0  # requests so far
        self.begun = False  # whether part of a request has come
        self.request: Head | None = None  # whose head has come, and its body not yet
        self.small = True  # whether its body is one that is awaited
        self.leaving = False  # whether the last answer is sent
        self.deadline = 0.0  # when waiting ends
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pause = struct.pack("ll", PATIENCE, 0)  # struct timeval
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, pause)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, pause)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, OUT)  # no thread waits for a reader
        self.slack = float(PATIENCE)  # seconds that the reader of an answer may still lose

    def receive(self) -> bytes | None:
        """What there is, without waiting: None if nothing is, empty if nothing will be."""
        try:
            return self.sock.recv(BODY, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def send(self, data: bytes) -> None:
        """All of it; raises Gone, for a client too that takes nothing, or no more than it must."""
        left = memoryview(data)
        while left:
            began = time.monotonic()
            try:
                sent = self.sock.send(left)
            except OSError as error:
                raise Gone from error
            self.slack += sent / PACE - (time.monotonic() - began)
            if self.slack < 0:
                raise Gone
            left = left[sent:]

    def offer(self, data: bytes) -> None:
        """The same if the kernel takes it at once; raises Gone otherwise."""
        try:
            taken = self.sock.send(data, socket.MSG_DONTWAIT)
        except OSError as error:
            raise Gone from error
        if taken < len(data):
            raise Gone

    def next(self, data: bytes = b"") -> Head | None:
        """The request that is whole with these bytes, if one is; raises ParseException."""
        held = self.reader.hold(data)
        if held and not self.begun:
            self.begun, self.deadline = True, time.monotonic() + PATIENCE
        if self.request is None:
            if b"\r\n\r\n" not in held and b"\n\n" not in held and len(held) < HEAD:
                return None
            self.count += 1
            self.request = self.reader.head(self.cfg, self.peer, self.count, held)
            if self.request._expected_100_continue:
                self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                self.request._expected_100_continue = False
            body = self.request.body.reader
            self.small = isinstance(body, LengthReader) and body.length <= BODY
        if self.small and self.request.body.reader.length > self.reader.held:
            return None
        request, self.request, self.begun = self.request, None, False
        self.slack = float(PATIENCE)
        self.reader.until = time.monotonic() + PATIENCE
        return request

    def spent(self, request: Head) -> bool:
        """Whether it is known where the next request begins: a small body is here, read or not."""
        body = request.body.reader
        if isinstance(body, LengthReader):
            return self.small or body.length == 0
        return body.parser is None and not request.body.failed

    def skip(self, request: Head) -> None:
        """Throw away what of a small body nobody read."""
        if self.small and (left := request.body.reader.length):
            self.reader.read(left)

    @property
    def idle(self) -> bool:
        """Whether it is between two requests, or before the first."""
        return not self.begun and not self.leaving

    def rest(self) -> None:
        """Be given time for the next request to begin, if none has."""
        if self.idle:
            self.deadline = time.monotonic() + (self.cfg.keepalive if self.count else PATIENCE)

    def leave(self) -> None:
        """Tell the client that nothing follows; what it still sends is thrown away for a moment.

        To close at once would reset a connection with bytes unread, and the answer may be lost
        with it (RFC 9112, section 9.6).
        """
        self.leaving, self.deadline = True, time.monotonic() + LINGER
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise Gone from error


class Reader(SocketUnreader):
    """What gunicorn's parsers read: the bytes that are here, then those the socket waits for."""

    parsing = False
    until = inf  # when what is left of a body is given up, unless some of it comes
    trusted: bool | None = None  # whether it reads from a proxy of `forwarded_allow_ips`
    fields: Fields | None = None  # the last

    @property
    def held(self) -> int:
        """How many bytes came already."""
        return int(self.buf.seek(0, os.SEEK_END))

    def hold(self, data: bytes) -> bytes:
        """Keep these bytes behind the others; returns all of them."""
        self.buf.seek(0, os.SEEK_END)
        self.buf.write(data)
        held: bytes = self.buf.getvalue()
        return held

    def head(self, cfg: Any, peer: Any, count: int, held: bytes) -> Head:
        """The request whose head is held; a parser that would wait for more of it is refused."""
        if (fields := self.fields) is not None:
            line, _, rest = held.partition(LINE)
            longest = fields.head["limit_request_line"]  # 0 if any length will do: the long way
            if rest.startswith(fields.data) and LF not in line and len(line) <= longest:
                self.read()
                self.unread(rest[len(fields.data) :])
                return Head.again(fields, self, line, count)
        self.parsing = True
        try:
            head = Head(cfg, self, peer, count)
        finally:
            self.parsing = False
        if (fields := head.fields) is not None:
            self.fields = fields
            fields.head = {**head.__dict__}
            for own in ("body", "fields", "unreader"):  # which would keep each other alive
                del fields.head[own]
        return head

    def chunk(self, size_hint: int | None = None) -> bytes:
        if self.parsing:
            raise LimitRequestHeaders("the head does not end")
        data: bytes = super().chunk(size_hint)
        self.until += len(data) / PACE
        if time.monotonic() > self.until:
            raise TimeoutError("the body is dripped")
        return data


@dataclass
class Fields:
    """The header fields of a request as they came, with the empty line that ends them.

    head: what is known of the request, after its line and its body.
    environ: what the application was told with them, once it was.
    """

    data: bytes
    head: dict[str, Any] = field(default_factory=dict)
    environ: dict[str, Any] | None = None


class Head(Request):
    """Asks nothing twice of a client: whether it is a trusted proxy, and what its fields mean.

    Most clients send the same header fields with each request, and parsing them is most of what
    a head costs. What the same bytes mean on the same connection cannot change.
    """

    fields: Fields | None = None

    @classmethod
    def again(cls, fields: Fields, reader: Reader, line: bytes, count: int) -> Head:
        """The request with this line and the same fields; raises ParseException."""
        head = cls.__new__(cls)
        head.__dict__ = {**fields.head, "headers": [*fields.head["headers"]], "trailers": []}
        head.unreader, head.fields, head.req_number = reader, fields, count
        head.must_close = False
        head.parse_request_line(line)
        head.set_body_reader()
        return head

    def _peer_is_trusted_proxy(self) -> bool:
        if self.unreader.trusted is None:
            self.unreader.trusted = super()._peer_is_trusted_proxy()
        return bool(self.unreader.trusted)

    def parse_headers(self, data: bytes, from_trailer: bool = False) -> list[tuple[str, str]]:
        parsed: list[tuple[str, str]] = super().parse_headers(data, from_trailer)
        expecting = any(name == "EXPECT" for name, _ in parsed)  # which HTTP/1.0 ignores
        if not from_trailer and not expecting:
            self.fields = Fields(data + LINE + LINE)
        return parsed
