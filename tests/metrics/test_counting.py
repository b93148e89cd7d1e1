"""Processes count together, and exactly, whichever of them is asked and whatever becomes of one."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from prometheus_client import generate_latest

from config import NAME
from project import meters
from project.errors import Contended, Refused
from project.http import problems
from project.http.app import App
from tests.conftest import cloned
from tests.db.conftest import opened
from tests.metrics.reading import Samples, grown, read, scrape, total
from tests.samples.laboratory import Laboratory
from tests.server import Server
from tests.waiting import until

SAMPLES = "/api/v1/samples/"
REQUESTS = "http_requests_total"
CALLS: list[tuple[str, str, dict[str, Any]]] = [  # each with the labels that it is counted under
    ("GET", "/healthz", {"route": "/healthz", "method": "GET", "status": 200}),
    ("GET", SAMPLES, {"route": SAMPLES, "method": "GET", "status": 200}),
    ("HEAD", f"{SAMPLES}7", {"route": f"{SAMPLES}{{id}}", "method": "HEAD", "status": 404}),
    ("GET", "/api/v1/users/me", {"route": "/api/v1/users/me", "method": "GET", "status": 401}),
    ("POST", "/healthz", {"route": "unmatched", "method": "POST", "status": 405}),
    ("GET", "/no/such/{number}", {"route": "unmatched", "method": "GET", "status": 404}),
    ("BREW{number}", "/healthz", {"route": "unmatched", "method": "other", "status": 405}),
]
MANY = """
INSERT INTO samples (name, price, description)
SELECT 'Many ' || n, 1, repeat('x', 1000) FROM generate_series(1, 20000) AS n
"""
TIMES = 12  # that each is sent


@pytest.fixture(scope="module")
def counting(postgres: str, template: str, tmp_path_factory: Any) -> Iterator[Laboratory]:
    """Two processes, with the folder for temporary files to themselves."""
    folder: Path = tmp_path_factory.mktemp("counting")
    with (
        cloned(postgres, template, f"{NAME}_{folder.name}_{time.time_ns()}") as url,
        Laboratory(url, folder, "s" * 32, TMPDIR=str(folder)) as running,
    ):
        yield running


def pids(server: Server) -> set[int]:
    return {child.pid for child in psutil.Process(server.process.pid).children()}


def send_all(server: Server) -> None:
    """Every call as often as the others, eight at a time."""
    sent = [(method, path, n) for n in range(TIMES) for method, path, _ in CALLS]
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda it: server.send(it[0].format(number=it[2]), it[1].format(number=it[2])), sent
            )
        )


def check(before: Samples, after: Samples) -> None:
    """Each was counted once since; and what was timed is as many."""
    for _, _, labels in CALLS:
        assert grown(before, after, REQUESTS, **labels) == TIMES, labels
    timed = {**CALLS[1][2]}
    del timed["status"]
    assert grown(before, after, "http_request_duration_seconds_count", **timed) == TIMES
    assert grown(before, after, "http_request_duration_seconds_bucket", **timed, le="+Inf") == TIMES
    assert 0 < grown(before, after, "http_request_duration_seconds_sum", **timed) < 60 * TIMES


def test_every_request_is_counted_once_whichever_process_answers(counting: Laboratory) -> None:
    before = scrape(counting)
    send_all(counting)
    after = [scrape(counting) for _ in range(6)]  # by either process
    for each in after:
        check(before, each)
    assert total(after[-1], REQUESTS, route="/metrics") >= 6


def test_nothing_is_lost_with_a_process_that_is_killed(counting: Laboratory) -> None:
    before = scrape(counting)
    send_all(counting)
    for _ in range(2):
        old = pids(counting)
        psutil.Process(min(old)).kill()
        until(lambda old=old: len(pids(counting)) == 2 and pids(counting) != old)  # type: ignore[misc]
    check(before, scrape(counting))
    between = scrape(counting)
    send_all(counting)
    check(between, scrape(counting))


def test_nothing_is_lost_by_reloads_and_files_do_not_grow_in_number(counting: Laboratory) -> None:
    before = scrape(counting)
    send_all(counting)
    for _ in range(4):
        old = pids(counting)
        counting.process.send_signal(signal.SIGHUP)
        until(lambda old=old: len(pids(counting)) == 2 and not pids(counting) & old)  # type: ignore[misc]
    after = scrape(counting)
    check(before, after)
    [folder] = counting.log.parent.glob(f"{NAME}-metrics-*")
    files = {path.name for path in folder.iterdir()}
    kinds = ("counter", "histogram", "gauge_livesum")
    assert files <= {f"{kind}_{slot}.db" for kind in kinds for slot in range(4)}
    pool = {"pool": "requests"}
    assert total(after, "database_pool_connections_max", **pool) == 2 * (4 + 2)
    assert total(after, "database_pool_connections_in_use", **pool) == 0


def test_what_is_no_request_is_counted(counting: Laboratory) -> None:
    before = scrape(counting)
    with closing(socket.create_connection(("127.0.0.1", counting.port), 10)) as line:
        line.sendall(b"GET / HTTP/1.1\r\nBroken\r\n\r\n")
        assert line.recv(65_536).startswith(b"HTTP/1.1 400 ")
    after = scrape(counting)
    assert grown(before, after, REQUESTS, route="outside", status=400) == 1
    assert grown(before, after, "refusals_total", code="malformed_request") == 1


def test_refusals_are_counted_by_code_and_once(counting: Laboratory) -> None:
    token = counting.sign_in()
    before = scrape(counting)
    key = {**token, "Idempotency-Key": "a-name"}
    body = {"username": "ada", "email": "admin@example.org", "password": "correct horse battery"}
    statuses = [counting.call("POST", "/api/v1/users/", body, key)[0] for _ in range(3)]
    assert statuses == [400] * 3
    after = scrape(counting)
    assert grown(before, after, "refusals_total", code="duplicate_email") == 1  # and two replays
    route = {"route": "/api/v1/users/", "method": "POST"}
    assert grown(before, after, REQUESTS, **route, status=400) == 3


def test_a_download_is_counted_when_it_begins_and_told_how_it_ended(counting: Laboratory) -> None:
    token, path = counting.sign_in("reader"), f"{SAMPLES}export"
    with counting.connect() as connection, connection.cursor() as cursor:
        cursor.execute(MANY)
    before = scrape(counting)
    assert counting.send("GET", path, headers=token)[0] == 200
    with closing(socket.socket()) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(("127.0.0.1", counting.port))
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {token['Authorization']}\r\n\r\n"
        line.sendall(head.encode())
        assert line.recv(15) == b"HTTP/1.1 200 OK"
    until(lambda: grown(before, scrape(counting), "downloads_total") == 2)
    after = scrape(counting)
    assert grown(before, after, "downloads_total", outcome="whole") == 1
    assert grown(before, after, "downloads_total", outcome="cut_off") == 1
    assert grown(before, after, REQUESTS, route=path, status=200) == 2
    assert counting.send("GET", SAMPLES)[0] == 200  # whose thread keeps a connection, of no pool
    until(lambda: total(scrape(counting), "database_pool_connections_in_use") == 0)


def test_a_refusal_of_what_is_done_again_and_well_is_none(postgres: str, template: str) -> None:
    tries = iter((True, False))

    def work() -> None:
        if next(tries):
            problems.answer(Refused("The first time.", code="first_time"))
            raise Contended

    before = read(generate_latest(meters.REGISTRY).decode())
    with opened(postgres, template) as bench:
        assert bench.post(work).status_code == 200
    after = read(generate_latest(meters.REGISTRY).decode())
    assert grown(before, after, REQUESTS, route="/work", status=200) == 1
    assert grown(before, after, "refusals_total", code="first_time") == 0


def test_a_database_that_is_away_is_counted_and_told(tmp_path: Path) -> None:
    nobody = "postgresql://x@127.0.0.1:1/x"
    with Laboratory(nobody, tmp_path, "s" * 32) as server:
        for _ in range(3):
            assert server.call("GET", SAMPLES)[0] == 503
        told = scrape(server)
    assert total(told, REQUESTS, route=SAMPLES, status=503) == 3
    assert total(told, "refusals_total", code="unavailable") == 3
    assert total(told, "database_errors_total", kind="away") == 3
    assert total(told, "database_up") == 0


def test_a_master_removes_its_folder_and_what_killed_ones_left(tmp_path: Path) -> None:
    left, young, strange = (tmp_path / f"{NAME}-{name}" for name in ("metrics-a", "metrics-b", "x"))
    for folder in (left, young, strange):
        folder.mkdir()
    hour_ago = time.time() - 3600
    for folder in (left, strange):
        os.utime(folder, (hour_ago, hour_ago))
    nobody = "postgresql://x@127.0.0.1:1/x"
    with Laboratory(nobody, tmp_path, "s" * 32, TMPDIR=str(tmp_path)):
        there = {path.name for path in tmp_path.glob(f"{NAME}-*")}
        assert len(there - {young.name, strange.name}) == 1
        assert left.name not in there
    assert {path.name for path in tmp_path.glob(f"{NAME}-*")} == {young.name, strange.name}


def test_who_finds_no_place_to_count_together_counts_alone(tmp_path: Path) -> None:
    nobody = "postgresql://x@127.0.0.1:1/x"
    settings = {"TMPDIR": str(tmp_path), "WEB_CONCURRENCY": "1"}
    with Laboratory(nobody, tmp_path, "s" * 32, **settings) as server:
        [folder] = tmp_path.glob(f"{NAME}-metrics-*")
        shutil.rmtree(folder)
        assert scrape(server)
        [old] = pids(server)
        os.kill(old, signal.SIGKILL)
        until(lambda: len(pids(server)) == 1 and old not in pids(server))
        assert server.call("GET", SAMPLES)[0] == 503
        assert total(scrape(server), REQUESTS, route=SAMPLES, status=503) == 1
        assert "A worker counts alone" in server.log.read_text()


def test_one_process_counts_without_files(app: App) -> None:
    client = app.test_client()
    before = read(client.get("/metrics").text)
    for _ in range(3):
        client.get("/healthz")
    after = read(client.get("/metrics").text)
    assert grown(before, after, REQUESTS, route="/healthz", method="GET", status=200) == 3
    assert grown(before, after, REQUESTS, route="/metrics") == 1
