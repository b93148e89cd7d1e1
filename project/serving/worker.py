"""A gunicorn worker whose request threads take turns at one epoll.

The thread whose turn it is waits for the kernel, reads, answers and waits again itself. Nothing is
handed over: no queue, no pool, no pipe. The main thread only looks after the rest.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from contextlib import suppress
from math import inf, sqrt
from threading import Thread
from typing import Any

from project.serving.answering import Answering
from project.serving.connection import LINGER, Connection, Gone
from project.serving.places import Crowded, Guest, Places
from project.serving.turn import Turn

ONCE = select.EPOLLIN | select.EPOLLONESHOT  # an event is one thread's, and armed again by it
TICK = 1.0  # seconds between two looks of the main thread, 0.1 while it stops
COURTESY = 50e-6  # seconds, see `_accept`
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
PASSED = (errno.EAGAIN, errno.ECONNABORTED)  # another process was faster; the client gave up


class Settings:
    """gunicorn's settings as plain attributes, since a request reads two dozen of them."""

    def __init__(self, cfg: Any) -> None:
        self.__dict__.update({name: setting.get() for name, setting in cfg.settings.items()})
        self._cfg, self.is_ssl = cfg, cfg.is_ssl

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cfg, name)


class Worker(Answering):
    """Who takes a connection out of `waiting` has it, alone; an event is but a hint to try.

    So an event that is late, when its connection was closed for its age and another has its
    number now, harms nobody.
    """

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        if cfg.is_ssl:
            raise RuntimeError(
                "This worker speaks no TLS: put a proxy in front, or choose gthread."
            )
        if cfg.protocol != "http" or cfg.proxy_protocol != "off":
            raise RuntimeError("This worker speaks HTTP/1.1 and nothing else: choose gthread.")

    def run(self) -> None:
        self.cfg: Any = Settings(self.cfg)
        self.epoll, self.turn = select.epoll(), Turn()
        self.places = Places(self.cfg.threads)
        self.connections: set[Connection] = set()
        self.waiting: dict[int, Connection] = {}
        self.full = False  # whether nothing is accepted, until the main thread has made room
        self.stopping = inf  # when idle connections end because we do
        self.listeners = {each.fileno(): (each, each.getsockname()) for each in self.sockets}
        for fd, (listener, _) in self.listeners.items():
            listener.setblocking(False)
            self.epoll.register(fd, ONCE)
        for number in range(self.cfg.threads + 1):
            Thread(target=self._work, name=f"request-{number}", daemon=True).start()
        while self.alive:
            self._look(TICK)
            if self.ppid != os.getppid():
                self.log.info("Parent changed, shutting down: %s", self)
                break
        self._stop()

    def _stop(self) -> None:
        """Accept nothing more; finish what is under way, for `graceful_timeout` at most.

        Who kept a connection may be sending its next request at this moment, so it has LINGER
        to do it, and is told `Connection: close` in the answer. So has who is connected already,
        as far as it can tell: to close the listener would reset it.
        """
        self.alive = False
        listeners, self.listeners = self.listeners, {}
        for fd, (listener, name) in listeners.items():
            self.epoll.unregister(fd)
            until = time.monotonic() + LINGER
            with suppress(OSError):  # nobody is left
                while time.monotonic() < until:
                    self._wait(self._meet(listener, name))
            listener.close()
        self.stopping = time.monotonic() + LINGER
        end = time.monotonic() + self.cfg.graceful_timeout
        while self.connections and time.monotonic() < end:
            self._look(TICK / 10)

    def _look(self, seconds: float) -> None:
        """Tell the master that we live; wait for a signal or a thread's call; close the overdue."""
        self.notify()
        bell = self.PIPE[0]
        if select.select([bell], [], [], seconds)[0]:
            os.read(bell, 4096)
        if self.full:
            self._make_room()
        for guest in self.places.overdue():
            self._turn_away(guest)
        now = time.monotonic()
        for fd, connection in list(self.waiting.items()):
            if self._overdue(connection, now) and (taken := self.waiting.pop(fd, None)):
                if self._overdue(taken, now):
                    self._close(taken)
                else:  # the number is another's since
                    self._wait(taken)
        if self.full and self.alive and len(self.connections) < self.cfg.worker_connections:
            self.full = False
            for fd in self.listeners:
                self.epoll.modify(fd, ONCE)

    def _overdue(self, connection: Connection, now: float) -> bool:
        last = self.stopping if connection.idle else inf
        return now >= min(connection.deadline, last)

    def _make_room(self) -> None:
        """Let a tenth of the connections go, those idle the longest."""
        idle = [each for each in list(self.waiting.values()) if each.idle]
        idle.sort(key=lambda connection: connection.deadline)
        for connection in idle[: max(1, self.cfg.worker_connections // 10)]:
            connection.deadline = 0.0

    def _work(self) -> None:
        """What a request thread does; one that breaks takes the worker along, and gets another."""
        turn = self.turn
        try:
            while True:
                turn.take()
                while turn.mine():
                    for fd, _ in self.epoll.poll(-1, 1):
                        turn.start()
                        if place := self.listeners.get(fd):
                            connection = self._accept(fd, *place)
                        else:
                            connection = self.waiting.pop(fd, None)
                        if connection is not None:
                            self._serve(connection)
                        while guest := self.places.next():
                            turn.start()
                            self._serve(guest.connection, guest)
                        turn.stop()
        except BaseException:
            self.log.exception("A request thread broke")
            self.alive = False
            self._ring()
            raise

    def _accept(self, fd: int, listener: socket.socket, name: Any) -> Connection | None:
        """A new client, unless another process has it or there are too many.

        A process that has more than another waits longer, and so gets fewer.
        """
        if self.cfg.workers > 1 and self.connections:
            time.sleep(COURTESY * sqrt(len(self.connections)))
        try:
            connection = self._meet(listener, name)
        except OSError as error:
            if error.errno in EXHAUSTED:
                self.log.warning("Nothing can be accepted: %s", error)
                self.full = True
            elif error.errno in PASSED:
                self._listen(fd)
            elif self.alive:
                raise
            return None
        if len(self.connections) < self.cfg.worker_connections:
            self._listen(fd)
        else:
            self.full = True
            self._ring()
        return connection

    def _meet(self, listener: socket.socket, name: Any) -> Connection:
        """Whoever is next; its socket is known to `epoll`, which `_wait` arms."""
        sock, peer = listener.accept()
        connection = Connection(sock, peer, name, self.cfg)
        self.connections.add(connection)
        self.epoll.register(sock, select.EPOLLONESHOT)
        return connection

    def _listen(self, fd: int) -> None:
        with suppress(OSError):  # we are stopping
            self.epoll.modify(fd, ONCE)

    def _serve(self, connection: Connection, guest: Guest | None = None) -> None:
        """Read what came, or go on with a request that has waited for its place."""
        try:
            ours = self._exchange(connection, guest)
        except Gone:
            self._close(connection)
        else:
            if ours:
                self._wait(connection)

    def _exchange(self, connection: Connection, guest: Guest | None) -> bool:
        """Answer every request that is whole now; False if one waits for a place meanwhile."""
        data = b"" if guest else connection.receive()
        if data == b"" and not guest:
            raise Gone
        if data is None or connection.leaving:
            return True
        request = None
        try:
            request = guest.request if guest else connection.next(data)
            while request is not None:
                guest = guest or self.places.enter(connection, request)
                if guest is None:
                    return False
                try:
                    follows = self._answer(connection, request)
                finally:
                    self.places.leave(guest)
                if not follows:
                    break
                guest, request = None, connection.next()
            else:
                return True
        except Gone:
            raise
        except (Exception, SystemExit) as error:
            self._refuse(connection, error, request)
        connection.leave()
        return True

    def _turn_away(self, guest: Guest) -> None:
        """Tell somebody who found no place in time."""
        connection = guest.connection
        try:
            self._refuse(connection, Crowded(), guest.request)
            connection.leave()
        except Gone:
            self._close(connection)
        else:
            self._wait(connection)

    def _wait(self, connection: Connection) -> None:
        """Give a connection back: whichever thread the kernel wakes for it has it next."""
        connection.rest()
        fd = connection.sock.fileno()
        self.waiting[fd] = connection
        with suppress(OSError):  # a late event may have given it to another, who closed it
            self.epoll.modify(fd, ONCE)

    def _close(self, connection: Connection) -> None:
        self.connections.discard(connection)
        connection.sock.close()
        if self.full:
            self._ring()
