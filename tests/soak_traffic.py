"""Mixed traffic for minutes, or an hour by SOAK_SECONDS=3600: no process grows. `make soak`."""

from __future__ import annotations

import os
import random
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import psutil
import pytest

from config import Config
from project.http.app import App
from tests.faults.conftest import Limited
from tests.faults.load import BROKEN, SOON, THINK, Answer, Client
from tests.samples import laboratory
from tests.server import Server
from tests.serving.client import get
from tests.shelves import SHELVES, TAKEN, Shelf
from tests.users.make import PASSWORD

SECONDS = int(os.environ.get("SOAK_SECONDS", "300"))
WARM = max(30, SECONDS // 4)  # seconds until all that is kept once is there
CLIENTS = 12
REST = 5  # seconds after which no connection of the load is left
MORE = 1.05  # times the memory at most
LAZY = 2  # connections that a pool had no need of before
EXPECTED = {200, 201, 202, 204, 400, 401, 404, 409, 412, 415, 422}

numbers = count(1)


@pytest.fixture(scope="module")
def kind() -> tuple[type[Server], Callable[[Config], App]]:
    return Limited, laboratory.create


@dataclass
class Size:
    """Of a process, in bytes and in open files."""

    memory: int
    files: int


class Somebody:
    """A client who does this and that."""

    def __init__(self, server: Server, headers: dict[str, str], shelf: Shelf) -> None:
        self.server, self.shelf = server, shelf
        self.room = f"/api/v1/{shelf.room}/"
        self.client = Client(server, headers)
        self.name = f"somebody-{next(numbers)}"
        self.tell("POST", "/api/v1/auth/register", self._account(self.name))

    def tell(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return self.client.ask(method, path, body, **headers)

    def act(self) -> tuple[str, int]:
        """What was done, and how it was answered."""
        action = random.choice(ACTIONS)
        return action.__name__, action(self).status

    def sign_in(self) -> Answer:
        credentials = {"login": self.name, "password": PASSWORD}
        return self.tell("POST", "/api/v1/auth/login", credentials)

    def fail_to_sign_in(self) -> Answer:
        return self.tell("POST", "/api/v1/auth/login", {"login": self.name, "password": "x" * 9})

    def register(self) -> Answer:
        name = f"another-{next(numbers)}"
        return self.tell("POST", "/api/v1/auth/register", self._account(name))

    def list(self) -> Answer:
        return self.tell("GET", f"{self.room}?skip={random.randrange(20)}&limit=20")

    def search(self) -> Answer:
        return self.tell("GET", f"{self.room}search/?q=item+{random.randrange(1_000)}")

    def look(self) -> Answer:
        return self.tell("GET", self.shelf.address)

    def create(self) -> Answer:
        item = {"name": f"Soaked {next(numbers)}-{os.getpid()}", "price": "1"}
        return self.tell("POST", self.room, item)

    def rename(self) -> Answer:
        return self.tell("PATCH", self.shelf.address, {"description": f"{random.random()}"})

    def take(self) -> Answer:
        return self.tell(
            "POST", self.shelf.taking, TAKEN, **{"Idempotency-Key": f"soak-{next(numbers)}"}
        )

    def take_the_last_version(self) -> Answer:
        return self.tell("PATCH", self.shelf.address, {"price": "2"}, **{"If-Match": '"1-1"'})

    def miss(self) -> Answer:
        return self.tell("GET", f"{self.room}{10**9 + next(numbers)}")

    def err(self) -> Answer:
        return self.tell("POST", self.room, {"name": "", "odd": next(numbers)})

    def come_with_a_bad_token(self) -> Answer:
        bad = {"Authorization": f"Bearer a.{next(numbers)}.c"}
        return self.tell("GET", "/api/v1/users/me", **bad)

    def export(self) -> Answer:
        return self.tell("GET", f"{self.room}export")

    def read_slowly(self) -> Answer:
        """And go away in the middle."""
        began, status = time.monotonic(), BROKEN
        with suppress(OSError), socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(SOON)
            connection.connect(("127.0.0.1", self.server.port))
            connection.sendall(get("/docs/swagger-ui-bundle.js"))
            status = int(connection.recv(1024).split()[1])
            for _ in range(10):
                connection.recv(1024)
                time.sleep(0.05)
        now = time.monotonic()
        return Answer(now, now - began, status, b"", False)

    def _account(self, name: str) -> dict[str, str]:
        return {"username": name, "email": f"{name}@example.org", "password": PASSWORD}


ACTIONS = [
    *[Somebody.list, Somebody.search, Somebody.look] * 6,
    *[Somebody.create, Somebody.rename, Somebody.take] * 3,
    *[Somebody.miss, Somebody.err, Somebody.take_the_last_version, Somebody.come_with_a_bad_token],
    Somebody.export,
    *[Somebody.sign_in, Somebody.fail_to_sign_in, Somebody.register, Somebody.read_slowly],
]


def test_nothing_grows(server: Server) -> None:
    headers = server.sign_in()
    with server.worker() as worker:
        watched = [*psutil.Process(server.process.pid).children(), psutil.Process(worker.pid)]
        traffic(server, headers, WARM)
        before = [size(each) for each in watched]
        seen = traffic(server, headers, SECONDS)
        after = [size(each) for each in watched]
    print(f"\n{SECONDS} s of mixed traffic, {seen.total():,} requests")
    for (action, status), number in sorted(seen.items()):
        print(f"  {action:<24} {status} {number:>8,}")
    for process, first, last in zip(watched, before, after, strict=True):
        kind = "worker" if process.pid == worker.pid else "web"
        grown = 100 * (last.memory / first.memory - 1)
        print(
            f"  {kind:<6} {first.memory / 2**20:6.1f} → {last.memory / 2**20:6.1f} MiB "
            f"({grown:+.1f} %), {first.files} → {last.files} files open"
        )
    assert {status for _, status in seen} <= EXPECTED
    for first, last in zip(before, after, strict=True):
        assert last.memory <= MORE * first.memory
        assert last.files <= first.files + LAZY


def traffic(server: Server, headers: dict[str, str], seconds: float) -> Counter[tuple[str, int]]:
    """What was done, and how it was answered; by now nobody is connected any more."""
    end = time.monotonic() + seconds
    shelves = [kind(server, headers, 1_000_000) for kind in SHELVES]

    def go_on(number: int) -> Counter[tuple[str, int]]:
        seen: Counter[tuple[str, int]] = Counter()
        while time.monotonic() < end:  # somebody new from time to time
            somebody = Somebody(server, sign_in(server), shelves[number % len(shelves)])
            for _ in range(200):
                if time.monotonic() < end:
                    seen[somebody.act()] += 1
                    time.sleep(THINK)
            somebody.client.connection.close()
        return seen

    with ThreadPoolExecutor(CLIENTS) as pool:
        seen = sum(pool.map(go_on, range(CLIENTS)), Counter())
    time.sleep(REST)
    return seen


def sign_in(server: Server) -> dict[str, str]:
    """A new token of the superuser's, since one lasts fifteen minutes."""
    credentials = {"login": "admin", "password": PASSWORD}
    _, pair, _ = server.call("POST", "/api/v1/auth/login", credentials)
    return {"Authorization": f"Bearer {pair['access_token']}"}


def size(process: psutil.Process) -> Size:
    return Size(process.memory_info().rss, process.num_fds())
