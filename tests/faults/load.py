"""Clients that go on whatever happens, and the record of what they were answered."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import count
from threading import Event, Lock
from typing import Any, Self

from tests.server import Server
from tests.shelves import TAKEN, Shelf

BROKEN = 0  # the status of a connection that was lost
REFUSED = -1  # and of one that there never was
SOON = 30  # seconds in which what is over must be so
RECOVERY = 5  # seconds after a fault until everybody is answered as ever
TRUTH = 2  # seconds that /readyz may take to tell it
LATE = 2 * TRUTH  # since a busy machine has its own delays, which the figures printed show too
THINK = 0.02  # seconds between two requests of a client
PAUSE = 0.05  # seconds before somebody asks again who got no answer

keys = count(1)


@dataclass
class Answer:
    """When it came, by the clock that only goes on; after how many seconds; and what."""

    at: float
    seconds: float
    status: int
    body: bytes
    retry: bool

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def honest(self) -> bool:
        """An answer, a lost connection, or to be told to come again."""
        return self.good or self.status in (BROKEN, REFUSED) or (self.status == 503 and self.retry)


class Client:
    """One kept connection, and another whenever it is lost."""

    def __init__(self, server: Server, headers: dict[str, str]) -> None:
        self.headers = {**headers, "Content-Type": "application/json"}
        self.connection = HTTPConnection("127.0.0.1", server.port, timeout=SOON)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        began = time.monotonic()
        data = None if body is None else json.dumps(body)
        try:
            self.connection.request(method, path, data, {**self.headers, **headers})
            answer = self.connection.getresponse()
            status, said, retry = answer.status, answer.read(), "Retry-After" in answer.headers
        except (OSError, HTTPException) as error:
            self.connection.close()
            refused = isinstance(error, ConnectionRefusedError)
            status, said, retry = REFUSED if refused else BROKEN, b"", False
        now = time.monotonic()
        return Answer(now, now - began, status, said, retry)


@dataclass
class Group:
    """Clients that do the same; the latest answer of each."""

    answers: list[Answer] = field(default_factory=list)
    latest: dict[int, Answer] = field(default_factory=dict)

    @property
    def statuses(self) -> dict[int, int]:
        return dict(sorted(Counter(answer.status for answer in self.answers).items()))

    def longest(self) -> float:
        return max(answer.seconds for answer in self.answers)


class Load:
    """Groups of clients, until the end of the block."""

    def __init__(self, server: Server, headers: dict[str, str]) -> None:
        self.server, self.headers = server, headers
        self.groups: dict[str, Group] = {}
        self.takings: list[tuple[Shelf, Future[int]]] = []
        self.over, self.guard, self.pool = Event(), Lock(), ThreadPoolExecutor(100)
        self.asking: list[Future[Any]] = []
        self.recovery = 0.0  # seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for each in self.asking:
            each.result(2 * SOON)
        self.pool.shutdown()

    def read(self, name: str, paths: Sequence[str]) -> Group:
        """A client for each path reads it."""
        group = self.groups.setdefault(name, Group())
        self.asking += [self.pool.submit(self._read, group, path) for path in paths]
        return group

    def take(self, name: str, shelf: Shelf, clients: int) -> Group:
        """So many take from the shelf, one after another, and again until it was done."""
        group = self.groups.setdefault(name, Group())
        taking = [self.pool.submit(self._take, group, shelf) for _ in range(clients)]
        self.asking += taking
        self.takings += [(shelf, each) for each in taking]
        return group

    def watch(self) -> Group:
        """Ask from time to time whether the service is ready."""
        group = self.groups.setdefault("readyz", Group())
        self.asking.append(self.pool.submit(self._read, group, "/readyz", 0.2))
        return group

    def recover(self) -> None:
        """The fault is over: wait until what each client asks from now on is answered well."""
        moment = time.monotonic()
        for group in self.groups.values():
            for client in list(group.latest):
                self.recovery = max(self.recovery, self._well(group, client, moment) - moment)

    def _well(self, group: Group, client: int, moment: float) -> float:
        """Wait for a good answer to what this client asked after the moment; when it came."""
        end = time.monotonic() + SOON
        while True:
            answer = group.latest[client]
            if answer.good and answer.at - answer.seconds > moment:
                return answer.at
            assert time.monotonic() < end, answer
            time.sleep(0.02)

    def judge(self) -> None:
        """After the end: nothing but honest answers, soon good ones again; what was told done was
        done, and once; and who asked whether the service is ready was told in time.
        """
        for name, group in self.groups.items():
            assert [each for each in group.answers if not each.honest] == [], name
        for shelf in {id(shelf): shelf for shelf, _ in self.takings}.values():
            told = sum(each.result() for whose, each in self.takings if whose is shelf)
            assert shelf.taken() == told
        if watched := self.groups.get("readyz"):
            assert watched.longest() < LATE
        assert self.recovery < RECOVERY

    def report(self, title: str) -> None:
        print(f"\n{title}: all well {self.recovery:.2f} s after it")
        for name, group in self.groups.items():
            print(f"  {name:<9} longest {group.longest():5.2f} s, {group.statuses}")

    def _note(self, group: Group, client: int, answer: Answer) -> None:
        with self.guard:
            group.answers.append(answer)
            group.latest[client] = answer
        time.sleep(THINK if answer.good else PAUSE)

    def _read(self, group: Group, path: str, pause: float = 0.0) -> None:
        with Client(self.server, self.headers) as client:
            while not self.over.wait(pause):
                self._note(group, id(client), client.ask("GET", path))

    def _take(self, group: Group, shelf: Shelf) -> int:
        """How many were told done; in the end none is left open."""
        done = 0
        with Client(self.server, self.headers) as client:
            while not self.over.is_set():
                self._insist(group, client, shelf.taking)
                done += 1
        return done

    def _insist(self, group: Group, client: Client, path: str) -> None:
        """Take one, by the same name until it is done."""
        key, answer = f"load-{next(keys)}", None
        while answer is None or not answer.good:
            answer = client.ask("POST", path, TAKEN, **{"Idempotency-Key": key})
            if b"idempotency_key_in_progress" in answer.body:  # the try that was cut off
                time.sleep(PAUSE)
            else:
                self._note(group, id(client), answer)


@contextmanager
def loaded(server: Server, headers: dict[str, str], title: str) -> Iterator[Load]:
    """A load that is reported and judged in the end."""
    with Load(server, headers) as load:
        yield load
    load.report(title)
    load.judge()
