"""Real servers, each in its own folder, and real processes that use them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
from psycopg2.extensions import make_dsn

import project.embedded
from config import NAME
from project.embedded import Cluster

FAST = {"fsync": "off"}
GRACE = 1.0  # seconds
# The package is imported by itself: the application around it would cost a second per process.
USER = """
import os, sys, time, types
from pathlib import Path
sys.modules["project"] = types.ModuleType("project")
sys.modules["project"].__path__ = [sys.argv[1]]
from project.embedded import Cluster, EmbeddedError
cluster = Cluster(Path(sys.argv[2]), {"fsync": "off"}, float(sys.argv[3]))
"""
STAY = "print(cluster.ensure(), flush=True); sys.stdin.read()"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slowest first, so that no worker begins one when the others are done."""
    items.sort(key=lambda item: "ten_seconds" not in item.name)


class User(subprocess.Popen[str]):
    """A Python process in a session of its own, with `cluster` at hand."""

    def __init__(self, cluster: Cluster, script: str = STAY, **how: Any) -> None:
        package = Path(project.embedded.__file__).parent
        arguments = [str(package.parent), str(cluster.home.parent), str(cluster.grace)]
        super().__init__(
            [sys.executable, "-c", USER + script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **how,
        )

    def says(self) -> str:
        assert self.stdout
        return self.stdout.readline().strip()

    def end(self) -> None:
        """As nobody can prevent it."""
        self.kill()
        self.communicate()


@pytest.fixture
def user() -> Iterator[Callable[..., User]]:
    began: list[User] = []

    def begin(*arguments: Any, **how: Any) -> User:
        began.append(User(*arguments, **how))
        return began[-1]

    yield begin
    for process in began:
        process.end()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Cluster]]:
    """Makes clusters, and ends their servers after the test."""
    made: list[Cluster] = []

    def cluster(folder: str = "data", settings: Any = FAST, grace: float = GRACE) -> Cluster:
        made.append(Cluster(tmp_path / folder, settings, grace))
        return made[-1]

    yield cluster
    for each in made:
        each.stop()
        each.release()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One server for all tests of a module that do it no harm."""
    cluster = Cluster(tmp_path_factory.mktemp("shared"), FAST, GRACE)
    cluster.ensure()
    yield cluster
    cluster.stop()
    cluster.release()


@pytest.fixture
def ask() -> Callable[..., Any]:
    """The first value that a statement answers, by default in the application's role."""

    def answer(cluster: Cluster, statement: str, **other: str) -> Any:
        to = {"host": str(cluster.socket), "user": NAME, "dbname": NAME, **other}
        with closing(psycopg2.connect(make_dsn(port=5432, **to))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return next(iter(cursor.fetchone() or ())) if cursor.description else None

    return answer


@pytest.fixture
def processes() -> Callable[[Cluster], list[Any]]:
    """The keeper, the postmaster and its children, as the system lists them."""

    def listed(cluster: Cluster) -> list[Any]:
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            command = " ".join(process.info["cmdline"] or ())
            if str(cluster.socket) in command and process.info["status"] != "zombie":
                with suppress(psutil.NoSuchProcess):  # it ended while we looked
                    found += [process, *process.children(recursive=True)]
        return list(dict.fromkeys(found))

    return listed


@pytest.fixture
def keepers() -> Callable[[Cluster], list[Any]]:
    def found(cluster: Cluster) -> list[Any]:
        every = psutil.process_iter(["cmdline"])  # a zombie has none
        return [each for each in every if str(cluster.home) in (each.info["cmdline"] or ())]

    return found


@pytest.fixture
def within() -> Callable[..., float]:
    """Wait until something is so; the seconds that it took."""

    def waited(seconds: float, true: Callable[[], bool]) -> float:
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < seconds, f"not within {seconds} seconds"
            time.sleep(0.05)
        return time.monotonic() - began

    return waited


@pytest.fixture
def crash() -> Callable[[Cluster], int]:
    """Kill the postmaster as the kernel would; its pid."""

    def killed(cluster: Cluster) -> int:
        pid = cluster.status()["pid"]
        assert isinstance(pid, int)
        os.kill(pid, signal.SIGKILL)
        return pid

    return killed
