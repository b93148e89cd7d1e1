"""How a worker ends and another begins: nobody who was heard remains without an answer."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event

import psutil
import pytest

from config import ROOT
from tests.serving.client import Client, Laboratory, get, workers
from tests.serving.conftest import NOBODY, Start
from tests.waiting import until


def ended(pids: set[int], seconds: float = 30) -> None:
    until(lambda: not any(psutil.pid_exists(pid) for pid in pids), seconds)


@contextmanager
def load(laboratory: Laboratory) -> Iterator[list[OSError | EOFError]]:
    """Eight clients ask, each as long as its connection is kept; yields what went wrong."""
    wrong: list[OSError | EOFError] = []
    over = Event()

    def ask() -> int:
        answered = 0
        while not over.is_set():
            try:
                with Client(laboratory) as client:
                    kept = "keep-alive"
                    while kept == "keep-alive" and not over.is_set():
                        status, headers, _ = client.get("/sleep?seconds=0.005")
                        assert status == 200
                        kept = headers["Connection"]
                        answered += 1
            except (OSError, EOFError) as error:
                wrong.append(error)
        return answered

    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(ask) for _ in range(8)]
        try:
            yield wrong
        finally:
            over.set()
        assert all(each.result() > 10 for each in asking)


def test_what_is_under_way_is_finished_before_the_end(start: Start) -> None:
    with start() as laboratory, Client(laboratory) as busy, Client(laboratory) as idle:
        with Client(laboratory) as streaming:
            assert idle.get("/")[0] == 200
            busy.send(get("/sleep?seconds=1"))
            streaming.send(get("/stream?pieces=4&seconds=0.4"))
            time.sleep(0.2)
            laboratory.process.send_signal(signal.SIGTERM)
            status, headers, body = busy.answer()
            assert (status, headers["Connection"], body) == (200, "close", b"slept")
            assert len(streaming.answer()[2]) == 4 * 2**20
        assert idle.ended()
        assert laboratory.process.wait(30) == 0


def test_who_is_connected_when_the_end_begins_is_answered(start: Start) -> None:
    """Though no process has accepted the connection yet."""
    with start() as laboratory, ExitStack() as stack:
        processes = [psutil.Process(pid) for pid in workers(laboratory)]
        for process in processes:
            process.suspend()
        clients = [stack.enter_context(Client(laboratory)) for _ in range(50)]
        for client in clients:
            client.send(get("/sleep?seconds=0.01"))
        laboratory.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        for process in processes:
            process.resume()
        assert [client.answer()[2] for client in clients] == [b"slept"] * 50


def test_what_takes_longer_than_the_grace_is_cut_off(start: Start) -> None:
    with start("--graceful-timeout 1") as laboratory, Client(laboratory) as client:
        client.send(get("/sleep?seconds=60"))
        time.sleep(0.2)
        began = time.monotonic()
        laboratory.process.send_signal(signal.SIGTERM)
        with pytest.raises((EOFError, ConnectionResetError)):
            client.answer()
        laboratory.process.wait(30)
        assert time.monotonic() - began < 20


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_a_quick_end_waits_for_nobody(start: Start, number: signal.Signals) -> None:
    with start() as laboratory, Client(laboratory) as client:
        client.send(get("/sleep?seconds=60"))
        time.sleep(0.2)
        began, pids = time.monotonic(), workers(laboratory)
        laboratory.process.send_signal(number)
        laboratory.process.wait(30)
        ended(pids)
        assert time.monotonic() - began < 20


def test_a_reload_refuses_and_loses_nobody(start: Start) -> None:
    with start() as laboratory:
        before = workers(laboratory)
        with load(laboratory) as wrong:
            for _ in range(2):
                time.sleep(0.5)
                now = workers(laboratory)
                laboratory.process.send_signal(signal.SIGHUP)
                ended(now)
            time.sleep(0.5)
        assert wrong == []
        assert not before & workers(laboratory)


def test_a_worker_that_is_killed_takes_only_its_own_connections_along(start: Start) -> None:
    with start() as laboratory:
        before = workers(laboratory)
        with load(laboratory) as wrong:
            time.sleep(0.5)
            os.kill(min(before), signal.SIGKILL)
            time.sleep(1)
        assert 0 < len(wrong) <= 8
        until(lambda: len(workers(laboratory)) == 2)
        assert min(before) not in workers(laboratory)


def test_a_worker_that_has_answered_enough_is_followed_by_another(start: Start) -> None:
    with start("--max-requests 100") as laboratory:
        before = workers(laboratory)
        with load(laboratory) as wrong:
            until(lambda: not before & workers(laboratory))
        assert wrong == []


def test_workers_do_not_outlive_their_master(start: Start) -> None:
    with start() as laboratory:
        pids = workers(laboratory)
        laboratory.process.kill()
        ended(pids)


def test_a_signal_to_reopen_the_log_disturbs_nobody(start: Start) -> None:
    with start() as laboratory, Client(laboratory) as client:
        client.send(get("/sleep?seconds=0.5"))
        time.sleep(0.1)
        for pid in workers(laboratory):
            os.kill(pid, signal.SIGUSR1)
        assert client.answer()[2] == b"slept"
        assert client.get("/")[2] == b"here"


def test_a_worker_that_sleeps_too_long_is_not_taken_for_dead(start: Start) -> None:
    with start("--timeout 2 --workers 1") as laboratory, Client(laboratory) as client:
        before = workers(laboratory)
        assert client.get("/sleep?seconds=4")[2] == b"slept"
        assert workers(laboratory) == before


def test_a_server_that_nobody_asks_sleeps_and_wakes_at_once(start: Start) -> None:
    with start("--workers 1") as laboratory, Client(laboratory) as client:
        [worker] = map(psutil.Process, workers(laboratory))

        def switches() -> int:
            """How often its threads were woken, in all."""
            tasks = Path(f"/proc/{worker.pid}/task").iterdir()
            said = [(task / "status").read_text() for task in tasks]
            found = [re.search(r"^voluntary_ctxt_switches:\s(\d+)", each, re.M) for each in said]
            return sum(int(each[1]) for each in found if each)

        for _ in range(2):
            time.sleep(1)
            before = switches()
            time.sleep(2)
            assert switches() - before < 20
            with ThreadPoolExecutor(1) as pool:
                slow = pool.submit(client.get, "/sleep?seconds=1")
                time.sleep(0.2)
                began = time.monotonic()
                with Client(laboratory) as other:
                    assert other.get("/")[0] == 200
                assert time.monotonic() - began < 0.5
                assert slow.result()[0] == 200


def test_it_says_that_it_speaks_no_tls(start: Start) -> None:
    with pytest.raises(AssertionError, match="speaks no TLS"), start("--certfile README.md"):
        pass


# What systemd does for a socket unit: see sd_listen_fds(3).
HANDED = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.executable, [sys.executable, "-m", "gunicorn", sys.argv[2]])
"""


def test_a_restart_loses_nobody_where_the_socket_stays(tmp_path: Path) -> None:
    laboratory = Laboratory(NOBODY, tmp_path, "s" * 32)
    with socket.create_server(("127.0.0.1", laboratory.port), backlog=64) as handed:
        command = [sys.executable, "-c", HANDED, str(handed.fileno()), laboratory.application]

        @contextmanager
        def served() -> Iterator[None]:
            process = subprocess.Popen(
                command, cwd=ROOT, env=laboratory.environment, pass_fds=[handed.fileno()]
            )
            try:
                with Client(laboratory) as client:
                    assert client.get("/")[2] == b"here"
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(30)

        with ExitStack() as clients:
            with served():
                wrong = clients.enter_context(load(laboratory))
                time.sleep(1)
            with served():
                time.sleep(1)
            with served():
                time.sleep(1)
                clients.close()
        assert wrong == []
