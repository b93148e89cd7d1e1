"""A server, workers, and what kills them at any moment; then what must have arrived."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any, Self

import psutil

from config import NAME, ROOT
from project.webhooks.deliveries import LEASE
from tests.conftest import SECRET, cloned
from tests.server import Server
from tests.users.make import PASSWORD
from tests.webhooks.receiver import Received, Receiver

TAKEN = {"username": "admin"}
SOON = 300  # seconds in which all must have arrived


class Yard:
    """Two `flask worker` beside a server of two processes, a webhook, and an account to change."""

    def __init__(self, server: Server, receiver: Receiver) -> None:
        self.server, self.receiver = server, receiver
        self.headers = server.sign_in()
        self.connection = server.connect()
        self.connection.autocommit = True
        self.random = random.Random(5)
        self.kills = 0
        ada = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}
        self.account = self._made("users", **ada)["id"]
        hook = {"url": receiver.url, "event_types": ["user.updated"]}
        receiver.secret = self._made("webhooks", **hook)["secret"]
        self.workers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self.workers = [self._start() for _ in range(2)]
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()
        self.connection.close()

    def _start(self) -> subprocess.Popen[bytes]:
        with self.server.log.open("ab") as log:
            command = [sys.executable, "-m", "flask", "worker"]
            return subprocess.Popen(
                command, cwd=ROOT, env=self.server.environment, stdout=log, stderr=log
            )

    def _made(self, kind: str, **values: Any) -> Any:
        status, made, _ = self.server.call("POST", f"/api/v1/{kind}/", values, self.headers)
        assert status == 201, made
        return made

    def sign_in_again(self) -> None:
        """At a server one of whose processes may just be dying."""
        credentials = {"login": "admin", "password": PASSWORD}
        pair = None
        while pair is None:
            with suppress(OSError, HTTPException):
                _, pair, _ = self.server.call("POST", "/api/v1/auth/login", credentials)
        self.headers = {"Authorization": f"Bearer {pair['access_token']}"}

    def kill(self) -> None:
        """A worker most of the time, else a process of the server; another takes its place."""
        if self.random.random() < 0.7:
            self.kill_worker()
            return
        children = psutil.Process(self.server.process.pid).children()
        if children:
            self.kills += 1
            self.random.choice(children).kill()

    def kill_worker(self) -> None:
        """The older one."""
        worker = self.workers.pop(0)
        self.kills += 1
        worker.kill()
        worker.wait()
        self.workers.append(self._start())

    def move(self, count: int) -> None:
        """So many changes at about the same time, every fourth of which is refused."""
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._move, range(count)))

    def _move(self, number: int) -> None:
        body = TAKEN if number % 4 == 3 else {"bio": f"Change {number}."}
        path = f"/api/v1/users/{self.account}"
        try:
            status, said, _ = self.server.call("PATCH", path, body, self.headers)
            assert status in (200, 400), said
        except (OSError, HTTPException):
            pass  # killed: whether it was done, the outbox knows

    def ask(self, statement: str) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return [row[0] for row in cursor.fetchall()] if cursor.description else []

    def round(self, count: int) -> None:
        """Changes, one of which arrives at least; then a kill at any moment."""
        before = len(self.receiver.received)
        with ThreadPoolExecutor(1) as pool:
            moving = pool.submit(self.move, count)
            self.wait(lambda: len(self.receiver.received) > before, lease=1)
            time.sleep(self.random.uniform(0, 0.3))
            self.kill()
            moving.result()

    def wait(self, until: Callable[[], bool], lease: int) -> None:
        """Until it is so; an attempt that nothing is heard of for so many seconds is due again."""
        deadline = time.monotonic() + SOON
        while not until():
            assert time.monotonic() < deadline, "it did not happen in time"
            self.ask(
                "UPDATE webhook_deliveries SET leased_until = now() "
                f"WHERE leased_until < now() + interval '{LEASE.seconds - lease} seconds'"
            )
            time.sleep(0.1)

    def settled(self) -> bool:
        """Whether nothing is under way."""
        waiting = "SELECT count(*) FROM events WHERE NOT dispatched UNION ALL "
        waiting += "SELECT count(*) FROM webhook_deliveries WHERE status <> 'delivered'"
        return self.ask(waiting) == [0, 0]

    def judge(self) -> int:
        """Each committed change has arrived, whole, signed and under one id; and no other."""
        arrived: dict[int, list[Received]] = defaultdict(list)
        for each in self.receiver.received:
            arrived[each.said["data"]["version"]].append(each)
        counted = f"SELECT generate_series(2, version) FROM users WHERE id = {self.account}"
        kept = self.ask(counted)  # the account's own count of its changes
        assert sorted(arrived) == sorted(kept)
        assert all(len({(each.id, each.body) for each in same}) == 1 for same in arrived.values())
        assert len({same[0].id for same in arrived.values()}) == len(kept)
        refused = "SELECT count(*) FROM events WHERE data::text LIKE '%username%'"
        assert self.ask(refused) == [0]
        assert all(each.said["data"]["fields"] == ["bio"] for each in self.receiver.received)
        return len(self.receiver.received) - len(kept)


@contextmanager
def opened(postgres: str, template: str, folder: Path) -> Iterator[Yard]:
    """A yard on a database of its own."""
    with (
        cloned(postgres, template, f"{NAME}_yard_{os.getpid()}") as url,
        Server(url, folder, SECRET, WEBHOOK_PRIVATE_ADDRESSES="true", THREADS="4") as server,
        Receiver() as receiver,
        Yard(server, receiver) as yard,
    ):
        yield yard
