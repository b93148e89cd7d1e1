"""How many requests are answered at once, and who waits meanwhile without holding a thread."""

from __future__ import annotations

import re
import time
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

from gunicorn.http.message import Request

from project.http.security import PROBES
from project.serving.connection import Connection

PATIENCE = 3  # seconds that a request waits for a place, as long as for a connection of the pool
ITEM = re.compile(r".*?/[0-9]+(?=/|$)")  # the part of a path that names an item
READS = frozenset(["GET", "HEAD", "OPTIONS"])
LARGE = "a body that is still to come"


class Crowded(Exception):
    """No place became free in time."""


@dataclass(eq=False)
class Guest:
    """A request that has a place, or waits for one."""

    connection: Connection
    request: Request
    since: float = 0.0  # when it began to wait

    @property
    def probing(self) -> bool:
        """Whether it needs no place: it may have to tell that none is left."""
        return (self.request.path or "").rstrip("/") in PROBES

    @cached_property
    def lane(self) -> str:
        """Whose way it is in, if it takes long."""
        if not self.connection.small:
            return LARGE
        path = (self.request.path or "").rstrip("/")
        item = ITEM.match(path)
        way = "reads" if self.request.method in READS else "writes"
        return f"{way} {item[0] if item else path}"


class Places:
    """One for each request thread but one, which is left for probes and for whoever is new.

    All but one may be taken by requests of the same lane. A lane is for those who read at an
    address, or for those who write there, where whatever is beneath an item counts as the item; and
    one is for all large bodies. So a row that somebody has locked, a slow search, or clients who
    drip their uploads hold up nobody else.
    """

    def __init__(self, number: int) -> None:
        self._number, self._most = number, max(1, number - 1)
        self._inside: set[Guest] = set()
        self._queue: deque[Guest] = deque()
        self._guard = Lock()

    def enter(self, connection: Connection, request: Request) -> Guest | None:
        """Take a place; without one the request is in the queue, and no longer the caller's."""
        guest = Guest(connection, request)
        with self._guard:
            if self._admit(guest):
                return guest
            guest.since = time.monotonic()
            self._queue.append(guest)
        return None

    def leave(self, guest: Guest) -> None:
        """Give the place back; whoever does so asks for the `next`."""
        with self._guard:
            self._inside.discard(guest)

    def next(self) -> Guest | None:
        """The one who waited longest of those who now have a place."""
        if not self._queue:
            return None
        with self._guard:
            for guest in self._queue:
                if self._admit(guest):
                    self._queue.remove(guest)
                    return guest
        return None

    def overdue(self) -> list[Guest]:
        """Those who have waited in vain; they wait no more."""
        end, found = time.monotonic() - PATIENCE, []
        with self._guard:
            while self._queue and self._queue[0].since < end:
                found.append(self._queue.popleft())
        return found

    def _admit(self, guest: Guest) -> bool:
        if guest.probing:
            return True
        if (taken := len(self._inside)) >= self._most:  # before that no lane can be full
            if taken >= self._number:
                return False
            if sum(each.lane == guest.lane for each in self._inside) >= self._most:
                return False
        self._inside.add(guest)
        return True
