"""What can go wrong, as often and as long as one likes, and what must hold meanwhile."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from project.db.connections import LIMITS
from project.embedded import Cluster
from tests.faults.load import TRUTH, Answer, Group, Load, loaded
from tests.server import Server
from tests.serving.client import workers
from tests.shelves import SHELVES, Shelf

ENDLESS = 1_000_000  # that nobody empties
CALM = 0.5  # seconds before something happens
FAST = LIMITS["lock_timeout"] / 1000  # seconds, which whoever waits for a lock waits
MORE = 10  # clients, more than there are threads
SETTLED = 60  # seconds in which a PostgreSQL is there again


@dataclass
class House:
    """A service, and who signed in to it."""

    server: Server
    headers: dict[str, str]

    def shelves(self) -> list[Shelf]:
        """A new one of each kind."""
        return [kind(self.server, self.headers, ENDLESS) for kind in SHELVES]

    @contextmanager
    def loaded(self, title: str, clients: int = 3) -> Iterator[Load]:
        """So many take from each of these shelves, others read; somebody asks how it is."""
        with loaded(self.server, self.headers, title) as load:
            for shelf in self.shelves():
                load.take(shelf.room, shelf, clients)
                load.read("reading", [shelf.address, f"/api/v1/{shelf.room}/?limit=5"])
            load.read("me", ["/api/v1/users/me"])
            load.watch()
            time.sleep(CALM)
            yield load
            load.recover()


@dataclass
class Own(House):
    """One that has a PostgreSQL of its own."""

    cluster: Cluster

    @property
    def pid(self) -> int:
        """Of the postmaster, once there is one."""
        end = time.monotonic() + SETTLED
        while not isinstance(pid := self.cluster.status()["pid"], int):
            assert time.monotonic() < end
            time.sleep(0.05)
        return pid


def workers_are_killed(house: House, times: int, pause: float) -> None:
    with house.loaded(f"{times} workers killed, {pause} s apart"):
        for _ in range(times):
            with suppress(ProcessLookupError):
                os.kill(random.choice(sorted(workers(house.server))), signal.SIGKILL)
            time.sleep(pause)


def connections_are_ended(house: House, times: int, pause: float) -> None:
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    with (
        house.loaded(f"all connections ended {times} times, {pause} s apart"),
        closing(house.server.connect()) as connection,
        connection.cursor() as cursor,
    ):
        connection.autocommit = True
        for _ in range(times):
            cursor.execute(f"{end} AND datname = current_database()")
            time.sleep(pause)


def postgres_is_killed(own: Own, times: int, pause: float) -> None:
    with own.loaded(f"PostgreSQL killed {times} times, {pause} s apart"):
        for _ in range(times):
            os.kill(own.pid, signal.SIGKILL)
            time.sleep(pause)


def postgres_is_away(own: Own, seconds: float) -> None:
    """Stopped in order, and started again."""
    with own.loaded(f"no PostgreSQL for {seconds} s") as load:
        own.cluster.stop()
        _told(load, 503, seconds)
        own.cluster.ensure()
        _told(load, 200, TRUTH)


def postgres_stands_still(own: Own, seconds: float) -> None:
    """All of its processes."""
    with own.loaded(f"PostgreSQL stands still for {seconds} s", MORE) as load:
        server = psutil.Process(own.pid)
        still = [server, *server.children(recursive=True)]
        for each in still:
            each.suspend()
        try:
            _told(load, 503, seconds)
        finally:
            for each in still:
                each.resume()
        _told(load, 200, TRUTH)


def a_row_is_locked(house: House, clients: int, seconds: float) -> None:
    """One of each kind, one after the other; the same room's other items are as fast as ever."""
    for locked, other in zip(house.shelves(), house.shelves(), strict=True):
        title = f"a row of {locked.room} locked for {seconds} s, {clients} clients want it"
        with loaded(house.server, house.headers, title) as load:
            load.take("locked", locked, clients)
            others = [
                load.take("others", other, 2),
                load.read("reading", [locked.address, other.address]),
                load.read("me", ["/api/v1/users/me"]),
                load.watch(),
            ]
            time.sleep(CALM)
            with locked.held():
                time.sleep(seconds)
            load.recover()
        assert max(group.longest() for group in others) < FAST
        assert {status for group in others for status in group.statuses} == {200, 201}


def a_table_is_locked(house: House, seconds: float) -> None:
    rooms = ", ".join(kind.room for kind in SHELVES)
    with (
        house.loaded(f"{rooms} locked for {seconds} s", MORE) as load,
        closing(house.server.connect()) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"LOCK TABLE {rooms} IN ACCESS EXCLUSIVE MODE")
        time.sleep(seconds)
        connection.rollback()
    assert set(load.groups["readyz"].statuses) == {200}


def many_clients(house: House, clients: int, seconds: float) -> None:
    """At once, and nothing is wrong: no connection is lost."""
    shelves = [shelf for _ in range(4) for shelf in house.shelves()]
    with loaded(house.server, house.headers, f"{clients} clients for {seconds} s") as load:
        for shelf in shelves:
            load.take(shelf.room, shelf, clients // 2 // len(shelves))
        load.read("reading", [shelves[n % len(shelves)].address for n in range(clients // 2)])
        load.watch()
        time.sleep(seconds)
    seen = {status for group in load.groups.values() for status in group.statuses}
    assert seen <= {200, 201, 503}  # which a slow machine may need


def a_disk_is_full(own: Own, seconds: float) -> None:
    """Under the table that every write writes to: its file leads to where nothing can be written.

    The error is the kernel's (ENOSPC), as of a disk that is full.
    """
    with own.loaded(f"a disk full for {seconds} s") as load:
        file = _emptied(own, "events")
        own.cluster.stop()
        aside = file.rename(file.with_suffix(".aside"))
        file.symlink_to("/dev/full")
        try:
            own.cluster.ensure()
            _told(load, 200, TRUTH)
            moment = time.monotonic()
            time.sleep(seconds)
            writing = [load.groups[kind.room] for kind in SHELVES]
            assert not any(each.good for group in writing for each in _asked(group, moment))
            assert all(each.good for each in _asked(load.groups["reading"], moment))
        finally:
            own.cluster.stop()
            aside.rename(file)
            own.cluster.ensure()


def nothing_can_be_written(own: Own, seconds: float) -> None:
    """All that the server has is on a disk that is full, its log of what it writes too."""
    with own.loaded(f"nothing can be written for {seconds} s"):
        ballast = own.cluster.home.parent / "ballast"
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        time.sleep(seconds)
        ballast.unlink()


def _asked(group: Group, moment: float) -> list[Answer]:
    """What was answered to those who asked after the moment; somebody did."""
    found = [each for each in group.answers if each.at - each.seconds > moment]
    assert found
    return found


def _emptied(own: Own, table: str) -> Path:
    """The file of a table that holds nothing any more."""
    with closing(own.server.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {table} CASCADE")
        cursor.execute("SELECT pg_relation_filepath(%s)", [table])
        [path] = cursor.fetchone() or [""]
    return own.cluster.data / path


def _told(load: Load, status: int, seconds: float) -> None:
    """From now on /readyz says this, within the time it has for the truth; look for so long."""
    moment = time.monotonic()
    time.sleep(max(seconds, TRUTH))
    said = [each for each in load.groups["readyz"].answers if each.at > moment]
    assert {each.status for each in said if each.at > moment + TRUTH} <= {status}
    assert said[-1].status == status
