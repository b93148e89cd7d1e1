"""Real workers beside a real gunicorn: killed, told to stop, cut off from the database."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from itertools import count
from typing import Any

import psutil
import pytest

from config import NAME, ROOT
from tests.conftest import SECRET, cloned
from tests.jobs.laboratory import TABLE
from tests.server import Server
from tests.waiting import until

STATUSES = "SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY 1"
TOLD = "SELECT told FROM effects WHERE told LIKE %s"


class Laboratory(Server):
    """The application with tasks to try."""

    application = "tests.jobs.laboratory:app"

    def ask(self, told: str, more: str = "") -> int:
        """The status of asking for a job."""
        return self.send("POST", f"/ask?told={told}{more}")[0]

    def sql(self, statement: str, *values: Any) -> list[Any]:
        with closing(self.connect()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def told(self, like: str) -> list[str]:
        return [told for (told,) in self.sql(TOLD, like)]

    def statuses(self) -> dict[str, int]:
        return dict(self.sql(STATUSES))


@pytest.fixture(scope="module")
def laboratory(postgres: str, template: str, tmp_path_factory: Any) -> Iterator[Laboratory]:
    folder = tmp_path_factory.mktemp("laboratory")
    with (
        cloned(postgres, template, f"{NAME}_{os.getpid()}_{folder.name}") as url,
        Laboratory(url, folder, SECRET, LABORATORY="yes") as running,
    ):
        running.sql(TABLE)
        yield running


@pytest.fixture(autouse=True)
def fresh(laboratory: Laboratory) -> None:
    laboratory.sql("DELETE FROM procrastinate_jobs")


def test_there_are_as_many_jobs_as_requests_that_committed(laboratory: Laboratory) -> None:
    def ask(number: int) -> int:
        return laboratory.ask(f"half-{number}", "&refuse=yes" if number % 2 else "")

    with ThreadPoolExecutor(8) as pool:
        answered = Counter(pool.map(ask, range(500)))
    assert answered == {200: 250, 400: 250}
    assert laboratory.statuses() == {"todo": 250}
    with laboratory.worker():
        until(lambda: laboratory.statuses() == {"succeeded": 250})
    assert sorted(laboratory.told("half-%")) == sorted(f"half-{n}" for n in range(0, 500, 2))


def test_whatever_is_killed_each_job_is_done_once(laboratory: Laboratory) -> None:
    """Two workers and the web server's own, with -9 and at random, during three hundred jobs."""
    chance, numbers = random.Random(5), count()
    committed: list[str] = []

    def ask() -> None:
        while (number := next(numbers)) < 300:
            told = f"killed-{number}"
            with suppress(OSError):  # its process was killed: asked for again under another name
                if laboratory.ask(told) == 200:
                    committed.append(told)

    with ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        workers = [stack.enter_context(laboratory.worker()) for _ in range(2)]
        asking = [pool.submit(ask) for _ in range(4)]
        until(lambda: laboratory.told("killed-%"))
        for _ in range(12):
            time.sleep(chance.uniform(0.1, 0.6))
            victim = chance.choice([0, 1, 2])
            if victim == 2:
                web = psutil.Process(laboratory.process.pid).children()
                with suppress(psutil.NoSuchProcess):
                    chance.choice(web).kill()
            else:
                workers[victim].kill()
                workers[victim] = stack.enter_context(laboratory.worker())
        for each in asking:
            each.result()
        until(lambda: set(laboratory.statuses()) == {"succeeded"})
    done = Counter(laboratory.told("killed-%"))
    assert set(done.values()) == {1}
    assert done.keys() >= set(committed)
    assert len(done) == laboratory.statuses()["succeeded"]
    assert len(committed) > 250


def test_a_worker_that_is_told_to_stop_finishes_what_it_is_at(laboratory: Laboratory) -> None:
    assert laboratory.ask("stopped", "&task=laboratory.advance") == 200
    with laboratory.worker() as worker:
        until(lambda: laboratory.statuses() == {"doing": 1})
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
    assert laboratory.statuses() == {"succeeded": 1}
    assert laboratory.told("stopped") == ["stopped"]


def test_progress_is_seen_while_the_transaction_goes_on(laboratory: Laboratory) -> None:
    laboratory.ask("advancing", "&task=laboratory.advance")
    with laboratory.worker():
        until(lambda: laboratory.sql("SELECT progress FROM jobs") == [(40,)])
        assert laboratory.told("advancing") == []
        until(lambda: laboratory.sql("SELECT progress FROM jobs") == [(100,)])
    assert laboratory.told("advancing") == ["advancing"]


def test_a_worker_outlives_its_connections(laboratory: Laboratory) -> None:
    cut = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
    """
    with laboratory.worker() as worker:
        laboratory.ask("before")
        until(lambda: laboratory.told("before"))
        for _ in range(2):
            laboratory.sql(cut)
            until(lambda: laboratory.ask("cut") == 200)
            until(lambda: set(laboratory.statuses()) == {"succeeded"})
        assert worker.poll() is None
    assert laboratory.told("cut") == ["cut"] * 2


def test_a_worker_ends_with_the_process_that_started_it(laboratory: Laboratory) -> None:
    starter = (
        "import os, subprocess, sys; command = [*sys.argv[1:], str(os.getpid())]; "
        "print(subprocess.Popen(command, stdout=2).pid)"
    )
    command = [sys.executable, "-m", "flask", "worker", "--parent"]
    with laboratory.log.open("ab") as log:
        pid = int(
            subprocess.run(
                [sys.executable, "-c", starter, *command],
                cwd=ROOT,
                env=laboratory.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                check=True,
            ).stdout
        )
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie", 20)
