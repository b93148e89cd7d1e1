"""How many requests are answered at once, and who waits meanwhile without holding a thread."""

from __future__ import annotations

import re
import time
from collections import deque
from dataclasses import dataclass
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


@dataclass(slots=True)
class Guest:
    """A request that has a place, or waits for one; a probe, which has no lane, needs none."""

    connection: Connection
    request: Request
    lane: str
    since: float = 0.0  # when it began to wait


class Places:
    """One for each request thread but one, which is left for probes and for whoever is new.

    All but one may be taken by requests of the same lane. A lane is for those who read at an
    address, or for those who write there, where whatever is beneath an item counts as the item; and
    one is for all large bodies. So a row that somebody has locked, a slow search, or clients who
    drip their uploads hold up nobody else.
    """

    def __init__(self, number: int) -> None:
        self._free, self._most = number, max(1, number - 1)
        self._lanes: dict[str, int] = {}
        self._queue: deque[Guest] = deque()
        self._guard = Lock()

    def enter(self, connection: Connection, request: Request) -> Guest | None:
        """Take a place; without one the request is in the queue, and no longer the caller's."""
        guest = Guest(connection, request, _lane(connection, request))
        with self._guard:
            if self._admit(guest):
                return guest
            guest.since = time.monotonic()
            self._queue.append(guest)
        return None

    def leave(self, guest: Guest) -> None:
        """Give the place back; whoever does so asks for the `next`."""
        if guest.lane:
            with self._guard:
                self._free += 1
                if self._lanes[guest.lane] == 1:
                    del self._lanes[guest.lane]
                else:
                    self._lanes[guest.lane] -= 1

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
        if guest.lane:
            taken = self._lanes.get(guest.lane, 0)
            if not self._free or taken >= self._most:
                return False
            self._free -= 1
            self._lanes[guest.lane] = taken + 1
        return True


def _lane(connection: Connection, request: Request) -> str:
    path = (request.path or "").rstrip("/")
    if path in PROBES:  # they take no place, and tell that none is left
        return ""
    if not connection.small:
        return LARGE
    item = ITEM.match(path)
    return f"{'reads' if request.method in READS else 'writes'} {item[0] if item else path}"
